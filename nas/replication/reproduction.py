"""The documented iterations trained again: what the documents say and what comes out, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nas import datasets
from nas.datasets import Dataset, Split
from nas.errors import InputError
from nas.network.cost import cost_of
from nas.replication.batch import Means, OnEpoch, Trained, Training, train_all
from nas.space.documented import Iteration
from nas.statistics import Spread
from nas.table import Table

COLUMNS = (
    "iteration",
    "parameters",
    "epochs",
    "first, documented (%)",
    "first, measured (%)",
    "best, documented (%)",
    "best, measured (%)",
    "best at",
    "last, measured (%)",
    "seconds",
    "met",
)


@dataclass(frozen=True)
class Reproduced:
    """An iteration trained with several seeds. Accuracies are fractions of the test set, one a seed."""

    iteration: Iteration
    trained: tuple[Trained, ...]

    @property
    def parameters(self) -> int:
        params: int = cost_of(self.iteration.candidate.architecture).params
        return params

    @property
    def first(self) -> Spread:
        return Spread(tuple(each.history[0].validation_accuracy for each in self.trained))

    @property
    def best(self) -> Spread:
        """The best epoch of each training: how the documents count, and too high, since the test set chooses."""
        return Spread(tuple(max(r.validation_accuracy for r in each.history) for each in self.trained))

    @property
    def best_epochs(self) -> tuple[int, ...]:
        return tuple(max(each.history, key=lambda r: r.validation_accuracy).epoch for each in self.trained)

    @property
    def last(self) -> Spread:
        return Spread(tuple(each.history[-1].validation_accuracy for each in self.trained))

    @property
    def seconds(self) -> Spread:
        """Of a whole training, evaluations included."""
        return Spread(tuple(sum(r.seconds for r in each.history) for each in self.trained))

    @property
    def met(self) -> bool | None:
        """Whether the documented accuracy lies within or below the mean of the best epochs ± 2 standard deviations."""
        return self.best.reached(self.iteration.accuracy)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "iteration": self.iteration.name,
            "structure": self.iteration.structure,
            "parameters": {"documented": self.iteration.parameters, "measured": self.parameters},
            "documented": {
                "first_epoch": self.iteration.first_epoch,
                "accuracy": self.iteration.accuracy,
                "epoch": self.iteration.epoch,
            },
            "met": self.met,
            "trainings": [
                {
                    "seed": each.training.seed,
                    "test_accuracy": [result.validation_accuracy for result in each.history],
                    "seconds": [round(result.seconds, 2) for result in each.history],
                    "made_with": each.made_with,
                }
                for each in self.trained
            ],
        }


def reproduce(
    iterations: Sequence[Iteration],
    dataset: Dataset,
    seeds: Sequence[int],
    means: Means,
    on_epoch: OnEpoch = lambda training, result: None,
) -> list[Reproduced]:
    """Trains each iteration as documented, on all training images, and tests it after each epoch.

    These figures are for comparison with the documents alone: they choose nothing.
    """
    trainings = planned(iterations, seeds)
    trained = train_all(trainings, as_documented(dataset), f"{dataset.fingerprint} all, tested", means, on_epoch)
    return [
        Reproduced(iteration, tuple(trained[i * len(seeds) : (i + 1) * len(seeds)]))
        for i, iteration in enumerate(iterations)
    ]


def planned(iterations: Sequence[Iteration], seeds: Sequence[int]) -> list[Training]:
    """What `reproduce` trains, in that order."""
    return [Training(each.candidate, seed, f"{each.name} seed {seed}") for each in iterations for seed in seeds]


def as_documented(dataset: Dataset) -> Split:
    """All training images to train on, and the test images in the place of the validation part."""
    test_images, test_labels = dataset.read_test()
    mean, std = datasets.normalisation(dataset.images)
    return Split(
        train_images=dataset.images,
        train_labels=dataset.labels,
        validation_images=test_images,
        validation_labels=test_labels,
        mean=mean,
        std=std,
        n_classes=dataset.n_classes,
        image_shape=dataset.image_shape,
    )


def table(reproduced: Sequence[Reproduced]) -> Table:
    """Documented and measured figures side by side."""
    notes = (
        "Accuracies are of the test set, in per cent, after the first, the best and the last epoch: documented ones of "
        f"one run, measured ones mean ± standard deviation over {_seeds(reproduced)}. The best epoch is chosen on the "
        "test set, as the documents do, and flatters; the last epoch does not. Seconds are those of one training in "
        "one worker. A row is met if the documented accuracy lies within or below the measured mean ± 2 standard "
        "deviations of the best epoch.",
        "\\* The document gives no list of layers; these are reconstructed from its counts and changes.",
    )
    return Table("Documented iterations, trained again", COLUMNS, tuple(map(_row, reproduced)), notes)


def _row(each: Reproduced) -> tuple[str, ...]:
    documented = each.iteration
    counts = f"{each.parameters:,}"
    if each.parameters != documented.parameters:
        counts += f" (documented {documented.parameters:,})"
    return (
        documented.name + " *" * (documented.structure == "reconstructed"),
        counts,
        str(documented.candidate.recipe.epochs),
        "–" if documented.first_epoch is None else f"{100 * documented.first_epoch:.2f}",
        each.first.per_cent(),
        f"{100 * documented.accuracy:.2f} at {documented.epoch}",
        each.best.per_cent(),
        ", ".join(map(str, each.best_epochs)),
        each.last.per_cent(),
        f"{each.seconds.mean:.0f}",
        {True: "yes", False: "no", None: "–"}[each.met],
    )


def _seeds(reproduced: Sequence[Reproduced]) -> str:
    numbers = [each.training.seed for each in reproduced[0].trained]
    return f"{len(numbers)} seeds ({', '.join(map(str, numbers))})" if len(numbers) > 1 else f"one seed ({numbers[0]})"


def check_images(dataset: Dataset) -> Dataset:
    """The data set, if the documented networks fit it; `InputError` if not."""
    if dataset.image_shape == (1, 28, 28) and dataset.n_classes == 10:
        return dataset
    shape = "×".join(map(str, dataset.image_shape))
    raise InputError(
        "the documented networks take images of 1×28×28 in 10 classes, "
        f"but {dataset.name} has {shape} in {dataset.n_classes}: name another --dataset"
    )
