"""Who computes is part of how a trial was made: what goes on or is trained again is computed as it was."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import torch

from nas.datasets.dataset import Dataset
from nas.datasets.splitting import Split, split
from nas.execution import choosing
from nas.execution.choosing import choose
from nas.execution.inline import InlineExecutor
from nas.execution.job import Job
from nas.space.documented import load
from nas.training.device import multiplies_bfloat16
from nas.training.run import EpochResult

B5 = load("B5").candidate
MADE_WITH: list[dict[str, Any]] = [
    {"kernels": "torch"},
    {"kernels": "numba"},
    {"kernels": "numba", "convolutions": ["conv1", "conv4"]},
]
needs_products = pytest.mark.skipif(not multiplies_bfloat16(), reason="this CPU has no products of bfloat16")


@pytest.fixture(scope="module")
def few(mnist: Dataset) -> Split:
    """300 images to train on and as many to validate."""
    whole = split(mnist, 59_700)
    return replace(
        whole, validation_images=whole.validation_images[:300], validation_labels=whole.validation_labels[:300]
    )


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder in which nothing was kept yet, and a process that has not chosen yet."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    forget()
    return folder


def forget() -> None:
    choosing._is_faster.cache_clear()
    choosing._folder.cache_clear()


@pytest.fixture(autouse=True)
def forgotten_afterwards() -> Any:
    yield
    forget()


def epochs(data: Split, job: Job, n: int) -> tuple[dict[str, Any], list[EpochResult]]:
    with InlineExecutor(data).run(job) as run:
        return run.made_with, [next(run) for _ in range(n)]


def losses(results: list[EpochResult]) -> list[tuple[float, float]]:
    return [(each.train_loss, each.validation_loss) for each in results]


@needs_products
@pytest.mark.parametrize("made_with", MADE_WITH)
def test_a_training_goes_on_as_it_began(few: Split, tmp_path: Path, made_with: dict[str, Any]) -> None:
    whole = Job(B5, 7, precision="bfloat16", repeats=made_with)
    checkpoint = tmp_path / "begun.pt"
    _, wanted = epochs(few, whole, 3)
    began, before = epochs(few, replace(whole, checkpoint=checkpoint), 2)
    assert (began["kernels"], began.get("convolutions")) == (made_with["kernels"], made_with.get("convolutions"))
    follower = Job(B5, 7, precision="bfloat16", checkpoint=checkpoint, checkpoint_made_with=began)
    went_on, results = epochs(few, follower, 3)
    assert went_on == began
    assert losses(results) == losses(wanted)
    assert results[:1] == before[:1]  # to the second: it was not trained again

    # Another environment: it begins anew, and is computed as is fastest here.
    elsewhere = replace(follower, checkpoint_made_with={**began, "torch": "1.0"})
    fastest = [*choose(B5.architecture, B5.recipe.batch_size)]
    assert epochs(few, elsewhere, 1)[0].get("convolutions", []) == fastest


@needs_products
def test_each_way_has_digits_of_its_own(few: Split) -> None:
    jobs = [Job(B5, 7, precision="bfloat16", repeats=made_with) for made_with in MADE_WITH]
    assert len({losses(epochs(few, job, 1)[1])[0] for job in jobs}) == len(MADE_WITH)


def test_in_float32_torch_convolves(few: Split) -> None:
    assert "convolutions" not in epochs(few, Job(B5, 7), 1)[0]
    assert "convolutions" not in epochs(few, Job(B5, 7, repeats=MADE_WITH[2]), 1)[0]


@needs_products
def test_what_was_measured_once_decides_from_then_on(own_cache: Path) -> None:
    before = torch.random.get_rng_state()
    names = choose(B5.architecture, 100)
    assert torch.equal(torch.random.get_rng_state(), before)
    kept = sorted(own_cache.rglob("*.json"))
    assert len(kept) == 4  # conv5 has a kernel of one pixel
    assert {json.loads(file.read_text())["batch"] for file in kept} == {64}
    assert choose(B5.architecture, 120) == names
    assert sorted(own_cache.rglob("*")) == sorted(
        {*kept, *(file.parent for file in kept), kept[0].parents[1], kept[0].parents[2]}
    )

    # Had it been measured otherwise, it would be chosen otherwise; and by another process too.
    for file in kept:
        content = json.loads(file.read_text())
        faster = content["n_out"] in (16, 36)
        file.write_text(json.dumps({**content, "milliseconds": {"torch": 1.0, "numba": 0.9 if faster else 0.97}}))
    forget()
    assert choose(B5.architecture, 64) == ("conv1", "conv4")


@needs_products
def test_a_measurement_that_another_worker_kept_first_counts(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(B5.architecture, 64)
    kept = {file.name: json.loads(file.read_text())["n_out"] for file in own_cache.rglob("*.json")}
    (folder,) = {file.parent for file in own_cache.rglob("*.json")}
    for name in kept:
        (folder / name).unlink()
    forget()
    measure = choosing.measured

    def measured_while_another_worker_keeps(convolution: Any) -> dict[str, float]:
        name = f"{choosing.digest_of(convolution._asdict())}.json"
        numba = 1.0 if convolution.n_out == 28 else 3.0
        (folder / name).write_text(json.dumps({"milliseconds": {"torch": 2.0, "numba": numba}}))
        return measure(convolution)

    monkeypatch.setattr(choosing, "measured", measured_while_another_worker_keeps)
    assert choose(B5.architecture, 64) == ("conv3",)
    assert {file.name for file in folder.iterdir()} == set(kept)


@needs_products
@pytest.mark.parametrize("damage", ["", "{}", '{"milliseconds": {"torch": 1}}', "\x00" * 50])
def test_a_damaged_measurement_leaves_it_to_torch(own_cache: Path, damage: str) -> None:
    choose(B5.architecture, 64)
    for file in own_cache.rglob("*.json"):
        file.write_text(damage)
    forget()
    assert choose(B5.architecture, 64) == ()


@needs_products
def test_where_nothing_can_be_kept_torch_convolves(own_cache: Path) -> None:
    own_cache.write_text("a file")
    assert choose(B5.architecture, 64) == ()


@needs_products
def test_a_trial_is_trained_again_with_the_convolutions_that_are_stored(
    nas: Callable[..., CompletedProcess[str]], own_cache: Path, tmp_path: Path
) -> None:
    options = ("--space", "tiny", "--epochs", "1", "--budget", "30k", "--workers", "2", "--precision", "bfloat16")
    assert nas("search", *options, "--trials", "1", "--pruner", "none").returncode == 0
    database = tmp_path / "runs" / "nas.db"
    with sqlite3.connect(database) as connection:
        ((number, trial, text),) = connection.execute(
            "select number, trial_id, value_json from trial_user_attributes join trials using (trial_id) where key = ?",
            ("made_with",),
        )
    assert "the same digits again" in nas("retrain", "--trial", str(number)).stdout
    made_with = json.loads(text)
    assert made_with["precision"] == "bfloat16"
    # Digits that were made otherwise do not come out of what is stored now.
    stored = made_with.pop("convolutions", [])
    made_with |= {} if stored else {"convolutions": ["conv1"]}
    with sqlite3.connect(database) as connection:
        connection.execute(
            "update trial_user_attributes set value_json = ? where trial_id = ? and key = ?",
            (json.dumps(made_with), trial, "made_with"),
        )
    again = nas("retrain", "--trial", str(number))
    assert again.returncode == 1, again.stdout
    assert "must give the digits" in again.stderr
    assert "convolutions was" not in again.stderr
