"""`nas init`: a space to begin with, which runs as it is."""

import shlex
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from test_cli import check_refused

from nas.network.blocks import Residual
from nas.network.cost import Budget, cost_of
from nas.network.kinds import Shape
from nas.space import finding, template
from nas.space.candidate import Task
from nas.space.probing import random_candidates

Run = Callable[..., CompletedProcess[str]]


def test_it_is_written_and_searched(nas: Run, tmp_path: Path) -> None:
    done = nas("init", "my_space.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nas search --space my_space.py" in done.stdout
    assert (tmp_path / "my_space.py").read_text("utf-8") == template.template().read_text("utf-8")
    searched = nas("search", "--space", "my_space.py", "--budget", "3k", "--epochs", "1", "--trials", "2")
    assert searched.returncode == 0, searched.stderr
    assert list((tmp_path / "runs").glob("*.py"))


def test_it_is_no_space_that_has_a_name() -> None:
    assert not {"space", "template", "templates"} & set(finding.names())


@pytest.mark.parametrize(
    "name", ["my-space.py", "my_space", "my_space.txt", "1st.py", "class.py", ".py", "no/my.py", "nas.py", "json.py"]
)
def test_a_name_that_cannot_be_imported_is_refused(nas: Run, tmp_path: Path, name: str) -> None:
    check_refused(nas("init", name), "space", ": name it like" if "no/" not in name else "make it")
    assert not list(tmp_path.glob("*.py"))


def test_the_commands_that_it_names_are_for_a_shell(nas: Run, tmp_path: Path) -> None:
    (tmp_path / "my spaces").mkdir()
    lines = nas("init", "my spaces/one.py").stdout.splitlines()[1:]
    for words in (shlex.split(line, comments=True) for line in lines):
        assert words[words.index("--space") + 1] == "my spaces/one.py"


def test_nothing_is_overwritten_unasked(nas: Run, tmp_path: Path) -> None:
    mine = tmp_path / "my_space.py"
    mine.write_text("mine")
    done = nas("init", "my_space.py")
    assert (done.returncode, mine.read_text()) == (2, "mine")
    assert "--force" in done.stderr
    assert nas("init", "my_space.py", "--force").returncode == 0
    assert mine.read_text("utf-8") == template.template().read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("n_params", [700, 2_000, 5_000, 20_000, 100_000])
@pytest.mark.parametrize(
    ("shape", "n_classes"), [((1, 28, 28), 10), ((3, 8, 8), 2), ((1, 8, 96), 200), ((3, 96, 96), 100)]
)
def test_it_rejects_nothing_and_uses_what_there_is(shape: Shape, n_classes: int, n_params: int) -> None:
    task = Task(shape, n_classes, 5, Budget(n_params))
    made = [each for each, _ in islice(random_candidates(finding.load(template.template()), task), 15)]
    costs = [cost_of(candidate.architecture).params for candidate in made]
    assert max(costs) <= n_params
    assert min(costs) > n_params / 2**2, "but for one channel more everywhere, of one"
    assert any(isinstance(spec, Residual) for candidate in made for spec in candidate.architecture.layers) or (
        n_params < 1_000
    )
