"""Where a search leaves what it makes, unless it is told otherwise."""

from nas.files import RUNS

TRAININGS = RUNS / "trainings"  # of candidates trained over seeds, kept so that none is made twice
SQLITE = "sqlite:///"
DEFAULT_STORAGE = f"{SQLITE}{RUNS / 'nas.db'}"
