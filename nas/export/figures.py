"""The figures of a model card: what a network takes, and how good it is, each with how that is known."""

import re
from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from typing import NamedTuple

from nas.export.frozen import FrozenModel
from nas.export.words import measured_images
from nas.network.cost import COSTS, CostKind, cost_of
from nas.table import Table, per_cent
from nas.training.recipe import Recipe

TITLE = "What it takes, and how good it is"
COLUMNS = ("figure", "value", "how that is known")
IN_FLOAT = "accuracy in float"
IN_BITS = {8: "accuracy in eight bits", 4: "accuracy in eight bits, weights in four"}
ACCURACIES = tuple(f"{of}{each}" for of in ("test ", "", "training ") for each in (IN_FLOAT, *IN_BITS.values()))
ORDER = (*(kind.label for kind in COSTS.values()), *ACCURACIES)
QUANTILE = 1.959964  # of the normal distribution, for 95 %


class Figure(NamedTuple):
    """One row."""

    label: str
    value: str
    how: str


def figures_of(model: FrozenModel) -> list[Figure]:
    """What is known of a model whatever it is exported as: what was counted, and what its search found out."""
    cost = cost_of(model.architecture)
    counted = [figure(COSTS[name], number, "counted") for name, number in cost.items()]
    accuracy = model.provenance.validation_accuracy, model.provenance.n_correct
    return [*counted, *(Figure(*each) for each in model.further), of_accuracy(IN_FLOAT, model, accuracy[1])]


def figure(kind: CostKind, number: float, how: str) -> Figure:
    """A cost."""
    return Figure(kind.label, f"{kind.shown(number)} {kind.unit}".rstrip(), how)


def in_bits(recipe: Recipe) -> str:
    """The label of an accuracy in the whole numbers that a recipe is for."""
    return IN_BITS[recipe.effective().weight_bits]


def of_accuracy(label: str, model: FrozenModel, n_correct: int) -> Figure:
    """An accuracy on the images that the model's own was measured on; such as it was trained on tell nothing of others,
    and it is called so.
    """
    n, where = model.provenance.n_validation, measured_images(model.provenance)
    if model.provenance.confirmed:
        return Figure(f"training {label}", per_cent(n_correct / n), f"{n_correct:,} of {where}: no measure of others")
    return Figure(label, per_cent(n_correct / n), f"{n_correct:,} of {where}; {interval(n_correct, n)}")


def of_test(label: str, n_correct: int, n: int, trainings: str) -> Figure:
    """The accuracy of this network on the test set, beside that of its other `trainings`."""
    how = f"{n_correct:,} of {n:,} test images by this network; {interval(n_correct, n)}; {trainings}"
    return Figure(f"test {label}", per_cent(n_correct / n), how)


def interval(n_correct: int, n: int) -> str:
    """What as many other images would have."""
    low, high = (per_cent(end) for end in wilson(n_correct, n))
    return f"95 % interval for as many others: {low} to {high}"


def wilson(n_correct: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927, "Probable Inference, the Law of Succession, and Statistical
    Inference"), as fractions.
    """
    share, square = n_correct / n, QUANTILE**2 / n
    centre = (share + square / 2) / (1 + square)
    half = QUANTILE * sqrt(share * (1 - share) / n + square / n / 4) / (1 + square)
    return min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))  # whatever is rounded


def table(figures: Iterable[Figure]) -> Table:
    """The last figure of each label, in one order."""
    last = {each.label: each for each in figures}
    rows = sorted(last.values(), key=lambda each: ORDER.index(each.label) if each.label in ORDER else len(ORDER))
    return Table(TITLE, COLUMNS, tuple(tuple(each) for each in rows))


def read(card: str) -> list[Figure]:
    """The figures of a card; none where it has no such table."""
    _, _, below = card.partition(f"## {TITLE}\n")
    section = below.partition("\n## ")[0]
    rows: Sequence[Sequence[str]] = [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in section.splitlines()
        if line.startswith("| ")
    ]
    return [Figure(*row) for row in rows[2:] if len(row) == len(COLUMNS)]


def of_costs(costs: Mapping[str, float], how: Mapping[str, str]) -> list[Figure]:
    """Costs with how each is known, by its name."""
    return [figure(COSTS[name], number, how[name]) for name, number in costs.items() if name in how]
