"""Documented iterations trained again, on few real images: side by side, each training once, and continued."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev

import pytest
import torch
from frozen_models import TINY
from hypothesis import given
from hypothesis import strategies as st
from processes import is_alive, needs_proc, read_until, workers_of
from scipy.stats import ttest_rel
from test_cli import check_refused

from nas import datasets
from nas.cli.trainings import write
from nas.errors import InputError, StudyError
from nas.replication.batch import Means, Trained, Training, train_all
from nas.replication.reproduction import Reproduced, as_documented
from nas.space import documented
from nas.space.candidate import Candidate
from nas.statistics import Spread, paired_difference
from nas.training.recipe import Recipe
from nas.training.run import EpochResult, TrainingRun

Run = Callable[..., subprocess.CompletedProcess[str]]
FLOAT = ("--precision", "float32", "--workers", "1")


def accuracies(file: Path) -> dict[str, list[list[float]]]:
    """Test accuracies of an `--out` file: iteration -> seed -> epoch."""
    return {row["iteration"]: [t["test_accuracy"] for t in row["trainings"]] for row in json.loads(file.read_text())}


def kept(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "runs" / "trainings").iterdir()}


@pytest.mark.slow
def test_documented_and_measured_stand_side_by_side(nas: Run, tmp_path: Path, few_images: str) -> None:
    done = nas("reproduce", "A8", "a10", "A8", "--seeds", "2", "--out", "table", *FLOAT)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()[:2]
    assert (first, "epoch 1/" in second) == ("Workers start; the first epoch takes longest.", True)
    for text in ("24,498", "94.27", "95.50", "reconstructed", "2 seeds (0, 1)"):
        assert text in " ".join(done.stdout.split())
    figures = accuracies(tmp_path / "table.json")
    assert list(figures) == ["A8", "A10"], "an iteration given twice is trained once"
    markdown = (tmp_path / "table.md").read_text()
    for name, values in figures.items():
        last = [history[-1] for history in values]
        (row,) = (line for line in markdown.splitlines() if line.startswith(f"| {name} * "))
        assert f"{100 * mean(last):.2f} ± {100 * stdev(last):.2f} |" in row

    # The figure is that of the documented training on all training images, tested on the test images.
    dataset = datasets.load(few_images)
    candidate = documented.load("A8").candidate
    run = TrainingRun(candidate.architecture, candidate.recipe, as_documented(dataset), seed=1)
    assert [result.validation_accuracy for result in run] == figures["A8"][1]


def test_all_images_are_trained_on_and_the_test_images_tested(few_images: str) -> None:
    dataset = datasets.load(few_images)
    images, labels = dataset.read_test()
    split = as_documented(dataset)
    assert torch.equal(split.train_images, dataset.images)
    assert torch.equal(split.validation_images, images)
    assert torch.equal(split.validation_labels, labels)


@pytest.mark.slow
def test_what_was_trained_is_not_trained_again(nas: Run, tmp_path: Path) -> None:
    command = ("reproduce", "A8", "--seeds", "1", *FLOAT)
    assert nas(*command, "--out", "one").returncode == 0
    before = kept(tmp_path)
    assert nas(*command, "--out", "two").returncode == 0
    assert kept(tmp_path) == before, "which hold seconds, so nothing was trained again"
    assert (tmp_path / "one.json").read_text() == (tmp_path / "two.json").read_text()
    assert nas("reproduce", "A8", "--seeds", "2", *FLOAT).returncode == 0
    after = kept(tmp_path)
    assert len(after) == 2
    assert before.items() <= after.items()
    for changed in (["A7"], ["A8", "--precision", "bfloat16"]):  # another recipe, another precision
        assert nas("reproduce", "--seeds", "1", *FLOAT, *changed).returncode == 0
    assert len(kept(tmp_path)) == 4


def test_a_training_whose_file_is_damaged_is_made_again(few_images: str, tmp_path: Path) -> None:
    data = datasets.split(datasets.load(few_images))
    trainings = [Training(Candidate(TINY, Recipe(epochs=1)), seed=0)]
    means = Means(workers=1, precision="float32", folder=tmp_path)
    (first,) = train_all(trainings, data, "few", means)
    (file,) = tmp_path.iterdir()
    for damaged in (b"", file.read_bytes()[:-20]):
        file.write_bytes(damaged)
        (again,) = train_all(trainings, data, "few", means)
        assert again.history[0].train_loss == first.history[0].train_loss
        assert train_all(trainings, data, "few", means) == [again], "which holds seconds, so nothing was trained again"
    file.unlink()
    file.with_suffix(".pt").write_bytes(b"cut")
    with pytest.raises(StudyError, match=r"\.pt .* damaged .* delete it, and the same command trains it again"):
        train_all(trainings, data, "few", means)


def test_tables_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "table.v1.json").mkdir()
    with pytest.raises(InputError, match=r"table\.v1\.json cannot be \(.*\): name others"):
        write(tmp_path / "table.v1", [], [])
    assert {path.name for path in tmp_path.iterdir()} == {"table.v1.md", "table.v1.json"}


@pytest.mark.slow
@needs_proc
def test_interrupted_it_goes_on_with_the_same_digits(start, nas: Run, tmp_path: Path) -> None:
    command = ("reproduce", "B1", "--seeds", "2", *FLOAT)
    process = start(*command)
    read_until(process, "B1 seed 0  epoch 2/5")
    workers = workers_of(process)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "nas: interrupted: 0 of 2 trainings are done" in output
    assert "Traceback" not in output
    assert not any(map(is_alive, workers))
    (checkpoint,) = kept(tmp_path)
    assert checkpoint.endswith(".pt")

    assert nas(*command, "--out", "continued").returncode == 0
    assert all(name.endswith(".json") for name in kept(tmp_path)), "the checkpoint is not needed any more"
    assert nas(*command, "--out", "whole", "--trainings", "elsewhere").returncode == 0
    continued, whole = (accuracies(tmp_path / f"{name}.json")["B1"] for name in ("continued", "whole"))
    assert continued == whole
    assert [len(history) for history in whole] == [5, 5]


@pytest.mark.slow
@needs_proc
def test_a_worker_that_dies_costs_nothing(start, nas: Run, tmp_path: Path) -> None:
    command = ("reproduce", "B1", "--seeds", "2", *FLOAT)
    process = start(*command, "--out", "killed")
    read_until(process, "B1 seed 0  epoch 1/5")
    os.kill(workers_of(process)[0], signal.SIGKILL)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert nas(*command, "--out", "whole", "--trainings", "elsewhere").returncode == 0
    assert accuracies(tmp_path / "killed.json") == accuracies(tmp_path / "whole.json")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], ["ID"]),
        (["B7"], ["documented iteration", "B7", "A1"]),
        (["A8", "--seeds", "0"], ["seeds", "above 0", "0"]),
        (["A8", "--workers", "0"], ["workers", "above 0"]),
        (["A8", "--precision", "int4"], ["precision", "int4"]),
        (["A8", "--device", "tpu"], ["device", "tpu"]),
        (["A8", "--dataset", "nowhere"], ["nowhere"]),
        (["A8", "--out", "nowhere/table"], ["--out", "nowhere"]),
        (["A8", "--trainings", "/proc/nowhere"], ["trainings", "/proc/nowhere"]),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    nas: Run, tmp_path: Path, options: list[str], words: list[str]
) -> None:
    check_refused(nas("reproduce", *options), *words)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_images_that_the_networks_do_not_fit_are_refused(nas: Run, tmp_path: Path) -> None:
    import numpy as np

    images, labels = np.zeros((20, 8, 8), np.uint8), np.arange(20) % 10
    np.savez(tmp_path / "small.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    check_refused(nas("reproduce", "A8", "--dataset", "npz:small.npz"), "1×28×28", "1×8×8")


# What is made of the figures ------------------------------------------------------------------------------------------


def reproduced(name: str, *histories: list[float]) -> Reproduced:
    """An iteration whose trainings gave these test accuracies."""
    iteration = documented.load(name)
    trained = tuple(
        Trained(
            Training(iteration.candidate, seed),
            tuple(EpochResult(i, 0.1, 0.9, 0.1, accuracy, 2.0) for i, accuracy in enumerate(history, start=1)),
            {},
        )
        for seed, history in enumerate(histories)
    )
    return Reproduced(iteration, trained)


def test_best_first_and_last_epochs() -> None:
    one = reproduced("B1", [0.97, 0.99, 0.98], [0.96, 0.97, 0.98])
    assert one.first.values == (0.97, 0.96)
    assert one.best.values == (0.99, 0.98)
    assert one.best_epochs == (2, 3)
    assert one.last.values == (0.98, 0.98)
    assert one.seconds.mean == 6.0


def test_met_is_within_or_below_two_standard_deviations() -> None:
    assert reproduced("B1", [0.9885], [0.9895]).met, "0.989 is the mean"
    assert reproduced("B1", [0.995], [0.9951]).met, "better than documented"
    assert not reproduced("B1", [0.985], [0.986]).met
    assert reproduced("B1", [0.98, 0.9885, 0.98], [0.98, 0.9895, 0.98]).met, "the best epochs count"
    assert reproduced("B1", [0.999]).met is None, "a single run has no spread"


fractions = st.lists(st.floats(0, 1), min_size=2, max_size=8)


@given(fractions)
def test_spread_is_mean_and_sample_deviation(values: list[float]) -> None:
    spread = Spread(tuple(values))
    assert spread.mean == pytest.approx(mean(values))
    assert spread.std == pytest.approx(stdev(values))
    assert spread.reached(spread.mean)
    assert spread.reached(0.0)
    assert spread.reached(spread.mean + 1.999 * stdev(values) - 1e-12)
    assert not spread.reached(spread.mean + 2.001 * stdev(values) + 1e-9)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=8))
def test_paired_difference_is_scipys(pairs: list[tuple[float, float]]) -> None:
    values, base = zip(*pairs, strict=True)
    difference = paired_difference(values, base)
    assert difference.mean == pytest.approx(mean(values) - mean(base), abs=1e-12)
    spread = [value - other for value, other in pairs]
    if stdev(spread) < 1e-9:
        return  # scipy warns of what cannot be told exactly
    wanted = ttest_rel(values, base).confidence_interval(0.95)
    assert difference.interval == pytest.approx((wanted.low, wanted.high), abs=1e-9)
    assert difference.shown == (wanted.low > 0 or wanted.high < 0)


def test_differences_are_shown_in_points_with_their_sign() -> None:
    difference = paired_difference([0.99, 0.98, 0.97], [0.98, 0.96, 0.97])
    assert difference.points() == "+1.00 (−1.48 to +3.48)"
    assert not difference.shown
    assert paired_difference([0.99], [0.99]).points() == "0.00"
