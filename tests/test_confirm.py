"""Confirming winners: real searches on few images, the race, and a test set that chooses nothing."""

import json
import os
import signal
import sqlite3
from dataclasses import asdict
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import numpy as np
import optuna
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from processes import is_alive, needs_proc, read_until, workers_of
from scipy.stats import kstest
from test_cli import check_refused

from nas import datasets
from nas.datasets.dataset import Dataset
from nas.network.build import Network
from nas.replication.confirming import FIRST_SEED, clearly_loses
from nas.study.confirmation import READING, Confirmed, Reading, confirmations, confirmed_table, last_race, readings
from nas.study.opening import find_study
from nas.study.record import ranked, record_of
from nas.study.storage import open_storage
from nas.training.run import TrainingRun, evaluate

TINY = ("--space", "tiny", "--epochs", "2", "--budget", "3k", "--pruner", "none")
FLOAT = ("--precision", "float32")


@pytest.fixture
def images(mnist: Dataset, tmp_path: Path) -> str:
    """600 images to train and validate on, 100 to test."""
    pixels, labels = mnist.images[:700, 0].numpy(), mnist.labels[:700].numpy()
    write(tmp_path / "some.npz", pixels, labels, labels[600:])
    return "npz:some.npz"


def write(path: Path, pixels: np.ndarray, labels: np.ndarray, test_labels: np.ndarray) -> None:
    np.savez(path, x_train=pixels[:600], y_train=labels[:600], x_test=pixels[600:], y_test=test_labels)


def study_of(folder: Path) -> optuna.Study:
    return find_study(open_storage(str(folder / "nas.db"), must_exist=True))


def copied(tmp_path: Path, folder: str) -> str:
    """The name of a copy of the study's database, in a folder of its own."""
    (tmp_path / folder).mkdir()
    copy = tmp_path / folder / "nas.db"
    with sqlite3.connect(tmp_path / "runs" / "nas.db") as ours, sqlite3.connect(copy) as other:
        ours.backup(other)
    return f"{folder}/nas.db"


def weights(folder: Path, found: Confirmed) -> dict[str, torch.Tensor]:
    (path,) = (folder / "checkpoints").rglob(found.weights)
    loaded: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["evaluated"]
    return loaded


def test_the_winner_is_trained_on_everything_and_tested_once_a_network(nas, tmp_path: Path, images: str) -> None:
    assert nas("search", *TINY, *FLOAT, "--trials", "3", "--dataset", images).returncode == 0
    done = nas("confirm", "--top", "2", "--seeds", "2", "--target", "0.5", *FLOAT)
    assert done.returncode == 0, done.stderr
    study = study_of(tmp_path / "runs")
    (found,) = confirmations(study)
    race = last_race(study)
    assert len(race) == 2
    assert [len(row.accuracies) for row in race] == [2, 2]
    assert found.trial == race[0].trial == max(race, key=lambda row: sum(row.accuracies)).trial
    assert len(readings(study)) == 2
    for text in ("Race", f"Confirmed: trial {found.trial}", "was read 2 times", found.accuracy.per_cent(), "50.00 %"):
        assert text in " ".join(done.stdout.split())

    # The same training by hand: all training images, the stored seed, tested after the last epoch.
    dataset = datasets.load(str(images).replace("npz:", f"npz:{tmp_path}/"))
    candidate = record_of(study.trials[found.trial]).candidate
    assert candidate is not None
    whole = datasets.everything(dataset)
    assert torch.equal(whole.train_images, dataset.images)
    run = TrainingRun(candidate.architecture, candidate.recipe, whole, seed=found.seeds[0], kernels="numba")
    list(run)
    stored = weights(tmp_path / "runs", found)
    assert all(torch.equal(stored[name], values) for name, values in run.evaluated_network.state_dict().items())
    network = Network(candidate.architecture, *datasets.normalisation(dataset.images))
    network.load_state_dict(stored)
    assert evaluate(network, *dataset.read_test())[1] == found.accuracy.values[0]
    assert [sum(row) for row in found.confusion] == (2 * torch.bincount(dataset.read_test()[1])).tolist()

    # It is handed over as confirmed, and can be trained again to the same digits.
    (model,) = (tmp_path / "runs").glob("*_confirmed.py")
    text = " ".join(model.read_text().split())
    assert f"{100 * found.accuracy.values[0]:.2f} % of 100 test images" in text
    assert found.accuracy.per_cent() in text
    assert "was read 2 times" in text
    script = model.with_suffix(".sh").read_text()
    assert "--confirmed" in script
    again = nas("retrain", "--trial", str(found.trial), "--confirmed")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "the same digits again: 2 epochs (accuracy, training loss, evaluation loss)" in again.stdout
    assert len(readings(study_of(tmp_path / "runs"))) == 2, "neither reads the test set"

    before = dict(study.user_attrs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dataset, "read_test", lambda self: pytest.fail("the test set is read, and nothing is left to do"))
        again = nas("confirm", "--top", "2", "--seeds", "2", *FLOAT, "--json")
    assert json.loads(again.stdout)["test_accuracy"] == list(found.accuracy.values)
    assert dict(study_of(tmp_path / "runs").user_attrs) == before, "nothing is read twice"
    assert nas("confirm", "--top", "2", "--seeds", "3", *FLOAT).returncode == 0
    again = study_of(tmp_path / "runs")
    same_winner = len(confirmations(again)) == 1  # one more seed may decide the race otherwise
    assert len(readings(again)) == (3 if same_winner else 2 + 3), "one reading a network"


@pytest.mark.slow
def test_after_a_confirmation_the_confirmed_network_is_exported_and_described_as_what_it_is(
    nas, tmp_path: Path, images: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert nas("search", *TINY, *FLOAT, "--trials", "2", "--dataset", images).returncode == 0
    # As if the better one had lost the race.
    monkeypatch.setattr(import_module("nas.replication.confirming"), "ranked", lambda study: ranked(study)[::-1])
    assert nas("confirm", "--top", "1", "--seeds", "1", *FLOAT).returncode == 0
    study = study_of(tmp_path / "runs")
    (found,), (winner, _) = confirmations(study), ranked(study)
    assert found.trial != winner.trial
    done = nas("export", "--out", "models", "--format", "py", "--format", "c")
    assert done.returncode == 0, done.stderr
    assert f"Trial {found.trial} was confirmed last" in done.stdout
    assert " % of 300 images that it was trained on right" in done.stdout
    (header,) = (tmp_path / "models").glob(f"*_trial_{found.trial}_confirmed.h")
    text = " ".join(header.read_text().replace("\n *", "").split())
    for words in (
        "Accuracy on 300 images that it was trained on: ",
        "Calibrated on 300 of the images it was trained on: ",  # the other half
        "None of the images above had a part in that",
        "What was tested is the trained network in float, not these whole numbers. Confirmed: ",
    ):
        assert words in text
    assert "validation" not in text

    done = nas("export", "--out", "models", "--trial", str(winner.trial))
    assert "confirmed" not in done.stdout
    (model,) = (tmp_path / "models").glob(f"*_trial_{winner.trial}.py")
    assert "This network was not tested." in " ".join(model.read_text().split())
    assert {path.stem for path in (tmp_path / "models").iterdir()} == {header.stem, model.stem}

    (weights,) = (tmp_path / "runs" / "checkpoints").rglob(found.weights)
    weights.write_bytes(weights.read_bytes()[:-1000])
    check_refused(nas("export", "--force"), found.weights, "damaged", "delete it", "nas confirm")
    check_refused(nas("confirm", "--top", "1", "--seeds", "1", *FLOAT), found.weights, "damaged", "delete it")
    weights.unlink()
    assert nas("confirm", "--top", "1", "--seeds", "1", *FLOAT).returncode == 0
    assert len(readings(study_of(tmp_path / "runs"))) == 1


@pytest.mark.slow
def test_the_test_set_chooses_nothing(nas, tmp_path: Path, images: str, mnist: Dataset) -> None:
    """With other test labels all is the same but the figures."""
    assert nas("search", *TINY, *FLOAT, "--trials", "3", "--dataset", images).returncode == 0
    outcomes = []
    for shift, folder in ((0, "one"), (1, "other")):
        database = copied(tmp_path, folder)
        pixels, labels = mnist.images[:700, 0].numpy(), mnist.labels[:700].numpy()
        write(tmp_path / "some.npz", pixels, labels, (labels[600:] + shift) % 10)
        done = nas("confirm", "--top", "2", "--seeds", "2", *FLOAT, "--storage", database)
        assert done.returncode == 0, done.stderr
        study = study_of(tmp_path / folder)
        (found,) = confirmations(study)
        outcomes.append((last_race(study), found, weights(tmp_path / folder, found)))
    (race, found, first), (other_race, other, second) = outcomes
    assert race == other_race
    assert (found.trial, found.seeds) == (other.trial, other.seeds)
    assert all(torch.equal(values, second[name]) for name, values in first.items())
    assert found.accuracy != other.accuracy


@pytest.mark.slow
@needs_proc
@pytest.mark.usefixtures("one_core")
def test_interrupted_it_goes_on_and_reads_the_test_set_no_more_often(
    start, nas, tmp_path: Path, few_images: str
) -> None:
    assert nas("search", *TINY[:2], "--epochs", "6", *TINY[4:], *FLOAT, "--trials", "1").returncode == 0
    command = ("confirm", "--top", "1", "--seeds", "2", "--workers", "1", *FLOAT)
    process = start(*command)
    read_until(process, "seed 2  epoch 2/6")
    workers = workers_of(process)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "The same command goes on" in output
    assert "Traceback" not in output
    assert not any(map(is_alive, workers))
    assert not readings(study_of(tmp_path / "runs")), "it was read before all were trained"
    done = nas(*command, "--json")
    assert done.returncode == 0, done.stderr
    assert "seed 1  epoch 6/6" in done.stderr
    assert len(readings(study_of(tmp_path / "runs"))) == 2


@pytest.mark.slow
@needs_proc
@pytest.mark.usefixtures("one_core")
def test_a_race_that_is_interrupted_ends_as_if_it_were_not(start, nas, tmp_path: Path, images: str) -> None:
    search = ("search", *TINY[:2], "--epochs", "6", *TINY[4:], *FLOAT, "--trials", "2", "--dataset", images)
    assert nas(*search).returncode == 0
    whole = copied(tmp_path, "whole")
    command = ("confirm", "--top", "2", "--seeds", "2", "--workers", "1", *FLOAT)
    process = start(*command)
    read_until(process, "(1 of 2 trainings done)")
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, "Race, seed 2" in output) == (130, False), output
    assert not last_race(study_of(tmp_path / "runs"))

    # A reading that was cut off is told, and the network reads again.
    cut_off = Reading("2026-01-01T00:00:00+00:00", "confirm", 0, FIRST_SEED, "some network", "some test set")
    study_of(tmp_path / "runs").set_user_attr(f"{READING}00000", asdict(cut_off))
    assert "was read 3 times in this study." in " ".join(nas(*command).stdout.split())
    assert nas(*command, "--storage", whole).returncode == 0
    found, uninterrupted = (study_of(tmp_path / folder) for folder in ("runs", "whole"))
    assert last_race(found) == last_race(uninterrupted)
    assert len(last_race(found)) == 2
    assert confirmations(found)[0].accuracy == confirmations(uninterrupted)[0].accuracy


def test_bad_input_is_one_line_and_reads_nothing(nas, tmp_path: Path, images: str, mnist: Dataset) -> None:
    check_refused(nas("confirm"), "database must exist", "nas search")
    assert nas("search", *TINY, "--trials", "1", "--dataset", images).returncode == 0
    check_refused(nas("confirm", "--seeds", "0"), "seeds", "above 0", "0")
    check_refused(nas("confirm", "--top", "0"), "top", "above 0", "0")
    check_refused(nas("confirm", "--study", "another"), "another")
    pixels, labels = mnist.images[:700, 0].numpy(), mnist.labels[:700].numpy()
    write(tmp_path / "some.npz", 255 - pixels, labels, labels[600:])
    check_refused(nas("confirm"), "has changed")
    np.savez(tmp_path / "some.npz", x_train=pixels[:600], y_train=labels[:600])
    check_refused(nas("confirm"), "test")
    assert not readings(study_of(tmp_path / "runs"))


def test_a_changed_test_set_is_read_again(nas, tmp_path: Path, images: str, mnist: Dataset) -> None:
    assert nas("search", *TINY, *FLOAT, "--trials", "1", "--dataset", images).returncode == 0
    assert nas("confirm", "--seeds", "2", *FLOAT).returncode == 0
    (before,) = confirmations(study_of(tmp_path / "runs"))
    pixels, labels = mnist.images[:700, 0].numpy(), mnist.labels[:700].numpy()
    write(tmp_path / "some.npz", pixels, labels, (labels[600:] + 1) % 10)
    done = nas("confirm", "--seeds", "2", *FLOAT)
    assert "was read 4 times in this study." in " ".join(done.stdout.split())
    (after,) = confirmations(study_of(tmp_path / "runs"))
    assert after.readings == tuple(readings(study_of(tmp_path / "runs"))[2:])
    assert after.accuracy != before.accuracy


@pytest.mark.slow
def test_of_the_networks_that_have_the_target_the_smallest_is_confirmed(nas, tmp_path: Path, images: str) -> None:
    smallest = (*TINY, *FLOAT, "--dataset", images, "--minimize", "params", "--target", "0.15", "--trials", "4")
    done = nas("search", *smallest, "--confirm", "--json", "--workers", "1")
    assert done.returncode == 0, done.stderr
    study = study_of(tmp_path / "runs")
    race, finalists = last_race(study), {record.trial: record for record in ranked(study)[:3]}
    assert len(race) > 1
    sizes = {
        row.trial: finalists[row.trial].cost.params for row in race if fmean(row.accuracies) >= 0.15 and not row.lost
    }
    assert sizes, "none has the target: the test needs another one"
    assert json.loads(done.stdout)["confirmed"]["trial"] == race[0].trial == min(sizes, key=lambda trial: sizes[trial])


def test_without_a_test_part_a_search_that_is_to_confirm_does_not_begin(nas, tmp_path: Path, mnist: Dataset) -> None:
    np.savez(tmp_path / "some.npz", x_train=mnist.images[:600, 0].numpy(), y_train=mnist.labels[:600].numpy())
    check_refused(nas("search", *TINY, "--dataset", "npz:some.npz", "--trials", "1", "--confirm"), "test")
    assert not (tmp_path / "runs").exists()


def test_a_search_can_confirm_at_its_end(nas, tmp_path: Path, images: str) -> None:
    done = nas("search", *TINY, *FLOAT, "--trials", "1", "--dataset", images, "--confirm", "--json", "--target", "0.01")
    assert done.returncode == 0, done.stderr
    (found,) = confirmations(study_of(tmp_path / "runs"))
    assert json.loads(done.stdout)["confirmed"]["test_accuracy"] == list(found.accuracy.values)
    assert len(found.seeds) == 5
    assert found.race == (), "one candidate has nobody to race"
    assert found._repr_html_().count("<table>") == 1


# Figures --------------------------------------------------------------------------------------------------------------

accuracies = st.lists(st.integers(9000, 9999).map(lambda n: n / 10_000), min_size=1, max_size=8)


@given(accuracies, st.data())
def test_only_who_loses_to_the_leader_again_and_again_is_out(own: list[float], data: st.DataObject) -> None:
    leaders = data.draw(st.lists(st.sampled_from(own), min_size=len(own), max_size=len(own)))
    out = clearly_loses(own, leaders, 10_000)
    assert not clearly_loses(own, own, 10_000)
    assert not (out and clearly_loses(leaders, own, 10_000))
    if len(own) < 4:
        assert not out
    better = [min(1.0, value + 0.0001 * (i + 1)) for i, value in enumerate(own)]
    assert clearly_loses(own, better, 10_000) == (len(own) >= 4)


@given(
    st.lists(st.tuples(st.integers(400, 490), st.integers(-2, 2)), min_size=4, max_size=8), st.sampled_from([500, 3000])
)
@example([(2477, -1), (2691, 1), (2959, 1), (2962, 1), (2970, 1), (2781, 1)], 3000)
def test_losses_of_as_many_images_are_ties(races: list[tuple[int, int]], n: int) -> None:
    """Fractions with the same difference differ in their last digit, and by chance: the verdict must not."""
    own, leaders = [own / n for own, _ in races], [(own + lost) / n for own, lost in races]
    plain = [0.5 for _ in races], [0.5 + lost / 1024 for _, lost in races]  # exact in binary
    assert clearly_loses(own, leaders, n) == clearly_loses(*plain, 1024)


@pytest.mark.parametrize("n", [1, 7, 1000, 10_000])
def test_who_has_the_target_to_the_image_has_not_lost_to_it(n: int) -> None:
    for target in (0.994, 0.9, 0.5, 1.0):
        needed = next(k for k in range(n + 1) if k / n >= target)
        assert not clearly_loses([needed / n] * 8, [target] * 8, n)
        assert clearly_loses([(needed - 1) / n] * 8, [target] * 8, n)


def confirmed(values: list[float]) -> Confirmed:
    found = tuple(Reading("", "confirm", 0, i, str(i), "set", 100, value, ((100,),)) for i, value in enumerate(values))
    return Confirmed(0, ("a",), found, 600, 2, {}, (0.9, 0.95))


def test_the_interval_and_the_chance_are_as_often_right_as_they_say() -> None:
    generator, n, mean, std = np.random.default_rng(0), 5, 0.994, 0.0005
    samples = [confirmed(list(row)) for row in generator.normal(mean, std, (3000, n))]
    ends = [found.interval for found in samples]
    covered = np.mean([end is not None and end[0] <= mean <= end[1] for end in ends])
    assert abs(covered - 0.95) < 0.016, "4 standard errors"
    # As a fresh training turns out, so often has one been at least as good: every chance comes up equally often.
    fresh = generator.normal(mean, std, len(samples))
    chances = [found.probability(value) for found, value in zip(samples, fresh, strict=True)]
    assert kstest(chances, "uniform").pvalue > 0.001


@settings(max_examples=30)
@given(accuracies.filter(lambda values: len(set(values)) > 1))
def test_the_chance_falls_with_the_target_and_is_even_at_the_mean(values: list[float]) -> None:
    found = confirmed(values)
    chances = [found.probability(target) for target in (0.5, 0.9, found.accuracy.mean, 0.99999, 1.5)]
    assert all(one is not None and other is not None and one >= other for one, other in pairwise(chances))
    assert chances[2] == pytest.approx(0.5)


@pytest.mark.parametrize("values", [[0.99], [0.99, 0.99]])
def test_one_training_or_equal_ones_have_neither_interval_nor_chance(values: list[float]) -> None:
    found = confirmed(values)
    assert found.interval is None
    assert found.probability(0.9) is None
    assert any("chance" in name and "unknown" in value for name, value in confirmed_table(found, 0.9).rows)


@given(accuracies)
def test_an_interval_lies_between_0_and_1(values: list[float]) -> None:
    low, high = confirmed([*values, 0.0, 1.0]).interval or (-1.0, 2.0)
    assert 0 <= low <= high <= 1
