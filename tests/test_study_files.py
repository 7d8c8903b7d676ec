"""The study files that come with nas: each is one that a search takes, and says how it is begun."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from nas import shipped
from nas.cli.search import search
from nas.cli.search_options import budget_of
from nas.searching.options import SearchOptions

Run = Callable[..., CompletedProcess[str]]
FILES = sorted(shipped.studies().glob("*.toml"))
NOT_OF_A_SEARCH = ("confirming", "notify", "as_json")


def options_in(file: Path) -> SearchOptions:
    """As the command has them."""
    settings = {**search.make_context("search", ["--config", str(file)]).params}
    budget = budget_of(settings)
    told = {name: value for name, value in settings.items() if value is not None and name not in NOT_OF_A_SEARCH}
    return SearchOptions(budget, **told)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_is_one_that_a_search_takes(file: Path) -> None:
    options = options_in(file)
    assert options.not_by_default, "it says something"
    assert file.read_text().splitlines()[0].endswith(f"nas search --config studies/{file.name}")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_that_for_a_microcontroller_hands_over_c_within_its_limits(nas: Run) -> None:
    options = options_in(shipped.studies() / "microcontroller.toml")
    assert (options.runs_as, options.quantised, options.all_formats) == ("c", True, ("c",))
    assert (options.limits["flash"], options.limits["ram"]) == (16_000, 4_000)
    asked = ("--epochs", "1", "--trials", "1", "--workers", "1", "--json")
    done = nas("search", "--config", "studies/microcontroller.toml", *asked)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["best"][0]["flash"] <= 16_000
    assert told["best"][0]["ram"] <= 4_000
    assert told["best"][0]["float_accuracy"] is not None
    assert Path(told["model"]).with_suffix(".c").exists()
