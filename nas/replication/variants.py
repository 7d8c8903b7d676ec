"""A candidate with one design axis changed, and all else kept: what an ablation compares."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nas.errors import InputError, nearest
from nas.network.architecture import Architecture
from nas.network.cost import Budget, cost_of
from nas.network.kinds import (
    Activation,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Conv,
    DepthwiseConv,
    Dropout,
    Dropout2d,
    Flatten,
    LayerSpec,
    Linear,
    MaxPool,
)
from nas.space.candidate import Candidate, widest
from nas.training.recipe import Augmentation

Layers = tuple[LayerSpec, ...]
Values = dict[str, Candidate]
BEHIND_A_CONV = (BatchNorm, Activation, MaxPool, AvgPool)  # what belongs to a convolution, in one order or another
BATCH_SIZES = (8, 16, 32, 48, 64, 128, 256, 512)
LR_FACTORS = (0.1, 0.25, 0.5, 2.0, 4.0, 10.0)
DROPOUT_RATES = (0.05, 0.1, 0.2)
WEIGHT_DECAYS = (0.0, 1e-5, 1e-4, 5e-4, 1e-3)
LABEL_SMOOTHINGS = (0.0, 0.05, 0.1)
WARMUPS = (0.0, 0.1, 0.2, 0.4)  # shares of the training
EMA_WINDOWS = (0.0, 0.25, 0.5, 1.0, 2.0)  # in epochs
AUGMENTATIONS = {
    "none": Augmentation(),
    "rotation 5°, translation 0.05": Augmentation(rotation=5, translation=0.05),
    "rotation 10°, translation 0.05": Augmentation(rotation=10, translation=0.05),
    "rotation 15°": Augmentation(rotation=15),
    "rotation 15°, centre crop": Augmentation(rotation=15, crop=22, crop_probability=0.1, crop_position="centre"),
    "rotation 15°, random crop": Augmentation(rotation=15, crop=22, crop_probability=0.1),
}


@dataclass(frozen=True)
class Variant:
    """A candidate with one value of the axis; the first one is the candidate as it was."""

    value: str
    candidate: Candidate


def variants(candidate: Candidate, axis: str) -> list[Variant]:
    """The candidate, and what it is with every other value of the axis."""
    if axis not in AXES:
        raise InputError(f"an axis must be one of {', '.join(AXES)}, but got {axis!r}{nearest(axis, tuple(AXES))}")
    same, others = "as it is", []
    for value, changed in AXES[axis](candidate).items():
        if changed.digest == candidate.digest:
            same = f"{value} (as it is)"
        else:
            others.append(Variant(value, changed))
    return [Variant(same, candidate), *others]


def select(all_variants: Sequence[Variant], values: Sequence[str]) -> list[Variant]:
    """The candidate as it was, and the variants of these values only; all of them if none is named."""
    names = tuple(variant.value for variant in all_variants[1:])
    for value in values:
        if value not in names:
            raise InputError(f"a value must be one of {'; '.join(names)}, but got {value!r}{nearest(value, names)}")
    return [all_variants[0], *(variant for variant in all_variants[1:] if not values or variant.value in values)]


def with_epochs(candidate: Candidate, epochs: int) -> Candidate:
    """The candidate trained for another number of epochs; step schedules take their steps in proportion."""
    recipe = candidate.recipe
    steps = max(1, round(recipe.step_epochs * epochs / recipe.epochs))
    return replace(candidate, recipe=replace(recipe, epochs=epochs, step_epochs=steps))


# The axes -------------------------------------------------------------------------------------------------------------


def _batch_norm_orders(candidate: Candidate) -> Values:
    """Batch norm before the pools, behind them, or nowhere; as it is now, with or without a learned scale and shift."""
    norms = [spec for spec in candidate.architecture.layers if isinstance(spec, BatchNorm)]
    norm = norms[0] if norms else BatchNorm()
    return {
        "before pooling": _with_layers(candidate, _with_norms(candidate, norm, behind_pools=False)),
        "after pooling": _with_layers(candidate, _with_norms(candidate, norm, behind_pools=True)),
        "none": _with_layers(candidate, _with_norms(candidate, None, behind_pools=False)),
    }


def _with_norms(candidate: Candidate, norm: BatchNorm | None, *, behind_pools: bool) -> Layers:
    """Every run of layers behind a convolution in the order of `search_spaces/documented.py`."""
    layers, rest = list[LayerSpec](), list(candidate.architecture.layers)
    while rest:
        spec = rest.pop(0)
        layers.append(spec)
        if not isinstance(spec, Conv | DepthwiseConv):
            continue
        run = list[LayerSpec]()
        while rest and isinstance(rest[0], BEHIND_A_CONV):
            run.append(rest.pop(0))
        functions = [each for each in run if isinstance(each, Activation)]
        pools = [each for each in run if isinstance(each, MaxPool | AvgPool)]
        norms = [norm] if norm is not None and functions else []
        layers += [*pools, *norms, *functions] if behind_pools else [*norms, *functions, *pools]
    return tuple(layers)


def _heads(candidate: Candidate) -> Values:
    """Global average pooling, 2×2 averages, or the whole map, at the parameters that the candidate has."""
    heads: Mapping[str, LayerSpec | None] = {"gap": AdaptiveAvgPool(1), "2×2": AdaptiveAvgPool(2), "fc": None}
    return {name: _with_pooling(candidate, pooling) for name, pooling in heads.items()}


def _with_pooling(candidate: Candidate, pooling: LayerSpec | None) -> Candidate:
    """What is flattened pooled otherwise; all channels are scaled so that the parameters are used up as before."""
    layers = [spec for spec in candidate.architecture.layers if not isinstance(spec, AdaptiveAvgPool)]
    if pooling is not None:
        layers.insert(_place_of_pooling(candidate.architecture.layers), pooling)
    changed = _with_layers(candidate, tuple(layers))
    if changed == candidate:
        return candidate
    budget = Budget(cost_of(candidate.architecture).params)
    architecture = widest(lambda factor: _scaled(changed.architecture, factor), budget)
    return replace(candidate, architecture=_filled(architecture, budget))


def _place_of_pooling(layers: Layers) -> int:
    for position, spec in enumerate(layers):
        if isinstance(spec, AdaptiveAvgPool | Flatten):
            return position
    raise InputError("an ablation of the head needs a network that is flattened, but this one is not")


def _scaled(architecture: Architecture, factor: float) -> Architecture:
    layers = (
        replace(spec, channels=max(1, round(spec.channels * factor))) if isinstance(spec, Conv) else spec
        for spec in architecture.layers
    )
    return replace(architecture, layers=tuple(layers))


def _filled(architecture: Architecture, budget: Budget) -> Architecture:
    """A channel more wherever the budget allows it, from the last convolution to the first."""
    for position in reversed(range(len(architecture.layers))):
        spec = architecture.layers[position]
        if not isinstance(spec, Conv):
            continue
        wider = replace(spec, channels=spec.channels + 1)
        layers = (*architecture.layers[:position], wider, *architecture.layers[position + 1 :])
        grown = replace(architecture, layers=layers)
        architecture = grown if budget.admits(cost_of(grown)) else architecture
    return architecture


def _dropouts(candidate: Candidate) -> Values:
    """No dropout, and the same rate wherever it stands now; behind each pool and before the last layer if nowhere."""
    placed = candidate.architecture.layers
    if not any(isinstance(spec, Dropout | Dropout2d) for spec in placed):
        placed = _with_places_for_dropout(placed)
    rates = {
        f"{rate:g} everywhere": _with_layers(
            candidate, tuple(replace(s, rate=rate) if isinstance(s, Dropout | Dropout2d) else s for s in placed)
        )
        for rate in DROPOUT_RATES
    }
    none = tuple(spec for spec in placed if not isinstance(spec, Dropout | Dropout2d))
    return {"none": _with_layers(candidate, none), **rates}


def _with_places_for_dropout(layers: Layers) -> Layers:
    last = max(i for i, spec in enumerate(layers) if isinstance(spec, Linear))
    placed, pooled = list[LayerSpec](), False
    for i, spec in enumerate(layers):
        if pooled and not isinstance(spec, BEHIND_A_CONV):
            placed.append(Dropout())
            pooled = False
        placed += [Dropout()] * (i == last)
        placed.append(spec)
        pooled = pooled or isinstance(spec, MaxPool | AvgPool)
    return tuple(placed)


def _optimizers(candidate: Candidate) -> Values:
    """The learning rate stays as it is."""
    changes: Mapping[str, Mapping[str, Any]] = {
        "SGD": {"optimizer": "sgd", "momentum": 0.0, "nesterov": False},
        "SGD, momentum 0.9": {"optimizer": "sgd", "momentum": 0.9, "nesterov": False},
        "SGD, Nesterov momentum 0.9": {"optimizer": "sgd", "momentum": 0.9, "nesterov": True},
        "Adam": {"optimizer": "adam"},
        **({"AdamW": {"optimizer": "adamw"}} if candidate.recipe.weight_decay else {}),  # without it Adam, again
        "NAdam": {"optimizer": "nadam"},
        "RMSprop": {"optimizer": "rmsprop", "momentum": 0.0},
        "Muon": {"optimizer": "muon", "momentum": 0.9, "nesterov": True},
    }
    return {name: _with_recipe(candidate, **change) for name, change in changes.items()}


def _learning_rates(candidate: Candidate) -> Values:
    rates = sorted(float(f"{candidate.recipe.lr * factor:.3g}") for factor in (*LR_FACTORS, 1.0))
    return {f"{rate:g}": _with_recipe(candidate, lr=rate) for rate in rates}


def _numbers(name: str, values: Sequence[float]) -> Callable[[Candidate], Values]:
    """Values of one of the recipe's numbers."""
    return lambda candidate: {f"{value:g}": _with_recipe(candidate, **{name: value}) for value in values}


def _warmups(candidate: Candidate) -> Values:
    """Shares of the training until the peak; where the rate has no peak it rises and falls in straight lines."""
    has_peak = candidate.recipe.schedule in ("onecycle", "cosine", "linear")
    schedule = candidate.recipe.schedule if has_peak else "linear"
    return {f"{share:g}": _with_recipe(candidate, warmup=share, schedule=schedule) for share in WARMUPS}


def _batch_sizes(candidate: Candidate) -> Values:
    """The learning rate stays as it is."""
    return {str(size): _with_recipe(candidate, batch_size=size) for size in BATCH_SIZES}


def _augmentations(candidate: Candidate) -> Values:
    return {name: _with_recipe(candidate, augmentation=each) for name, each in AUGMENTATIONS.items()}


AXES: Mapping[str, Callable[[Candidate], Values]] = {
    "batch-norm-order": _batch_norm_orders,
    "head": _heads,
    "dropout": _dropouts,
    "optimizer": _optimizers,
    "lr": _learning_rates,
    "batch-size": _batch_sizes,
    "weight-decay": _numbers("weight_decay", WEIGHT_DECAYS),
    "label-smoothing": _numbers("label_smoothing", LABEL_SMOOTHINGS),
    "warmup": _warmups,
    "ema": _numbers("ema", EMA_WINDOWS),
    "augmentation": _augmentations,
}


def _with_layers(candidate: Candidate, layers: Layers) -> Candidate:
    return replace(candidate, architecture=replace(candidate.architecture, layers=layers))


def _with_recipe(candidate: Candidate, **changes: Any) -> Candidate:
    return replace(candidate, recipe=replace(candidate.recipe, **changes))
