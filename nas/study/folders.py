"""Where a search leaves what it makes, unless it is told otherwise."""

import re
from hashlib import sha256
from pathlib import Path

RUNS = Path("runs")
TRAININGS = RUNS / "trainings"  # of candidates trained over seeds, kept so that none is made twice
SQLITE = "sqlite:///"
DEFAULT_STORAGE = f"{SQLITE}{RUNS / 'nas.db'}"


def slug(text: str) -> str:
    """A harmless file name for any text; different texts have different ones."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[-80:]
    return plain if plain == text else f"{plain}-{sha256(text.encode()).hexdigest()[:6]}"
