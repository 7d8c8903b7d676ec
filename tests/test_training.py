"""A training run on real images: it can stop and go on, repeats to the last digit, and follows its recipe."""

import io
import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from recipe_pairs import DIFFERENT, EQUAL
from torch import Tensor, nn

from nas import datasets
from nas.datasets.dataset import Dataset
from nas.datasets.splitting import Split
from nas.errors import InputError
from nas.network.architecture import Architecture
from nas.network.build import Network
from nas.network.kinds import (
    Activation,
    BatchNorm,
    Conv,
    Dropout,
    Dropout2d,
    Flatten,
    Linear,
    MaxPool,
    flatten_head,
    gap_head,
)
from nas.space.candidate import Candidate
from nas.training.device import Precision, resolve_device, resolve_precision
from nas.training.mix import mix
from nas.training.optimisers import make_optimizer, make_schedule, moving_average
from nas.training.recipe import Augmentation, Recipe
from nas.training.run import EVALUATION_BATCH, EpochResult, TrainingRun, evaluate, seeded

OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop", "nadam", "muon")
SCHEDULES = ("constant", "step", "onecycle", "cosine", "linear")
DROPOUT_SCHEDULES = ("constant", "rising", "falling")
N_TRAIN, N_VALIDATION = 320, 200

# With everything that has a state or draws: batch norm, dropout of both kinds.
NETWORK = Architecture(
    (1, 28, 28),
    10,
    (
        *(Conv(4, 5, stride=2), BatchNorm(), Activation(), MaxPool(), Dropout2d(0.2)),
        *(Conv(8, bias=False), BatchNorm(), Activation(), *gap_head(10, dropout=0.1)),
    ),
)
PLAIN = Architecture((1, 28, 28), 10, (Conv(4, 5, stride=4), Activation(), *flatten_head(10)))
LEARNER = Architecture(
    (1, 28, 28),
    10,
    (Conv(8, 5, 2), BatchNorm(), Activation(), MaxPool(), Conv(16), BatchNorm(), Activation(), *flatten_head(10)),
)


@pytest.fixture(scope="module")
def whole(mnist: Dataset) -> Split:
    return datasets.split(mnist)


@pytest.fixture(scope="module")
def data(whole: Split) -> Split:
    return part(whole, N_TRAIN, N_VALIDATION)


def part(split: Split, n_train: int, n_validation: int) -> Split:
    return replace(
        split,
        train_images=split.train_images[:n_train],
        train_labels=split.train_labels[:n_train],
        validation_images=split.validation_images[:n_validation],
        validation_labels=split.validation_labels[:n_validation],
    )


def digits(result: EpochResult) -> dict[str, Any]:
    """All that must repeat, which the time does not."""
    return {name: value for name, value in asdict(result).items() if name != "seconds"}


def history(run: TrainingRun) -> list[dict[str, Any]]:
    return [digits(result) for result in run.history]


def finished(recipe: Recipe, data: Split, architecture: Architecture = NETWORK, seed: int = 3) -> TrainingRun:
    with seeded(0, torch.device("cpu")):  # the same teacher each time
        teacher = Network(LEARNER, data.mean, data.std).eval() if recipe.teacher_weight > 0 else None
    run = TrainingRun(architecture, recipe, data, seed=seed, teacher=teacher)
    assert len(list(run)) == recipe.epochs
    return run


def tensors(state: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of nested state, with where it is."""
    if isinstance(state, dict):
        for key, value in state.items():
            yield from tensors(value, f"{path}/{key}")
    elif isinstance(state, list | tuple):
        for key, value in enumerate(state):
            yield from tensors(value, f"{path}/{key}")
    else:
        yield path, state


def assert_same_state(one: TrainingRun, other: TrainingRun) -> None:
    """Networks, averages, optimizers and schedules are equal in every digit."""
    leaves, other_leaves = (dict(tensors(run.state_dict())) for run in (one, other))
    assert leaves.keys() == other_leaves.keys()
    for path, value in leaves.items():
        if isinstance(value, Tensor):
            assert torch.equal(value, other_leaves[path]), path
        elif not path.endswith("/seconds"):
            assert value == other_leaves[path], path


# Stopping and going on ------------------------------------------------------------------------------------------------

BASE = Recipe(epochs=3, batch_size=64, lr=0.01)
AUGMENTATION = Augmentation(rotation=10, translation=0.1, scale=0.1, crop=22, crop_probability=0.5)
EVERY_AUGMENTATION = replace(
    AUGMENTATION,
    **{"elastic": 1.0, "flip": 0.5, "brightness": 0.2, "contrast": 0.2},
    **{"erasing": 0.2, "cutout": 8, "mixup": 0.2, "cutmix": 1.0},
)
RECIPES: dict[str, Recipe] = {
    **{f"optimizer {name}": replace(BASE, optimizer=name, weight_decay=0.01) for name in OPTIMIZERS},
    **{f"schedule {name}": replace(BASE, schedule=name, step_epochs=1) for name in SCHEDULES},
    **{f"one cycle of {name}": replace(BASE, optimizer=name, schedule="onecycle") for name in OPTIMIZERS},
    **{f"dropout {name}": replace(BASE, dropout_schedule=name) for name in DROPOUT_SCHEDULES},
    "without momentum": replace(BASE, momentum=0.0),
    "Nesterov": replace(BASE, nesterov=True),
    "decay of all": replace(BASE, weight_decay=0.1, decay_all=True),
    "label smoothing": replace(BASE, label_smoothing=0.1),
    "averaged over half an epoch": replace(BASE, ema=0.5),
    "averaged over two epochs": replace(BASE, ema=2.0),
    "augmentation": replace(BASE, augmentation=AUGMENTATION),
    "mixed labels": replace(BASE, label_smoothing=0.1, augmentation=Augmentation(mixup=0.4)),
    "everything of Muon": replace(
        BASE, optimizer="muon", nesterov=True, weight_decay=0.01, decay_all=True, schedule="cosine", ema=1.0
    ),
    "everything": replace(
        BASE,
        nesterov=True,
        weight_decay=0.01,
        schedule="linear",
        label_smoothing=0.1,
        ema=1.0,
        dropout_schedule="rising",
        augmentation=EVERY_AUGMENTATION,
    ),
}


def saved(run: TrainingRun) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(run.state_dict(), file)
    file.seek(0)
    return file


@pytest.mark.parametrize(("case", "precision"), [*((case, "float32") for case in RECIPES), ("everything", "bfloat16")])
def test_a_run_that_was_interrupted_gives_the_same_digits(case: str, precision: Precision, data: Split) -> None:
    recipe = RECIPES[case]

    def new() -> TrainingRun:
        return TrainingRun(NETWORK, recipe, data, seed=3, precision=precision)

    uninterrupted, stopping = new(), new()
    list(uninterrupted)
    for epoch in range(recipe.epochs + 1):
        continued = new()
        continued.load_state_dict(torch.load(saved(stopping), weights_only=True))
        assert [result.epoch for result in continued] == list(range(epoch + 1, recipe.epochs + 1))
        assert history(continued) == history(uninterrupted)
        assert_same_state(continued, uninterrupted)
        next(stopping, None)
    assert_same_state(stopping, uninterrupted)
    losses = [result.train_loss for result in uninterrupted.history]
    assert len(set(losses)) == 3, "it trained"


def test_a_run_ends_after_its_epochs(data: Split) -> None:
    run = TrainingRun(NETWORK, BASE, data, seed=0)
    results = []
    while not run.finished:
        results.append(next(run))
    assert [result.epoch for result in results] == [1, 2, 3]
    assert results == run.history
    assert all(result.seconds > 0 for result in results)
    with pytest.raises(StopIteration):
        next(run)
    assert len(run.history) == 3


# Repeating ------------------------------------------------------------------------------------------------------------


def test_the_seed_decides_every_digit_and_nothing_else_does(data: Split) -> None:
    recipe = RECIPES["everything"]
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = finished(recipe, data)
    assert torch.equal(torch.get_rng_state(), before), "the global generator is as it was"
    torch.manual_seed(2)
    other = finished(recipe, data)
    assert history(one) == history(other)
    assert_same_state(one, other)
    third = finished(recipe, data, seed=4)
    assert all(a["train_loss"] != b["train_loss"] for a, b in zip(history(one), history(third), strict=True))


def test_initial_weights_differ_by_seed(data: Split) -> None:
    networks = [TrainingRun(NETWORK, BASE, data, seed=seed).network for seed in (0, 0, 1)]
    first, again, other = (network.state_dict()["conv1.weight"] for network in networks)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("case", EQUAL)
def test_equal_digests_train_equally(case: str, data: Split) -> None:
    one, other = EQUAL[case]
    assert Candidate(NETWORK, one).digest == Candidate(NETWORK, other).digest
    assert history(finished(one, data)) == history(finished(other, data))


@pytest.mark.parametrize("case", DIFFERENT)
def test_different_digests_train_differently(case: str, data: Split) -> None:
    one, other = DIFFERENT[case]
    assert Candidate(NETWORK, one).digest != Candidate(NETWORK, other).digest
    assert history(finished(one, data)) != history(finished(other, data))


def test_a_dropout_schedule_without_dropout_trains_equally(data: Split) -> None:
    layers = (Conv(4, 5, stride=4), Activation(), Dropout(0.0), Flatten(), Linear(10))
    candidates = [
        Candidate(Architecture((1, 28, 28), 10, layers), replace(BASE, dropout_schedule=schedule))
        for schedule in DROPOUT_SCHEDULES
    ]
    assert len({candidate.digest for candidate in candidates}) == 1
    runs = [history(finished(candidate.recipe, data, candidate.architecture)) for candidate in candidates]
    assert runs[0] == runs[1] == runs[2]


# An epoch -------------------------------------------------------------------------------------------------------------


def seen_images(run: TrainingRun) -> list[Tensor]:
    """What the network is given while it trains, one batch after the other."""
    batches: list[Tensor] = []

    def record(network: nn.Module, inputs: tuple[Tensor]) -> None:
        if network.training:
            batches.append(inputs[0].clone())

    run.network.register_forward_pre_hook(record)
    return batches


def test_every_epoch_is_all_images_in_another_order(data: Split) -> None:
    run = TrainingRun(NETWORK, replace(BASE, batch_size=100), data, seed=0)
    batches = seen_images(run)
    orders = []
    for _ in range(2):
        batches.clear()
        next(run)
        assert [len(batch) for batch in batches] == [100, 100, 100, 20]
        images = (torch.cat(batches) * 255).round().to(torch.uint8)
        rows = [bytes(image.flatten().tolist()) for image in images]
        assert sorted(rows) == sorted(bytes(image.flatten().tolist()) for image in data.train_images)
        orders.append(rows)
    assert orders[0] != orders[1]


@pytest.mark.parametrize(
    ("n", "batch_size", "sizes"),
    [
        *[(129, 64, [64, 64]), (130, 64, [64, 64, 2]), (64, 64, [64]), (50, 512, [50])],
        *[(33, 8, [8] * 4), (34, 8, [8] * 4 + [2]), (7, 8, [7]), (5, 2, [2, 2])],
    ],
)
def test_a_last_batch_of_one_image_is_left_out(
    n: int, batch_size: int, sizes: list[int], data: Split, whole: Split
) -> None:
    run = TrainingRun(NETWORK, replace(BASE, epochs=1, batch_size=batch_size), part(whole, n, 50), seed=0)
    batches = seen_images(run)
    assert len(list(run)) == 1
    assert [len(batch) for batch in batches] == sizes
    assert run.n_batches == len(sizes)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_training_figures_are_those_of_the_training_images(smoothing: float, data: Split) -> None:
    """At a rate that changes nothing, and without anything that differs between training and evaluation."""
    recipe = replace(BASE, epochs=1, batch_size=48, lr=1e-20, momentum=0.0, label_smoothing=smoothing)
    run = finished(recipe, data, PLAIN)
    with torch.no_grad():
        scores = run.network(data.train_images)
    loss = F.cross_entropy(scores, data.train_labels, label_smoothing=smoothing).item()
    assert run.history[0].train_loss == pytest.approx(loss, rel=1e-5)
    assert run.history[0].train_accuracy == (scores.argmax(1) == data.train_labels).double().mean().item()


def test_augmentation_is_of_training_images_only(data: Split) -> None:
    recipe = replace(BASE, epochs=1, lr=1e-20, momentum=0.0, augmentation=AUGMENTATION)
    changed, plain = finished(recipe, data, PLAIN), finished(replace(recipe, augmentation=Augmentation()), data, PLAIN)
    assert changed.history[0].train_loss != plain.history[0].train_loss
    assert changed.history[0].validation_loss == plain.history[0].validation_loss


@pytest.mark.parametrize(
    ("schedule", "factors"), [("constant", [1, 1, 1]), ("rising", [0, 0.5, 1]), ("falling", [1, 0.5, 0])]
)
def test_dropout_follows_its_schedule(schedule: Any, factors: list[float], data: Split) -> None:
    run = TrainingRun(NETWORK, replace(BASE, dropout_schedule=schedule), data, seed=0)
    seen: list[tuple[float, float]] = []

    def record(network: nn.Module, inputs: Any) -> None:
        if network.training:
            seen.append((run.network.get_submodule("dropout1").p, run.network.get_submodule("dropout2").p))

    run.network.register_forward_pre_hook(record)
    list(run)
    expected = [(0.2 * factor, 0.1 * factor) for factor in factors for _ in range(run.n_batches)]
    assert seen == [pytest.approx(rates) for rates in expected]


# Learning rates -------------------------------------------------------------------------------------------------------

N_BATCHES, PEAK = 40, 0.2


def rates(recipe: Recipe, n_batches: int = N_BATCHES) -> Tensor:
    """The learning rate of each step, read where the optimizer reads it."""
    optimizer = make_optimizer(Network(PLAIN, [0.1], [0.3]), recipe)
    schedule = make_schedule(optimizer, recipe, n_batches)
    values = []
    for _ in range(recipe.epochs * n_batches):
        (rate,) = {group["lr"] for group in optimizer.param_groups}  # the same for all parameters
        values.append(rate)
        optimizer.step()
        schedule.step()
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_constant_rate(optimizer: Any) -> None:
    recipe = Recipe(epochs=3, lr=PEAK, optimizer=optimizer, schedule="constant")
    assert rates(recipe).unique().tolist() == [PEAK]


@pytest.mark.parametrize("factor", [0.1, 0.5, 0.0])
def test_steps(factor: float) -> None:
    values = rates(Recipe(epochs=8, lr=PEAK, schedule="step", step_epochs=3, step_factor=factor))
    expected = [PEAK * factor ** (step // (3 * N_BATCHES)) for step in range(8 * N_BATCHES)]
    assert values.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["linear", "cosine", "onecycle"])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.2, 0.5])
def test_a_schedule_with_a_peak(schedule: Any, warmup: float) -> None:
    values = rates(Recipe(epochs=10, lr=PEAK, schedule=schedule, warmup=warmup))
    n = len(values)
    top = int(values.argmax())
    assert values.max().item() == pytest.approx(PEAK, rel=1e-4)  # one cycle's peak lies between two steps
    assert top == pytest.approx(warmup * n, abs=1)
    assert (values[:top].diff() > 0).all(), "rises to the peak"
    assert (values[top:].diff() < 0).all(), "falls from the peak"
    assert values.min() > 0
    assert values[-1].item() < 0.01 * PEAK
    assert warmup == 0 or values[0].item() < 0.05 * PEAK


def test_lines_are_straight_and_cosines_round() -> None:
    n, top = 10 * N_BATCHES, 2 * N_BATCHES
    linear, cosine, cycle = (
        rates(Recipe(epochs=10, lr=PEAK, schedule=schedule, warmup=0.2))
        for schedule in ("linear", "cosine", "onecycle")
    )
    for line in (linear[: top + 1], linear[top:], cosine[: top + 1]):
        assert line.diff().diff().abs().max().item() < 1e-9
    share = torch.arange(n - top, dtype=torch.float64) / (n - top)
    torch.testing.assert_close(cosine[top:], PEAK * (1 + (math.pi * share).cos()) / 2, rtol=0, atol=1e-7)
    # Smith and Topin 2018, as torch has it: cosines from a 25th of the peak up and to a 10,000th of that down.
    bottom, end = PEAK / 25, PEAK / 25 / 1e4
    rising = torch.arange(top, dtype=torch.float64) / top
    up = bottom + (PEAK - bottom) * (1 - (math.pi * rising).cos()) / 2
    down = end + (PEAK - end) * (1 + (math.pi * share).cos()) / 2
    torch.testing.assert_close(cycle, torch.cat([up, down]), rtol=0, atol=0.015 * PEAK)
    assert cycle[0].item() == pytest.approx(bottom)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup", [0.0, 0.2, 0.9])
def test_a_run_follows_the_schedule(schedule: Any, warmup: float, data: Split) -> None:
    recipe = replace(BASE, epochs=4, schedule=schedule, warmup=warmup, step_epochs=2)
    run = TrainingRun(PLAIN, recipe, data, seed=0)
    expected = rates(recipe, run.n_batches)
    used: list[float] = []
    run.optimizer.register_step_pre_hook(lambda optimizer, *_: used.append(optimizer.param_groups[0]["lr"]))
    list(run)
    assert used == expected.tolist()


@pytest.mark.parametrize(
    "schedule",
    [
        "linear",
        "cosine",
        "onecycle",
    ],
)
def test_every_schedule_can_be_as_short_as_it_likes(schedule: Any) -> None:
    for n_epochs in (1, 2, 3):
        for n_batches in range(1, 11):
            for warmup in (0.0, 0.1, 0.2, 0.25, 0.5, 0.99):
                values = rates(Recipe(epochs=n_epochs, lr=PEAK, schedule=schedule, warmup=warmup), n_batches)
                assert values.min() > 0
                assert values.max() <= PEAK * (1 + 1e-9)


# Weight decay ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("decay_all", [False, True])
def test_weight_decay_spares_biases_and_batch_norm_unless_asked(optimizer: Any, decay_all: bool) -> None:
    """Without any gradient, only decay changes a weight: towards 0."""
    network = Network(NETWORK, [0.1], [0.3])
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(0.5)
    recipe = Recipe(optimizer=optimizer, lr=0.01, weight_decay=0.1, decay_all=decay_all)
    optimizing = make_optimizer(network, recipe)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizing.step()
    shrunk = {name for name, parameter in network.named_parameters() if (parameter < 0.5).all()}
    weights = {"conv1.weight", "conv2.weight", "fc1.weight"}
    spared = {"conv1.bias", "norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias", "fc1.bias"}
    assert shrunk == (weights | spared if decay_all else weights)
    kept = {name for name, parameter in network.named_parameters() if (parameter == 0.5).all()}
    assert kept == (set() if decay_all else spared)


def test_sgd_decays_by_rate_times_decay_and_steps_against_the_gradient() -> None:
    network = Network(PLAIN, [0.1], [0.3])
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    optimizer = make_optimizer(network, Recipe(optimizer="sgd", lr=0.1, momentum=0.5, weight_decay=0.01))
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    weight = before["fc1.weight"]
    torch.testing.assert_close(network.get_parameter("fc1.weight"), weight - 0.1 * (1 + 0.01 * weight))
    torch.testing.assert_close(network.get_parameter("fc1.bias"), before["fc1.bias"] - 0.1)


@pytest.mark.parametrize(
    ("recipe", "kind", "options"),
    [
        (Recipe(optimizer="sgd", momentum=0.7, nesterov=True), torch.optim.SGD, {"momentum": 0.7, "nesterov": True}),
        (Recipe(optimizer="sgd", momentum=0.0), torch.optim.SGD, {"momentum": 0.0, "nesterov": False}),
        (Recipe(optimizer="adam"), torch.optim.Adam, {"betas": (0.9, 0.999)}),
        (Recipe(optimizer="adamw"), torch.optim.AdamW, {"betas": (0.9, 0.999)}),
        (Recipe(optimizer="nadam"), torch.optim.NAdam, {"betas": (0.9, 0.999), "decoupled_weight_decay": False}),
        (Recipe(optimizer="rmsprop", momentum=0.7), torch.optim.RMSprop, {"momentum": 0.7}),
    ],
)
def test_optimizers_are_torchs(recipe: Recipe, kind: type, options: dict[str, Any]) -> None:
    optimizer = make_optimizer(Network(NETWORK, [0.1], [0.3]), recipe)
    assert type(optimizer) is kind
    for group in optimizer.param_groups:
        assert group | options == group
        assert group["lr"] == recipe.lr


# Averaged weights -----------------------------------------------------------------------------------------------------


def naive_average(weights: list[Tensor], window: float) -> Tensor:
    """In float64: the first as it is, then decay × average + (1 - decay) × weight with the documented decay."""
    average = weights[0].double()
    for n, weight in enumerate(weights[1:], start=1):
        decay = min(1 - 1 / window, (1 + n) / (10 + n))
        average = decay * average + (1 - decay) * weight.double()
    return average


@pytest.mark.parametrize("window", [1.0, 3.0, 50.0])
def test_a_moving_average_is_the_naive_one(window: float) -> None:
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(4, 3, generator=generator) for _ in range(100)]
    average = [weights[0].clone()]
    for n, weight in enumerate(weights[1:], start=1):
        moving_average(window)(average, [weight], torch.tensor(n))
    torch.testing.assert_close(average[0].double(), naive_average(weights, window), rtol=0, atol=1e-5)
    if window == 1.0:
        torch.testing.assert_close(average[0], weights[-1])


def test_a_run_averages_over_its_window_and_evaluates_the_average(data: Split) -> None:
    recipe = replace(BASE, ema=0.8)
    run = TrainingRun(NETWORK, recipe, data, seed=0)
    steps: list[dict[str, Tensor]] = []

    def record(*_: Any) -> None:
        steps.append({name: value.clone() for name, value in run.network.state_dict().items()})

    run.optimizer.register_step_post_hook(record)
    result = list(run)[-1]
    assert len(steps) == 3 * run.n_batches == 15
    averaged = run.evaluated_network
    assert averaged is not run.network
    for name, value in averaged.state_dict().items():
        if value.is_floating_point():  # batch norm's statistics, too
            expected = naive_average([step[name] for step in steps], 0.8 * run.n_batches)
            torch.testing.assert_close(value.double(), expected, rtol=0, atol=1e-5)
            assert not torch.equal(value, run.network.state_dict()[name])
    figures = evaluate(averaged, data.validation_images, data.validation_labels)
    assert (result.validation_loss, result.validation_accuracy) == figures
    assert figures != evaluate(run.network, data.validation_images, data.validation_labels)


def test_without_averaging_the_network_itself_is_evaluated(data: Split) -> None:
    run = finished(BASE, data)
    assert run.evaluated_network is run.network
    figures = evaluate(run.network, data.validation_images, data.validation_labels)
    assert (run.history[-1].validation_loss, run.history[-1].validation_accuracy) == figures


# Evaluation -----------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_evaluation_is_a_naive_loop_over_the_images(whole: Split) -> None:
    n = EVALUATION_BATCH + 234
    images, labels = whole.validation_images[:n], whole.validation_labels[:n]
    network = TrainingRun(NETWORK, BASE, part(whole, 64, 1), seed=0).network
    with torch.random.fork_rng():
        network.train()(images[:500])  # so that batch norm's statistics are of images
    loss, accuracy = evaluate(network, images, labels)
    losses, correct = [], []
    for image, label in zip(images, labels.tolist(), strict=True):
        scores = network.eval()(image.unsqueeze(0).float() / 255)[0].double()
        losses.append((scores.exp().sum().log() - scores[label]).item())
        correct.append(scores.argmax().item() == label)
    assert loss == pytest.approx(sum(losses) / n, rel=1e-5)
    assert accuracy == sum(correct) / n


def test_evaluation_is_in_float32_whatever_the_training_is(data: Split) -> None:
    run = TrainingRun(NETWORK, replace(BASE, epochs=1), data, seed=0, precision="bfloat16")
    seen: set[tuple[bool, torch.dtype]] = set()
    run.network.get_submodule("conv2").register_forward_hook(
        lambda module, inputs, output: seen.add((module.training, output.dtype))
    )
    list(run)
    assert seen == {(True, torch.bfloat16), (False, torch.float32)}
    assert {parameter.dtype for parameter in run.network.parameters()} == {torch.float32}


# Learning -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_learns(precision: Precision, whole: Split) -> None:
    recipe = Recipe(epochs=1, batch_size=32, lr=0.05, nesterov=True, schedule="linear")
    run = TrainingRun(LEARNER, recipe, part(whole, 2000, 1000), seed=0, precision=precision)
    (result,) = list(run)
    assert result.validation_accuracy > 0.8
    assert result.train_accuracy > 0.6


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns(optimizer: Any, data: Split) -> None:
    lr = {"sgd": 0.02, "rmsprop": 0.001}.get(optimizer, 0.005)
    losses = [r.train_loss for r in finished(replace(BASE, epochs=5, optimizer=optimizer, lr=lr), data, PLAIN).history]
    assert all(later < earlier for earlier, later in pairwise(losses))
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("kernels", ["torch", "numba"])
@pytest.mark.parametrize("batch_size", [2, 8])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_small_batches_train(batch_size: int, schedule: Any, kernels: Any, whole: Split) -> None:
    """Beside a last batch of one image, which is left out, and with everything that looks at several images at once."""
    recipe = replace(RECIPES["everything"], batch_size=batch_size, schedule=schedule, epochs=2, step_epochs=1)
    run = TrainingRun(LEARNER, recipe, part(whole, 8 * 5 + 1, 50), seed=0, kernels=kernels)
    results = list(run)
    assert run.n_batches == 40 // batch_size
    assert run.schedule.last_epoch == 2 * run.n_batches
    assert all(math.isfinite(result.train_loss + result.validation_loss) for result in results)


def test_labels_are_mixed_as_their_images_are(data: Split) -> None:
    """At a rate that changes nothing: figures are those of the mixed images, drawn here once more."""
    mixing = Augmentation(mixup=1.0, cutmix=1.0)
    run = TrainingRun(PLAIN, replace(BASE, epochs=1, lr=1e-20, momentum=0.0, augmentation=mixing), data, seed=0)
    (result,) = list(run)
    source = torch.Generator().manual_seed(0)
    loss, n_correct = 0.0, 0
    for batch in torch.randperm(N_TRAIN, generator=source).split(64):
        images, targets = mix(data.train_images[batch] / 255, data.train_labels[batch], mixing, source)
        assert targets.others is not None
        assert targets.shares is not None
        with torch.no_grad():
            scores = run.network(images)
        for labels, shares in ((targets.labels, targets.shares), (targets.others, 1 - targets.shares)):
            loss += (shares * F.cross_entropy(scores, labels, reduction="none")).sum().item()
            n_correct += int((scores.argmax(1)[shares > 0.5] == labels[shares > 0.5]).sum())
        n_correct += int((scores.argmax(1) == targets.labels)[targets.shares == 0.5].sum())
    assert result.train_loss == pytest.approx(loss / N_TRAIN, rel=1e-5)
    assert result.train_accuracy == n_correct / N_TRAIN


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("ema", [0.0, 1.0])
def test_what_diverges_gives_figures_and_no_exception(optimizer: Any, ema: float, data: Split) -> None:
    run = finished(replace(BASE, optimizer=optimizer, lr=1e38, ema=ema), data)
    assert not math.isfinite(run.history[-1].train_loss + run.history[-1].validation_loss)
    assert all(0 <= result.validation_accuracy <= 1 for result in run.history)


# Where and how --------------------------------------------------------------------------------------------------------


def test_devices_and_precisions_are_checked() -> None:
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    for wrong in ("gpu", "", "cpu:x", "meta"):
        with pytest.raises(InputError, match="device must be"):
            resolve_device(wrong)
    assert resolve_precision("float32", "cpu") == "float32"
    assert resolve_precision("bfloat16", "cpu") == "bfloat16"
    assert resolve_precision("auto", "cpu") in ("float32", "bfloat16")
    for wrong in ("float16", "", "FLOAT32"):
        with pytest.raises(InputError, match="precision must be"):
            resolve_precision(wrong, "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said() -> None:
    with pytest.raises(InputError, match="--device cpu"):
        resolve_device("cuda")
