"""The documented iterations as data: each is what the documents say, and is handed over as it is."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from documented_iterations import ALL
from test_documented_space import replay

from nas.errors import InputError
from nas.network.cost import cost_of
from nas.space import documented

Run = Callable[..., subprocess.CompletedProcess[str]]

# Parameters, best accuracy, its epoch, accuracy of the first epoch; as printed in the two documents.
FIGURES = {
    "A1": (593_200, 49.8, 1, 49.8),
    "A2": (130_864, 10.49, 1, 10.49),
    "A3": (130_864, 94.82, 1, 94.82),
    "A4": (39_594, 95.05, 1, 95.05),
    "A5": (25_674, 94.89, 1, 94.89),
    "A6": (24_498, 91.62, 1, 91.62),
    "A7": (24_498, 94.12, 1, 94.12),
    "A8": (24_498, 94.27, 1, 94.27),
    "A9": (24_498, 93.93, 1, 93.93),
    "A10": (24_498, 95.5, 1, 95.5),
    "B1": (9_190, 98.90, 5, 97.87),
    "B2": (9_190, 99.06, 19, 96.35),
    "B3": (26_202, 99.41, 11, 98.57),
    "B4": (26_202, 99.4, 16, None),
    "B5": (19_798, 99.45, 16, None),
}
TRUE_COUNTS = {name: figures[0] for name, figures in FIGURES.items()} | {"B4": 26_870}


def test_all_fifteen_are_there_in_the_order_in_which_they_were_made() -> None:
    assert documented.names() == tuple(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_those_of_the_documents(name: str) -> None:
    iteration = documented.load(name)
    first = None if iteration.first_epoch is None else round(100 * iteration.first_epoch, 4)
    assert (iteration.parameters, round(100 * iteration.accuracy, 4), iteration.epoch, first) == FIGURES[name]
    assert iteration.structure == ("reconstructed" if name.startswith("A") else "documented")
    assert iteration.changed
    assert iteration.lesson
    assert cost_of(iteration.candidate.architecture).params == TRUE_COUNTS[name]


@pytest.mark.parametrize("replayed", [i for i in ALL if i.name not in ("A9", "A10")], ids=str)
def test_the_documented_space_holds_the_same_network_and_training(replayed) -> None:
    iteration = documented.load(replayed.name.removesuffix("-plain"))
    assert replay(replayed)[0].architecture == iteration.candidate.architecture
    recipe = asdict(iteration.candidate.recipe)
    wanted = {name: asdict(v) if name == "augmentation" else v for name, v in replayed.recipe.items()}
    assert {name: recipe[name] for name in wanted} == wanted
    assert iteration.candidate.recipe.epochs == replayed.epochs
    assert iteration.candidate.recipe.ema == 0, "the documents evaluated the weights as they were"


def test_file_begins_with_the_command_that_runs_it() -> None:
    for name in documented.names():
        file = documented.shipped.studies() / "documented" / f"{name}.toml"
        assert file.read_text().splitlines()[0] == f"# nas reproduce {name}"


@pytest.mark.parametrize("name", ["B6", "A", "", "a11", "all"])
def test_an_iteration_that_does_not_exist(name: str) -> None:
    with pytest.raises(InputError, match="must be one that exists"):
        documented.load(name)


def test_names_are_found_in_either_case() -> None:
    assert documented.load("b5") == documented.load("B5")


COUNT = """
import sys
sys.modules["nas"] = None
import {name} as model, torch
net = model.Net()
assert net(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
print(sum(p.numel() for p in net.parameters()), model.NUM_PARAMS, hasattr(model, "load"))
"""


def check_export(nas: Run, name: str, folder: Path) -> None:
    """Exported by the command, imported alone, and counted."""
    done = nas("export", "--documented", name, "--out", "models")
    assert done.returncode == 0, done.stderr
    file = folder / done.stdout.strip()
    assert file.name == f"mnist_{TRUE_COUNTS[name]}_{name.lower()}.py"
    count = [sys.executable, "-c", COUNT.format(name=file.stem)]
    counted = subprocess.run(count, cwd=file.parent, capture_output=True, text=True, check=True).stdout.split()
    assert counted == [str(TRUE_COUNTS[name])] * 2 + ["False"]
    text = " ".join(file.read_text().split())
    assert f"the network of the documented iteration {name}" in text
    assert f"Documented: {FIGURES[name][0]:,} parameters" in text
    assert f"{FIGURES[name][1]:.2f} % of the test images at best" in text
    assert ("reconstructed" in text) == name.startswith("A")
    assert "not trained" in text
    for check in (["check"], ["format", "--check"]):
        subprocess.run([sys.executable, "-m", "ruff", *check, "--line-length", "120", "--isolated", file], check=True)


@pytest.mark.parametrize("name", ["A10", "B4"])
def test_an_iteration_is_exported(nas: Run, tmp_path: Path, name: str) -> None:
    check_export(nas, name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FIGURES.keys() - {"A10", "B4"}))
def test_every_iteration_is_exported(nas: Run, tmp_path: Path, name: str) -> None:
    check_export(nas, name, tmp_path)


def test_an_exported_iteration_can_be_named_and_is_not_overwritten(nas: Run, tmp_path: Path) -> None:
    export = ("export", "--documented", "B1", "--name", "first", "--out", ".")
    assert nas(*export).stdout.strip() == "first.py"
    made = (tmp_path / "first.py").read_bytes()
    assert nas(*export).returncode == 0, "the same again is no reason to complain"
    (tmp_path / "first.py").write_text("mine")
    refused = nas(*export)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert (tmp_path / "first.py").read_text() == "mine"
    assert nas(*export, "--force").returncode == 0
    assert (tmp_path / "first.py").read_bytes() == made
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.py"]


@pytest.mark.parametrize("extra", [["--trial", "1"], ["--top", "2"], ["--study", "x"]])
def test_a_documented_iteration_is_no_trial(nas: Run, extra: list[str]) -> None:
    done = nas("export", "--documented", "B5", *extra)
    assert (done.returncode, "--documented" in done.stderr) == (2, True)
