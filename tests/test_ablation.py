"""One axis changes and all else stays: of every documented iteration, and in real trainings."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest
from test_cli import check_refused

from nas.network.architecture import Architecture
from nas.network.cost import cost_of
from nas.network.kinds import AdaptiveAvgPool, BatchNorm, Conv, Dropout, Dropout2d, LayerSpec, MaxPool
from nas.replication.variants import AXES, variants, with_epochs
from nas.space import documented
from nas.space.candidate import Candidate

Run = Callable[..., subprocess.CompletedProcess[str]]
RECIPE_FIELDS = {
    "optimizer": {"optimizer", "momentum", "nesterov"},
    "lr": {"lr"},
    "batch-size": {"batch_size"},
    "weight-decay": {"weight_decay"},
    "label-smoothing": {"label_smoothing"},
    "warmup": {"warmup", "schedule"},
    "ema": {"ema"},
    "augmentation": {"augmentation"},
}
EVERY = [(name, axis) for name in documented.names() for axis in AXES]


def changed_fields(candidate: Candidate, base: Candidate) -> set[str]:
    names = (field.name for field in fields(base.recipe))
    return {name for name in names if getattr(candidate.recipe, name) != getattr(base.recipe, name)}


def without(architecture: Architecture, *kinds: type[LayerSpec]) -> list[LayerSpec]:
    return [spec for spec in architecture.layers if not isinstance(spec, kinds)]


@pytest.mark.parametrize(("name", "axis"), EVERY)
def test_one_axis_changes_and_all_else_stays(name: str, axis: str) -> None:
    base = documented.load(name).candidate
    first, *others = variants(base, axis)
    assert first.candidate == base
    assert len(others) >= 2
    assert len({variant.candidate.digest for variant in (first, *others)}) == len(others) + 1
    assert len({variant.value for variant in (first, *others)}) == len(others) + 1
    for variant in others:
        candidate = variant.candidate
        assert changed_fields(candidate, base) <= RECIPE_FIELDS.get(axis, set())
        check_layers(axis, candidate.architecture, base.architecture)


def check_layers(axis: str, changed: Architecture, base: Architecture) -> None:
    n_changed, n_base = cost_of(changed).params, cost_of(base).params
    match axis:
        case "batch-norm-order":
            assert Counter(without(changed, BatchNorm)) == Counter(without(base, BatchNorm))
            assert changed.walk[-1].input_shape == base.walk[-1].input_shape
        case "head":
            assert n_changed <= n_base
            assert n_changed == pytest.approx(n_base, rel=0.025), "at equal parameters, but for a channel more or less"
            kinds = [[type(spec) for spec in without(each, AdaptiveAvgPool)] for each in (changed, base)]
            assert kinds[0] == kinds[1]
        case "dropout":
            assert without(changed, Dropout, Dropout2d) == without(base, Dropout, Dropout2d)
            assert n_changed == n_base
        case _:
            assert changed == base


def test_batch_norm_order_is_what_the_documents_changed() -> None:
    """From A9 to A10 and back; and A9 and A10 without batch norm are A8."""
    a8, a9, a10 = (documented.load(name).candidate for name in ("A8", "A9", "A10"))
    for candidate in (a9, a10):
        found = {v.value.removesuffix(" (as it is)"): v.candidate for v in variants(candidate, "batch-norm-order")}
        assert found == {"before pooling": a9, "after pooling": a10, "none": a8}


def test_batch_norm_stands_where_it_is_said_to() -> None:
    for name in documented.names():
        for variant in variants(documented.load(name).candidate, "batch-norm-order"):
            layers = variant.candidate.architecture.layers
            before_pool = [a for a, b in pairwise(layers) if isinstance(b, MaxPool) and not isinstance(a, MaxPool)]
            if variant.value.startswith("after pooling"):
                assert all(isinstance(spec, Conv) for spec in before_pool)
            if variant.value.startswith("none"):
                assert not any(isinstance(spec, BatchNorm) for spec in layers)


def test_heads_are_what_they_are_said_to_be() -> None:
    for name in documented.names():
        for variant in variants(documented.load(name).candidate, "head"):
            sizes = [s.size for s in variant.candidate.architecture.layers if isinstance(s, AdaptiveAvgPool)]
            wanted = {"gap": [1], "2×2": [2], "fc": [], "as it is": [7]}
            assert sizes == wanted[variant.value.removesuffix(" (as it is)")]


def test_other_epochs_keep_the_shape_of_the_schedule() -> None:
    shorter = with_epochs(documented.load("B3").candidate, 4).recipe
    assert (shorter.epochs, shorter.step_epochs) == (4, 3)


@pytest.mark.slow
def test_values_are_trained_with_the_same_seeds_and_compared(nas: Run, tmp_path: Path) -> None:
    command = ("ablate", "A8", "--axis", "batch-size", "--value", "64", "--value", "512", "--seeds", "2")
    done = nas(*command, "--out", "sizes.v1", "--precision", "float32")
    assert done.returncode == 0, done.stderr
    data = json.loads((tmp_path / "sizes.v1.json").read_text())
    assert [each["value"] for each in data["values"]] == ["128 (as it is)", "64", "512"]
    base, smaller, _ = ([seed[-1] for seed in each["validation_accuracy"]] for each in data["values"])
    difference = sum(smaller) / 2 - sum(base) / 2
    (row,) = (line for line in (tmp_path / "sizes.v1.md").read_text().splitlines() if line.startswith("| 64 "))
    assert f"| {100 * difference:+.2f} |".replace("-", "−") in row, "two seeds have no interval"
    assert "No test image was looked at" in done.stdout

    # Another axis of the same candidate trains the candidate itself not again.
    n_kept = len(list((tmp_path / "runs" / "trainings").iterdir()))
    other = ("ablate", "A8", "--axis", "lr", "--value", "0.004", "--seeds", "2", "--precision", "float32")
    assert nas(*other).returncode == 0
    assert len(list((tmp_path / "runs" / "trainings").iterdir())) == n_kept + 2


@pytest.mark.slow
def test_validation_images_are_not_those_of_reproduction(nas: Run, tmp_path: Path) -> None:
    """The same candidate and seed, trained and measured on other parts, are another training."""
    assert nas("reproduce", "A8", "--seeds", "1").returncode == 0
    assert nas("ablate", "A8", "--axis", "lr", "--value", "0.004", "--seeds", "1").returncode == 0
    assert len(list((tmp_path / "runs" / "trainings").iterdir())) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["A8"], ["--axis"]),
        (["A8", "--axis", "batchsize"], ["axis", "batchsize", "did you mean 'batch-size'?"]),
        (["A8", "--axis", "lr", "--value", "3"], ["value", "0.004", "'3'"]),
        (["A8", "--axis", "lr", "--epochs", "0"], ["epochs", "above 0"]),
        (["C1", "--axis", "lr"], ["documented iteration", "C1"]),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    nas: Run, tmp_path: Path, options: list[str], words: list[str]
) -> None:
    check_refused(nas("ablate", *options), *words)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
