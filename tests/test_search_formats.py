"""Formats that are asked for with a search: what they cannot have is told apart before it is trained."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import optuna
import pytest
from optuna.trial import BaseTrial, TrialState

import nas
from nas import datasets
from nas.datasets.dataset import Dataset
from nas.export.c import compiled
from nas.network.architecture import Architecture
from nas.network.kinds import Conv, gap_head
from nas.network.pools import GemPool
from nas.space.candidate import Candidate, Task
from nas.study.opening import find_study
from nas.study.status import status
from nas.study.storage import open_storage
from nas.training.recipe import Recipe

Run = Callable[..., CompletedProcess[str]]
ONLY_GEM = """
from nas import Architecture, Candidate, Conv, GemPool, Recipe, gap_head


def suggest(trial, task):
    channels = trial.suggest_int("channels", 1, 40)
    layers = (Conv(channels), *gap_head(task.n_classes, pool=GemPool()))
    return Candidate(Architecture(task.image_shape, task.n_classes, layers), Recipe(epochs=task.epochs))
"""


@pytest.fixture(scope="module")
def dataset(few_images: str) -> Dataset:
    return datasets.load(few_images)


def any_pool(trial: BaseTrial, task: Task) -> Candidate:
    pool = GemPool() if trial.suggest_categorical("gem", [True, False]) else None
    architecture = Architecture(task.image_shape, task.n_classes, (Conv(4), *gap_head(task.n_classes, pool=pool)))
    return Candidate(architecture, Recipe(epochs=task.epochs, batch_size=256))


def test_a_candidate_that_c_cannot_have_is_not_trained(dataset: Dataset) -> None:
    study = optuna.create_study(direction="maximize")
    study.enqueue_trial({"gem": True})
    study.enqueue_trial({"gem": False})
    study.optimize(nas.Objective(any_pool, dataset, 500, epochs=1, formats=("c",)), n_trials=2)
    refused, trained = study.trials
    assert (refused.state, trained.state) == (TrialState.PRUNED, TrialState.COMPLETE)
    assert refused.user_attrs["outcome"] == "rejected"
    assert "the kind 'gem_pool' (pool1, global GeM pool)" in refused.user_attrs["reason"]
    assert "\n" not in refused.user_attrs["reason"]
    assert "seed" not in refused.user_attrs
    assert refused.intermediate_values == {}
    assert (refused.constraints["formats"], trained.constraints["formats"]) == (1, 0)


def test_where_it_was_not_asked_for_it_is_trained(dataset: Dataset) -> None:
    study = optuna.create_study(direction="maximize")
    study.enqueue_trial({"gem": True})
    study.optimize(nas.Objective(any_pool, dataset, 500, epochs=1, formats=("py", "onnx")), n_trials=1)
    assert study.trials[0].state == TrialState.COMPLETE


def test_a_space_of_which_c_can_have_nothing_is_refused_in_one_line(nas: Run, tmp_path: Path) -> None:
    (tmp_path / "gem.py").write_text(ONLY_GEM)
    done = nas("search", "--space", "gem.py", "--epochs", "1", "--format", "c", "--budget", "300")
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.count("what can be written as c") == line.count("'gem'") == line.count("gem_pool") == 1
    assert not (tmp_path / "runs" / "nas.db").exists()


def test_the_winner_is_written_in_what_was_asked_for_too(nas: Run, tmp_path: Path) -> None:
    asked = ("--space", "tiny", "--epochs", "1", "--budget", "3k", "--trials", "2", "--study", "mine", "--seed", "1")
    done = nas("search", *asked, "--format", "c", "--workers", "1")
    assert done.returncode == 0, done.stderr
    (header,) = (tmp_path / "runs").glob("*.h")
    for suffix in (".c", ".py", ".safetensors", ".md", ".sh"):
        assert header.with_suffix(suffix).exists(), suffix
    assert f"{header.stem}.c: " in done.stdout
    assert "bytes of flash" in done.stdout
    if compiled.compiler() is not None:
        assert "to the last bit" in header.read_text()
    storage = open_storage("sqlite:///runs/nas.db")
    command = status(find_study(storage, "mine"), storage).command
    assert command is not None
    assert "--format c" in command


def test_formats_are_those_there_are(dataset: Dataset) -> None:
    with pytest.raises(nas.NasError, match="formats must be some of py, onnx, torch, c, but got pt"):
        nas.Objective(any_pool, dataset, 500, formats=("pt",))
    with pytest.raises(nas.NasError, match="formats must be some of py, onnx, torch, c, but got pt"):
        nas.search(formats=("pt",))
