"""Candidates for whole numbers: what training simulates is what the C computes, and what counts is what that has."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import torch
from frozen_models import TINY, with_other_numbers
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import architectures
from test_cli import check_refused
from test_export_c import needs_cc

from nas import Budget, Task, datasets
from nas.datasets.dataset import Dataset
from nas.datasets.splitting import Split
from nas.errors import InputError
from nas.export.c import refuses
from nas.export.c.learning import WholeNumbers, flash_of, whole_numbers_for
from nas.export.c.operations import Convolution
from nas.export.c.quantise import Normalisation, program_of
from nas.export.c.reference import _scaled
from nas.network.architecture import Architecture
from nas.network.blocks import Parallel, PReLU, Repeat, Residual, SqueezeExcite
from nas.network.build import Network
from nas.network.kinds import Activation, BatchNorm, Conv, DepthwiseConv, Dropout, MaxPool, gap_head
from nas.space import finding
from nas.space.probing import random_candidates
from nas.study.folders import DEFAULT_STORAGE
from nas.study.opening import find_study
from nas.study.status import command_for
from nas.study.storage import open_storage
from nas.study.terms import Terms
from nas.training.quantised import is_measured, is_simulated, n_last_epochs
from nas.training.recipe import Recipe
from nas.training.run import EpochResult, TrainingRun

Run = Callable[..., CompletedProcess[str]]
BLOCKS = Architecture(
    (3, 9, 9),
    4,
    (
        *(Conv(6, 3, padding=1), BatchNorm(), Dropout(0.3), Activation("silu")),
        Residual((Conv(6, 3, padding=1), BatchNorm(), Dropout(0.2), Activation(), Conv(6, 1), BatchNorm())),
        Residual((DepthwiseConv(3, 2, 1), BatchNorm(), PReLU(), Conv(8, 1), BatchNorm())),
        Repeat((DepthwiseConv(3, 1, 1), BatchNorm(), Conv(8, 1), BatchNorm(), Activation("hardswish")), 3),
        *(SqueezeExcite(2), Parallel(((Conv(4, 1), Activation()), (MaxPool(3, 1, 1),)))),
        *(BatchNorm(), *gap_head(4)),
    ),
)


def some_images(architecture: Architecture, seed: int, n: int = 48) -> Split:
    """Noise, normalised otherwise in each channel."""
    generator = torch.Generator().manual_seed(seed)
    channels = architecture.input_shape[0]
    images = torch.randint(0, 256, (n, *architecture.input_shape), generator=generator, dtype=torch.uint8)
    labels = torch.arange(n) % architecture.n_classes
    mean, std = (tuple(start + step * i for i in range(channels)) for start, step in ((0.2, 0.1), (0.3, 0.02)))
    return Split(images, labels, images, labels, mean, std, architecture.n_classes, architecture.input_shape)


@given(architectures(), st.integers(0, 99), st.sampled_from([8, 4]))
@example(BLOCKS, 0, 8)
@example(BLOCKS, 0, 4)
def test_what_is_simulated_is_what_c_computes_but_for_roundings(
    architecture: Architecture, seed: int, bits: int
) -> None:
    """It is nearer to that than the network in float, and nowhere off by more than a few levels."""
    if refuses(architecture) is not None:
        return
    data = some_images(architecture, seed)
    network = with_other_numbers(Network(architecture, data.mean, data.std), seed).eval()
    simulated = WholeNumbers(bits).simulation(architecture, network, data)
    with torch.no_grad():
        scores, in_float = simulated(data.train_images / 255), network(data.train_images)
    in_c = WholeNumbers(bits).scores(architecture, network, data, data.train_images)
    span = (in_float.max() - in_float.min()).item() + 1e-6
    assert (scores - in_c).abs().max() <= 0.02 * span
    assert (scores - in_c).abs().mean() <= (in_float - in_c).abs().mean() + 1e-4 * span


@given(architectures(), st.integers(0, 9))
@example(BLOCKS, 0)
def test_four_bits_are_half_of_the_bytes_of_weights(architecture: Architecture, seed: int) -> None:
    """Each weight of a layer is a number of 4 bits, two in a byte; what else there is in flash stays."""
    if refuses(architecture) is not None:
        return
    data = some_images(architecture, seed)
    network = with_other_numbers(Network(architecture, data.mean, data.std), seed).eval()
    normalisation = Normalisation(data.mean, data.std)
    eight = program_of(network, architecture, normalisation, data.calibration_images)
    four = program_of(network, architecture, normalisation, data.calibration_images, 4)
    n_weights = {array.name: array.n_bytes for array in eight.arrays if array.c_type == "int8_t"}
    stored = {array.name: array.values for array in four.arrays}
    for operation in chain.from_iterable(each.called for each in four.operations):
        if isinstance(operation, Convolution):
            packed, weights = stored[f"{operation.shared}_weights"], operation.weights.flatten().tolist()
            halves = [half - 8 for byte in packed for half in (int(byte) % 16, int(byte) // 16)]
            assert halves[: len(weights)] == weights
            assert len(halves) - len(weights) == len(weights) % 2
            assert max(map(abs, weights)) <= 7
    assert flash_of(architecture, data) == eight.flash
    assert flash_of(architecture, data, 4) == four.flash
    assert eight.flash - four.flash == sum(n // 2 for n in n_weights.values())


def test_gradients_reach_all_weights_and_dropout_drops() -> None:
    data = some_images(BLOCKS, 0)
    network = with_other_numbers(Network(BLOCKS, data.mean, data.std))
    simulated = WholeNumbers().simulation(BLOCKS, network, data)
    network.train()
    one, other = simulated(data.train_images / 255), simulated(data.train_images / 255)
    assert not torch.equal(one, other)
    one.square().sum().backward()
    for name, weights in network.named_parameters():
        assert weights.grad is not None, name
        assert weights.grad.isfinite().all(), name
        assert weights.grad.any(), name


@given(st.integers(-(2**30), 2**30), st.integers(0, 2**31 - 1), st.integers(1, 62))
@example(2**30, 2**31 - 1, 1)
@example(-3, 2**30, 31)
def test_a_factor_rounds_halves_up_whichever_way_it_is_computed(value: int, multiplier: int, shift: int) -> None:
    exact = (value * multiplier + 2 ** (shift - 1)) >> shift
    for largest in (abs(value), 2**60):  # the second one is computed in whole numbers in any case
        computed = _scaled(torch.tensor([value]).double(), multiplier, shift, largest)
        assert computed.clamp(-1000, 1000).item() == max(-1000, min(1000, exact))


@given(st.integers(1, 300))
def test_the_last_epochs_are_measured_and_one_before_them(epochs: int) -> None:
    recipe = Recipe(epochs=epochs, quantised=True)
    measured = [epoch for epoch in range(1, epochs + 1) if is_measured(recipe, epoch)]
    assert measured == list(range(epochs - n_last_epochs(recipe), epochs + 1)) or epochs == len(measured) == 1
    assert not any(is_measured(Recipe(epochs=epochs), epoch) for epoch in range(1, epochs + 1))
    assert n_last_epochs(recipe) <= epochs / 2


@given(st.lists(st.integers(-20, 20), max_size=6))
def test_once_too_much_is_lost_it_is_minded_to_the_end(losses: list[int]) -> None:
    """In images of 10,000: five are admitted."""
    history = [EpochResult(i, 0, 0, 0, 0.9, 0, None if i < 2 else 0.9 + n / 10_000) for i, n in enumerate(losses)]
    assert is_simulated([each.loss_of_whole_numbers for each in history], 0.00055) == any(n > 5 for n in losses[2:])


@pytest.fixture(scope="module")
def digits(mnist: Dataset) -> Split:
    whole = datasets.split(mnist)
    return Split(
        *(whole.train_images[:1500].clone(), whole.train_labels[:1500].clone()),
        *(whole.validation_images[:1000].clone(), whole.validation_labels[:1000].clone()),
        *(whole.mean, whole.std, 10, whole.image_shape),
    )


RECIPE = Recipe(epochs=5, batch_size=32, lr=0.02, ema=0.5, quantised=True)


TERMS = Terms("tiny", "digest", "mnist", "fingerprint", 9, 1, 0, 5, {"params": 900}, quantised=True)


def trained(data: Split, quantiser: WholeNumbers, architecture: Architecture = TINY) -> TrainingRun:
    run = TrainingRun(architecture, RECIPE, data, seed=4, quantiser=quantiser)
    list(run)
    return run


def test_training_for_few_bits_wins_back_what_they_cost(digits: Split) -> None:
    """With weights of 2 bits, -1, 0 and 1, so that a short training shows it."""
    after = trained(digits, WholeNumbers(2, most_loss=1.0)).history
    minded = trained(digits, WholeNumbers(2)).history
    n_before = RECIPE.epochs - n_last_epochs(RECIPE)
    assert [each.train_loss for each in after[:n_before]] == [each.train_loss for each in minded[:n_before]]
    assert [each.float_accuracy is None for each in after] == [True] * (n_before - 1) + [False] * (6 - n_before)
    last = after[-1]
    assert last.float_accuracy is not None
    assert last.float_accuracy - last.validation_accuracy > 0.05
    assert minded[-1].validation_accuracy > last.validation_accuracy + 0.05


def test_where_nothing_is_lost_the_training_is_that_in_float(digits: Split) -> None:
    plain = TrainingRun(TINY, Recipe(**{**vars(RECIPE), "quantised": False}), digits, seed=4)
    in_float, measured = list(plain), trained(digits, WholeNumbers(most_loss=1.0)).history
    assert [each.train_loss for each in in_float] == [each.train_loss for each in measured]
    assert in_float[-1].validation_accuracy == measured[-1].float_accuracy


def test_figures_are_those_of_the_whole_numbers_of_what_is_kept(digits: Split) -> None:
    run = trained(digits, WholeNumbers())
    scores = WholeNumbers().scores(TINY, run.evaluated_network, digits, digits.validation_images)
    n_correct = int((scores.argmax(1) == digits.validation_labels).sum())
    assert run.history[-1].validation_accuracy == n_correct / 1000


@pytest.mark.parametrize("n_epochs", range(1, RECIPE.epochs))
def test_a_run_that_is_gone_on_from_gives_the_same_digits(digits: Split, n_epochs: int) -> None:
    quantiser = WholeNumbers(4, most_loss=-1.0)
    first, second = (TrainingRun(TINY, RECIPE, digits, seed=4, quantiser=quantiser) for _ in range(2))
    for _ in range(n_epochs):
        next(first)
    second.load_state_dict(deepcopy(first.state_dict()))
    for one, other in zip(first, second, strict=True):
        assert {**vars(one), "seconds": 0} == {**vars(other), "seconds": 0}


def test_whole_numbers_without_somebody_who_computes_them_are_refused(digits: Split) -> None:
    with pytest.raises(InputError, match="needs somebody who computes them"):
        TrainingRun(TINY, RECIPE, digits, seed=0)
    assert "quantised" not in Recipe().to_dict()
    assert Recipe.from_dict(RECIPE.to_dict()) == RECIPE


def test_what_was_stored_before_there_were_four_bits_is_of_eight() -> None:
    """And is stored as it was: digests and studies stay."""
    assert Recipe.from_dict({"epochs": 3, "quantised": True}).weight_bits == 8
    assert "weight_bits" not in RECIPE.to_dict()
    four = replace(RECIPE, weight_bits=4)
    assert Recipe.from_dict(four.to_dict()) == four
    assert Recipe(weight_bits=4).effective() == Recipe().effective()
    assert [whole_numbers_for(each) for each in (RECIPE, four, Recipe())] == [WholeNumbers(8), WholeNumbers(4), None]
    stored = {
        name: value for name, value in vars(TERMS).items() if name not in ("weight_bits", "earlier_space_digests")
    }
    assert Terms(**stored) == TERMS
    assert TERMS.differences(stored) == []
    assert "weight_bits" not in TERMS.to_dict()
    assert replace(TERMS, weight_bits=4).differences(stored) == ["weight_bits 4 (the study has None)"]


@pytest.mark.parametrize("bits", [0, 2, 5, 16])
def test_a_recipe_has_weights_of_eight_bits_or_four(bits: int) -> None:
    with pytest.raises(InputError, match=f"weight_bits must be 8 or 4, but got {bits}"):
        Recipe(quantised=True, weight_bits=bits)


@pytest.mark.parametrize("name", ["micro", "blocks"])
def test_networks_of_shipped_spaces_are_simulated(name: str) -> None:
    task = Task((1, 28, 28), 10, 5, Budget(20_000))
    for candidate, _ in islice(random_candidates(finding.load(name), task, 0), 4):
        if refuses(candidate.architecture) is not None:
            continue
        data = some_images(candidate.architecture, 0, n=8)
        network = Network(candidate.architecture, data.mean, data.std)
        simulated = WholeNumbers().simulation(candidate.architecture, network, data)
        simulated(data.train_images / 255).square().sum().backward()
        assert all(weights.grad is not None for weights in network.parameters())


SEARCH = ("search", "--space", "tiny", "--budget", "2k", "--epochs", "2", "--trials", "1", "--workers", "1")
ASKED = (*SEARCH, "--pruner", "none", "--sampler", "random", "--quantised")


def in_prose(header: Path) -> str:
    """The comment of a C header in one line."""
    return " ".join(header.read_text().replace("\n *", " ").split())


def test_what_a_search_hands_over_says_what_the_c_has(nas: Run) -> None:
    done = nas(*ASKED, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["study"].endswith("-int8")
    best = found["best"][0]
    assert 0 <= best["float_accuracy"] <= 1
    per_cent = f"{100 * best['validation_accuracy']:.2f} %"
    model = Path(found["model"])
    assert f"Accuracy: {per_cent}" in model.read_text()
    assert f"{per_cent} as it is" in in_prose(model.with_suffix(".h"))
    again = nas("retrain", "--trial", str(best["trial"]))
    assert again.returncode == 0, again.stderr


@pytest.mark.slow
def test_what_is_confirmed_is_what_the_c_has(nas: Run) -> None:
    assert nas(*ASKED).returncode == 0
    done = nas("confirm", "--top", "1", "--seeds", "2", "--json")
    assert done.returncode == 0, done.stderr
    confirmed = json.loads(done.stdout)
    assert len(confirmed["float_test_accuracy"]) == 2
    text = " ".join(Path(confirmed["model"]).read_text().split())
    assert "in whole numbers of 8 bits, as the exported C computes:" in text

    # C is written only if its figure on these images is the one that was stored behind the last epoch.
    done = nas("export", "--format", "c", "--out", "c")
    assert done.returncode == 0, done.stderr
    assert "What was tested are these whole numbers." in in_prose(next(Path("c").glob("*.h")))
    again = nas("retrain", "--trial", str(confirmed["trial"]), "--confirmed")
    assert again.returncode == 0, again.stderr


SPACE = """
from nas import Activation, Architecture, Candidate, Conv, Flatten, GemPool, Linear, Recipe


def suggest(trial, task):
    width = trial.suggest_int("width", 1, 8)
    layers = (Conv(width), Activation(), GemPool(), Flatten(), Linear(task.n_classes))
    return Candidate(Architecture(task.image_shape, task.n_classes, layers), Recipe(epochs=task.epochs))
"""


def test_what_c_cannot_have_is_refused_before_it_is_trained(nas: Run, tmp_path: Path) -> None:
    (tmp_path / "space.py").write_text(SPACE)
    done = nas(*SEARCH, "--quantised", "--space", "space.py")
    check_refused(done, "none can", "gem")
    assert not list(tmp_path.rglob("*.pt"))


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (("--weight-bits", "4"), "weight-bits 4 is of a search in whole numbers, but got no --quantised"),
        (("--quantised", "--weight-bits", "5"), "weight-bits must be 8 or 4, but got 5"),
        (("--quantised", "--weight-bits", "many"), "many"),
    ],
)
def test_bits_that_cannot_be_are_refused(nas: Run, tmp_path: Path, asked: tuple[str, ...], reason: str) -> None:
    check_refused(nas(*SEARCH, *asked), reason)
    assert not list(tmp_path.rglob("*.db"))


@needs_cc
@pytest.mark.slow
def test_a_search_for_four_bits_ends_with_c_of_four_bits(nas: Run, few_images: str, tmp_path: Path) -> None:
    """From limits to what is handed over, and gone on with: nothing of it is of 8 bits."""
    few = ("--dataset", few_images, "--space", "tiny", "--epochs", "3", "--workers", "1", "--sampler", "random")
    limits = ("--budget", "2k", "--trials", "2", "--pruner", "none", "--for", "c", "--max-flash", "4k")
    done = nas("search", *few, *limits, "--quantised", "--weight-bits", "4", "--json", alone=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["study"].endswith("-int4")
    model, best = Path(found["model"]), found["best"][0]
    is_of_four_bits(model, best)
    check_refused(nas("search", *few, *limits, "--quantised", alone=True), "the limit is 4,000")  # 8 bits take more
    eight = (*limits[:-1], "6k", "--quantised", "--study", found["study"])
    check_refused(nas("search", *few, *eight, alone=True), "weight_bits 8 (the study has 4)")
    again = nas("search", "--study", found["study"], "--json", alone=True)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["best"][0] == best
    study = find_study(open_storage(DEFAULT_STORAGE), found["study"])
    assert "--quantised --weight-bits 4" in (command_for(study, DEFAULT_STORAGE) or "")

    done = nas("confirm", "--top", "1", "--seeds", "2", "--json", alone=True)
    assert done.returncode == 0, done.stderr
    confirmed = json.loads(done.stdout)
    is_of_four_bits(Path(confirmed["model"]), best)
    text = " ".join(Path(confirmed["model"]).read_text().split())
    assert "in whole numbers of 8 bits with weights of 4, as the exported C computes:" in text
    assert "accuracy in eight bits, weights in four" in Path(confirmed["model"]).with_suffix(".md").read_text()

    # C is written only if its figure on these images is the one that was stored behind the last epoch.
    done = nas("export", "--format", "c", "--out", "exported", alone=True)
    assert done.returncode == 0, done.stderr
    is_of_four_bits(next(Path("exported").glob("*.h")), best)
    again = nas("retrain", "--trial", str(best["trial"]), alone=True)
    assert again.returncode == 0, again.stderr
    report = nas("report", "--out", "report.md", alone=True)
    assert report.returncode == 0, report.stderr
    text = Path("report.md").read_text()
    assert "in whole numbers of 8 bits with weights of 4, as the exported C computes" in text


def is_of_four_bits(model: Path, best: dict[str, Any]) -> None:
    """The C beside a model; what it takes is what was told before it was trained."""
    header, text = in_prose(model.with_suffix(".h")), model.with_suffix(".c").read_text()
    assert "in whole numbers of 8 bits with weights of 4." in header
    assert "Weights are 4 bits, with one scale an output channel" in header
    assert "to the last bit" in header
    assert "int8_t fc1_weights" not in text.replace("uint8_t", "")
    assert f"{best['ram']:,} bytes of RAM" in header
    flash = int(re.findall(r"([\d,]+) bytes of flash", header)[0].replace(",", ""))
    assert abs(flash - best["flash"]) <= 256
    assert flash <= 4000


@pytest.mark.slow
def test_a_study_stays_one_in_eight_bits_or_in_float(nas: Run) -> None:
    assert nas(*ASKED, "--study", "one").returncode == 0
    assert (
        nas("search", "--study", "one", alone=True).returncode == 0
    )  # goes on with its options, which a flag is one of
    without = [each for each in ASKED if each != "--quantised"]
    check_refused(nas(*without, "--study", "one"), "quantised False (the study has True)")
