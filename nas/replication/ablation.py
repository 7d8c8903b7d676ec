"""One design axis of a candidate changed, and all else kept: what did it contribute?

Every value is trained with the same seeds and compared seed by seed. Figures are of the validation part, so what is
learned here may be used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nas import datasets
from nas.datasets import Dataset
from nas.network.cost import cost_of
from nas.replication.batch import Means, OnEpoch, Trained, Training, train_all
from nas.replication.variants import Variant
from nas.statistics import Difference, Spread, paired_difference
from nas.table import Table


@dataclass(frozen=True)
class Ablated:
    """A variant, trained with several seeds. Accuracies are the last epoch's, fractions of the validation part."""

    variant: Variant
    trained: tuple[Trained, ...]

    @property
    def accuracy(self) -> Spread:
        return Spread(tuple(each.history[-1].validation_accuracy for each in self.trained))

    def difference(self, base: "Ablated") -> Difference:
        """To the candidate as it was, seed by seed."""
        return paired_difference(self.accuracy.values, base.accuracy.values)


def planned(variants: Sequence[Variant], seeds: Sequence[int]) -> list[Training]:
    """What `ablate` trains, in that order."""
    return [Training(each.candidate, seed, f"{each.value}, seed {seed}") for each in variants for seed in seeds]


def ablate(
    variants: Sequence[Variant],
    dataset: Dataset,
    seeds: Sequence[int],
    means: Means,
    on_epoch: OnEpoch = lambda training, result: None,
) -> list[Ablated]:
    """Trains every variant with the same seeds on the training part, and validates it; no test image is looked at."""
    split = datasets.split(dataset)
    name = f"{dataset.fingerprint} split, validated on {len(split.validation_images)}"
    trained = train_all(planned(variants, seeds), split, name, means, on_epoch)
    return [
        Ablated(variant, tuple(trained[i * len(seeds) : (i + 1) * len(seeds)])) for i, variant in enumerate(variants)
    ]


def table(name: str, axis: str, ablated: Sequence[Ablated]) -> Table:
    """One row a value, with its difference to the candidate as it was."""
    base = ablated[0]
    seeds, epochs = base.trained, base.variant.candidate.recipe.epochs
    note = (
        f"Validation accuracy of the last of {epochs} epoch{'s' * (epochs > 1)}, mean ± standard deviation over "
        f"{len(seeds)} seed{'s' * (len(seeds) > 1)}; differences are paired by seed, in percentage points, with their "
        "95 % interval (Student's t). Where the interval holds 0, no difference is shown. No test image was looked at."
    )
    return Table(
        f"{name}: {axis}",
        ("value", "parameters", "accuracy (%)", "difference (points)", "verdict"),
        tuple(_row(each, base) for each in ablated),
        (note,),
    )


def as_plain_data(name: str, axis: str, ablated: Sequence[Ablated]) -> dict[str, Any]:
    """For JSON."""
    return {
        "candidate": name,
        "axis": axis,
        "values": [
            {
                "value": each.variant.value,
                "parameters": cost_of(each.variant.candidate.architecture).params,
                "network": str(each.variant.candidate.architecture),
                "training": str(each.variant.candidate.recipe),
                "validation_accuracy": [[r.validation_accuracy for r in one.history] for one in each.trained],
                "made_with": each.trained[0].made_with,
            }
            for each in ablated
        ],
    }


def _row(each: Ablated, base: Ablated) -> tuple[str, ...]:
    params = f"{cost_of(each.variant.candidate.architecture).params:,}"
    if each is base:
        return each.variant.value, params, each.accuracy.per_cent(), "", ""
    difference = each.difference(base)
    verdict = ("better" if difference.mean > 0 else "worse") if difference.shown else "no difference shown"
    return each.variant.value, params, each.accuracy.per_cent(), difference.points(), verdict
