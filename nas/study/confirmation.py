"""What is known of a winner that was trained again and tested: as data, as it is stored in the study, and in words."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import optuna
import scipy  # its parts are imported when they are used: scipy.stats takes half a second

from nas.statistics import Spread
from nas.study.record import Record, ranked
from nas.table import Table, per_cent, per_cent_range, plural, points
from nas.training.recipe import Recipe, whole_numbers

CLEARLY = 0.1  # a candidate whose losses to the leader are as unlikely by chance as this is out of the race
READING = "test_reading_"  # study attributes, numbered
RACE = "race"  # study attribute
CONFIRMED = "confirmed_"  # study attributes, by trial


@dataclass(frozen=True)
class Reading:
    """One reading of the test set, by one network. Recorded before it happens: `accuracy` is None if it was cut off."""

    time: str  # ISO 8601, UTC
    reason: str
    trial: int
    seed: int
    network: str  # which one: other precisions and devices make other networks of a trial and a seed
    test_set: str  # fingerprint of its images and labels
    n_images: int | None = None
    accuracy: float | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None  # [true class][predicted class] -> images
    float_accuracy: float | None = None  # in float32, where the accuracy is that of whole numbers of 8 bits
    checksum: str | None = None  # of the files of the test set; versions before 0.2.0 stored none


@dataclass(frozen=True)
class Raced:
    """A candidate in the race. `accuracies`: validation part, last epoch, one a seed; fewer than others' if it lost.

    `lost`: clearly worse than the leader, or than the target where the smallest network was looked for.
    """

    trial: int
    accuracies: tuple[float, ...]
    lost: bool


@dataclass(frozen=True)
class Confirmed:
    """A candidate that was trained again on all training images and tested, once a seed."""

    trial: int
    classes: tuple[str, ...]
    readings: tuple[Reading, ...]
    n_train: int
    epochs: int
    made_with: dict[str, Any]
    history: tuple[float, ...]  # of the first seed: accuracy on some of its training images after each epoch
    race: tuple[Raced, ...] = ()  # who it won against, itself first; none if it was the only one
    n_readings: int = 0  # of the test set in the whole study, these included
    target: float | None = None  # what the search was to reach
    teacher: str = ""  # who taught it, in sentences, if somebody did
    weight_bits: int = Recipe.weight_bits  # of its weights, where the accuracy is that of whole numbers
    model: Path | None = None  # the exported network of the first seed; not stored
    notes: tuple[str, ...] = ()  # on it in other formats; not stored

    @property
    def weights(self) -> str:
        """File name, in the study's folder of checkpoints, of the network to hand over: the first seed's."""
        return f"{self.readings[0].network}.pt"

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(reading.seed for reading in self.readings)

    @property
    def accuracy(self) -> Spread:
        """Fractions of the test set, one a seed."""
        return Spread(tuple(reading.accuracy or 0.0 for reading in self.readings))

    @property
    def float_accuracy(self) -> Spread | None:
        """In float32, where the accuracy is that of whole numbers of 8 bits; None where it is float32's itself."""
        values = [reading.float_accuracy for reading in self.readings if reading.float_accuracy is not None]
        return Spread(tuple(values)) if values else None

    @property
    def arithmetic(self) -> str:
        """In which the networks were tested."""
        if self.float_accuracy is None:
            return "in float32"
        return f"in {whole_numbers(self.weight_bits)}, as the exported C computes"

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence interval of the mean over trainings; None for fewer than three, or if all are equal."""
        if not self.accuracy.std or self.accuracy.interval is None:
            return None
        low, high = self.accuracy.interval
        return max(0.0, low), min(1.0, high)

    def probability(self, target: float) -> float | None:
        """That one more training has at least this accuracy on this test set; None for one, or if all are equal.

        The predictive distribution of a normal sample: Student's t around its mean, n - 1 degrees of freedom, wider by
        sqrt(1 + 1 / n) than the sample (Geisser 1993, "Predictive Inference", section 2.2).
        """
        values = self.accuracy
        if not values.std:  # equal ones tell nothing of the spread
            return None
        n = len(values.values)
        return float(scipy.stats.t.sf((target - values.mean) / (values.std * sqrt(1 + 1 / n)), n - 1))

    @property
    def confusion(self) -> tuple[tuple[int, ...], ...]:
        """[true class][predicted class] -> images, over all seeds together."""
        matrices = [reading.confusion for reading in self.readings if reading.confusion is not None]
        return tuple(tuple(map(sum, zip(*rows, strict=True))) for rows in zip(*matrices, strict=True))

    @property
    def class_accuracies(self) -> dict[str, float]:
        """Of each class that has images the fraction that was recognised, over all seeds together."""
        return {
            name: row[i] / sum(row)
            for i, (name, row) in enumerate(zip(self.classes, self.confusion, strict=True))
            if sum(row)
        }

    @property
    def sampling_error(self) -> float:
        """One binomial standard error: what another test set of this size would change."""
        n, p = self.readings[0].n_images or 1, self.accuracy.mean
        return sqrt(p * (1 - p) / n)

    def times_read(self, study: str) -> str:
        """How often the test set was read in the whole study, as a sentence."""
        once = ", once a network" if self.n_readings == len(self.readings) else ""
        return f"The test set was read {plural(self.n_readings, 'time')} in {study}{once}."

    def sentences(self) -> str:
        """How it was confirmed, for those who get the network of the first seed."""
        spread, first = self.accuracy, self.readings[0]
        interval = ""
        if self.interval is not None:
            interval = f"; 95 % interval of the mean {per_cent_range(self.interval)}"
        deviation = " (mean ± standard deviation" + interval + ")" if spread.std is not None else ""
        return (
            f"Confirmed: trained from scratch on all {self.n_train:,} training images, "
            f"{plural(self.epochs, 'epoch')}, with {plural(len(self.seeds), 'fresh seed')}; test accuracy of the last "
            f"epoch, {self.arithmetic}: {spread.per_cent()} %{deviation}. {self._in_float}"
            "This is the network of the first seed, with "
            f"{per_cent(first.accuracy or 0)} of {first.n_images:,} test images; that figure did not choose it. "
            f"{self.times_read('its study')}"
        )

    @property
    def _in_float(self) -> str:
        if self.float_accuracy is None:
            return ""
        return f"In float32 the same networks had {self.float_accuracy.per_cent()} %. "

    def tables(self, target: float | None = None) -> list[Table]:
        """The race, if there was one, and what is now known of its winner, such as the chance to have a target."""
        return [*([race_table(self.race)] if self.race else []), confirmed_table(self, target or self.target)]

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self.tables())


# As it is stored in the study -----------------------------------------------------------------------------------------


def confirmations(study: optuna.Study) -> list[Confirmed]:
    """What was confirmed in a study, in the order of trials."""
    attrs = study.user_attrs
    by_trial = sorted((int(name.removeprefix(CONFIRMED)), name) for name in attrs if name.startswith(CONFIRMED))
    return [restored(attrs[name], readings(study)) for _, name in by_trial]


def confirmation_of(study: optuna.Study, trial: int) -> Confirmed | None:
    """What was confirmed of one trial."""
    return next((confirmed for confirmed in confirmations(study) if confirmed.trial == trial), None)


def readings(study: optuna.Study) -> list[Reading]:
    """Every reading of the test set that this study's candidates took, in order."""
    attrs = study.user_attrs
    return [_reading(attrs[name]) for name in sorted(name for name in attrs if name.startswith(READING))]


def last_race(study: optuna.Study) -> list[Raced]:
    """The last race's candidates, the best mean first; none if there was no race."""
    return list(_raced(study.user_attrs.get(RACE, [])))


def of_networks(all_readings: Sequence[Reading], networks: Sequence[str]) -> tuple[Reading, ...]:
    finished = {reading.network: reading for reading in all_readings if reading.accuracy is not None}
    return tuple(finished[network] for network in networks)


def store_race(study: optuna.Study, rows: Sequence[Raced]) -> None:
    """Keeps how the last race ended."""
    study.set_user_attr(RACE, [asdict(row) for row in rows])


def store_confirmed(study: optuna.Study, confirmed: Confirmed) -> None:
    """Keeps what was confirmed, in the place of an earlier confirmation of the trial."""
    study.set_user_attr(f"{CONFIRMED}{confirmed.trial}", _stored_form(confirmed))


def store_reading(study: optuna.Study, reading: Reading, number: int | None = None) -> int:
    """Keeps a reading of the test set, as the next one or in the place of one with a number, which is returned."""
    number = len(readings(study)) if number is None else number
    study.set_user_attr(f"{READING}{number:05d}", asdict(reading))
    return number


def _stored_form(confirmed: Confirmed) -> dict[str, Any]:
    """Readings have study attributes of their own."""
    derived = ("readings", "n_readings", "race", "model", "notes")
    plain = {name: value for name, value in vars(confirmed).items() if name not in derived}
    if not confirmed.teacher:
        del plain["teacher"]  # as it was stored before there were teachers
    if confirmed.weight_bits == Confirmed.weight_bits:
        del plain["weight_bits"]  # as it was stored when there were no others
    networks, rows = [reading.network for reading in confirmed.readings], [asdict(row) for row in confirmed.race]
    return {**plain, "networks": networks, "race": rows}


def restored(stored: dict[str, Any], all_readings: Sequence[Reading]) -> Confirmed:
    fields = {**stored, "classes": tuple(stored["classes"]), "race": _raced(stored["race"])}
    fields["history"] = tuple(fields["history"])
    networks = fields.pop("networks")
    return Confirmed(readings=of_networks(all_readings, networks), n_readings=len(all_readings), **fields)


def _raced(rows: Sequence[Any]) -> tuple[Raced, ...]:
    return tuple(Raced(row["trial"], tuple(row["accuracies"]), row["lost"]) for row in rows)


def _reading(stored: dict[str, Any]) -> Reading:
    confusion = stored["confusion"]
    return Reading(**{**stored, "confusion": None if confusion is None else tuple(map(tuple, confusion))})


# In words -------------------------------------------------------------------------------------------------------------


def race_table(rows: Sequence[Raced]) -> Table:
    """Who raced whom, and how it ended."""
    most = max(len(row.accuracies) for row in rows)
    return Table(
        "Race of the best candidates",
        ("trial", "validation accuracy (%)", "seeds", "verdict"),
        tuple(
            (
                str(row.trial),
                Spread(row.accuracies).per_cent(),
                str(len(row.accuracies)),
                "winner" if row is rows[0] else "clearly worse" if row.lost else "not clearly worse",
            )
            for row in rows
        ),
        (
            f"Mean ± standard deviation over up to {most} fresh seeds, last epoch, trained on the training part. "
            "Clearly worse: one-sided Wilcoxon signed-rank test against the leader, or against the target where the "
            f"smallest network is looked for, seed by seed, p at most {CLEARLY:g}.",
        ),
    )


def confirmed_table(confirmed: Confirmed, target: float | None) -> Table:
    """What is now known of the winner."""
    spread, reading = confirmed.accuracy, confirmed.readings[0]
    rows = [
        ("test accuracy, mean ± standard deviation", f"{spread.per_cent()} %"),
        ("each training", ", ".join(f"{100 * value:.2f}" for value in spread.values) + " %"),
    ]
    if confirmed.float_accuracy is not None:
        rows.append(("the same networks in float32", f"{confirmed.float_accuracy.per_cent()} %"))
    if confirmed.interval is not None:
        rows.append(("95 % interval of the mean", per_cent_range(confirmed.interval)))
    if target is not None:
        chance = confirmed.probability(target)
        text = "unknown, the trainings show no spread: use more seeds" if chance is None else per_cent(chance, 0)
        rows.append((f"chance that a fresh training has {per_cent(target)} of this test set", text))
    worst = sorted(confirmed.class_accuracies.items(), key=lambda item: item[1])[:3]
    rows.append(("hardest classes", ", ".join(f"{name} {per_cent(accuracy)}" for name, accuracy in worst)))
    return Table(
        f"Confirmed: trial {confirmed.trial}",
        ("figure", "value"),
        tuple(rows),
        (
            f"{plural(len(confirmed.seeds), 'training')} from scratch on all {confirmed.n_train:,} training images, "
            f"{plural(confirmed.epochs, 'epoch')}; the last one, {confirmed.arithmetic}, on "
            f"{reading.n_images:,} test images. "
            f"Another sample of as many would change that by some {points(confirmed.sampling_error)} (one "
            f"binomial standard error). {confirmed.times_read('this study')}",
            *([confirmed.teacher] if confirmed.teacher else []),
        ),
    )


def last_confirmed(study: optuna.Study) -> Confirmed | None:
    """What was confirmed last, by the time of its readings of the test set."""
    return max(confirmations(study), key=lambda confirmed: max(r.time for r in confirmed.readings), default=None)


def winner_of(study: optuna.Study, confirmed: Confirmed | None) -> Record | None:
    """The candidate that a report is about: the confirmed one, else the best of the validation part."""
    best = ranked(study)
    if confirmed is not None:
        return next((record for record in best if record.trial == confirmed.trial), None)
    return best[0] if best else None
