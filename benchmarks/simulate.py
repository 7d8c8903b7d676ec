"""Searches played on a table of `benchmarks/table.py`: which sampler and pruner finds better networks in less training.

    python benchmarks/simulate.py TABLE.jsonl [--seeds 100] [--workers 1 2 8] [--epochs-in-all 120]
        [--policies NAME ...] [--against NAME] [--out FIGURE.html]

Needs scikit-learn (`pip install 'nas[benchmark]'`). A sampler may ask for what is not in the table, so a surrogate
answers (Zela et al. 2022, "Surrogate NAS Benchmarks"): random forests tell the curve of a candidate, to which come the
deviation of one of the table's candidates of which they tell nearly the same, and the noise between two seeds, both as
they were measured. Its error on candidates that it was not made of is printed first. Each search takes the seconds that
its candidates took.

What a search is worth is the *true* accuracy (without the noise of a seed) of the candidate it would hand over: that
with the best last epoch it has seen. Regret is how far that is from the best of 20,000 random candidates. Printed are,
for each number of workers, the median regret and quartiles after a quarter, half and all of the seconds, in points;
mean ranks; how often the accuracy that `--against` has at its end (median) was reached in half the seconds or less; and
the p-value of Wilcoxon's signed-rank test of the regrets at the end, with Holm's correction.
"""

import argparse
import hashlib
import heapq
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Protocol

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import Trial, TrialState

from nas.study.axes import Axes, Numbers, Params
from nas.study.curves import logit
from nas.study.experience import Experience, experience_of, read_lessons
from nas.study.pausing import PausingPruner
from nas.study.pruners import make_pruner
from nas.study.samplers import Basis, make_sampler

N_ORACLE = 20_000
N_ALIKE = 15
MARKS = (0.25, 0.5, 1.0)  # of the seconds of a search


# The world ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """What was measured, candidate by candidate."""

    settings: Mapping[str, Any]
    params: Sequence[Params]
    accuracies: Numbers  # (candidates, epochs): on validation images, of the first seed
    seconds: Numbers  # (candidates,): of an epoch
    repeats: Sequence[Numbers]  # of some candidates (seeds, epochs)

    @classmethod
    def read(cls, file: Path) -> "Table":
        settings, *lines = map(json.loads, file.read_text().splitlines())
        long = [line for line in lines if line["epochs"] == settings["epochs"]]
        first = [line for line in long if line["seed"] == 0]
        several: dict[int, list[list[float]]] = {}
        for line in long:
            several.setdefault(line["candidate"], []).append(line["validation_accuracy"])
        return cls(
            settings,
            [line["params"] for line in first],
            np.array([line["validation_accuracy"] for line in first]),
            np.array([median(line["seconds"]) for line in first]),
            [np.array(curves) for curves in several.values() if len(curves) > 1],
        )


def accuracy_of(logits: Numbers) -> Numbers:
    result: Numbers = 1 / (1 + np.exp(-logits))
    return result


class World:
    """Answers what training a candidate would show."""

    def __init__(
        self, table: Table, distributions: Mapping[str, BaseDistribution], experience: Experience | None = None
    ) -> None:
        from sklearn.ensemble import RandomForestRegressor

        self.table, self.distributions, self.experience = table, distributions, experience
        self.axes = Axes(distributions)
        self._features = self.axes.encoded(table.params)
        targets = np.column_stack([logit(table.accuracies), np.log(table.seconds)])
        self._forest = RandomForestRegressor(300, min_samples_leaf=2, oob_score=True, random_state=0, n_jobs=1)
        self._forest.fit(self._features, targets)
        # What the forest says of a candidate without the trees that have seen it
        self._of_others = self._forest.oob_prediction_
        self._deviations = logit(table.accuracies) - self._of_others[:, :-1]
        self._noise = self._noise_of_seeds()
        share = self._noise[:, -1].var() / self._deviations[:, -1].var() if len(self._noise) else 0.0
        self.share_of_noise = float(min(1.0, share))

    def _noise_of_seeds(self) -> Numbers:
        """Deviations of single trainings from the mean of their candidate, (trainings, epochs), in logits."""
        parts = []
        for curves in self.table.repeats:
            logits = logit(curves)
            parts.append((logits - logits.mean(0)) * np.sqrt(len(curves) / (len(curves) - 1)))
        return np.concatenate(parts) if parts else np.zeros((0, self.table.accuracies.shape[1]))

    def true_curves(self, params: Sequence[Params]) -> tuple[Numbers, Numbers]:
        """Logits `(n, epochs)` without the noise of a seed, and seconds an epoch `(n,)`."""
        features = self.axes.encoded(params)
        answers = self._answers(features)
        deviations = np.array(
            [self._deviation(each, answer) for each, answer in zip(features, answers[:, -2], strict=True)]
        )
        return answers[:, :-1] + deviations, np.exp(answers[:, -1])

    def _deviation(self, features: Numbers, answer: float) -> Numbers:
        """How a candidate deviates from the forest: as one of the table's whose accuracy it tells nearly alike.

        Always the same one; but for the part that is noise.
        """
        alike = np.argsort(np.abs(self._of_others[:, -2] - answer))[:N_ALIKE]
        chosen = alike[int.from_bytes(hashlib.sha256(features.tobytes()).digest()[:4], "big") % len(alike)]
        result: Numbers = self._deviations[chosen] * np.sqrt(1 - self.share_of_noise)
        return result

    def _answers(self, features: Numbers) -> Numbers:
        """As the forest's `predict`, whose checks take ten times as long as the answer for a single candidate."""
        inputs = features.astype(np.float32)
        result: Numbers = np.mean([tree.tree_.predict(inputs)[..., 0] for tree in self._forest.estimators_], axis=0)
        return result

    def noise(self, random: np.random.Generator) -> Numbers:
        """Of one training, in logits."""
        if not len(self._noise):
            return np.zeros(self.table.accuracies.shape[1])
        result: Numbers = self._noise[random.integers(len(self._noise))] * random.choice([-1.0, 1.0])
        return result

    @cached_property
    def best(self) -> float:
        """The best true accuracy of many random candidates."""
        random = Random(0)
        params = [self.axes.drawn(random) for _ in range(N_ORACLE)]
        return float(accuracy_of(self.true_curves(params)[0][:, -1]).max())

    def errors(self) -> str:
        """How well the surrogate tells candidates that it was not made of."""
        predicted, true = self._of_others[:, -2], logit(self.table.accuracies)[:, -1]
        off = 100 * np.abs(accuracy_of(predicted) - accuracy_of(true))
        rank = np.corrcoef(predicted.argsort().argsort(), true.argsort().argsort())[0, 1]
        spread = 100 * np.std([curves[:, -1].std(ddof=1) for curves in self.table.repeats] or [0.0])
        noise = 100 * np.mean([curves[:, -1].std(ddof=1) for curves in self.table.repeats] or [0.0])
        return (
            f"surrogate, out of bag: median error {np.median(off):.2f} points, rank correlation {rank:.2f}; "
            f"standard deviation between seeds {noise:.2f} points (± {spread:.2f} among candidates), "
            f"{self.share_of_noise:.0%} of what the forest does not tell"
        )


# Searches -------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Training:
    """One under way: its parameters, what will be seen of it, and how far it is."""

    params: Params
    seen: Numbers  # accuracies, with noise
    true: float
    seconds: float  # an epoch
    epoch: int = 0
    trial: Trial | None = None


class Policy(Protocol):
    """Says what to train; asked whenever a worker is free, and after each epoch."""

    def next(self) -> tuple[Params, Trial | None] | Training:
        """Parameters of a new training, or one that was stopped and goes on."""
        ...

    def goes_on(self, training: Training) -> bool:
        """Whether it goes on behind the epoch that it has just ended; also told of the last one."""
        ...


class WithOptuna:
    """A sampler and a pruner in a study of Optuna; what a pruner of nas pauses goes on as in `nas.searching.loop`."""

    def __init__(self, sampler: BaseSampler, pruner: BasePruner, world: World, n_epochs: int) -> None:
        self._distributions, self._n_epochs = dict(world.distributions), n_epochs
        self._study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
        self._paused: dict[int, Training] = {}

    def next(self) -> tuple[Params, Trial | None] | Training:
        pruner = self._study.pruner
        if isinstance(pruner, PausingPruner) and self._paused:
            number = pruner.goes_on(self._study, tuple(self._paused))
            if number is not None:
                return self._paused.pop(number)
        trial = self._study.ask(self._distributions)
        return trial.params, trial

    def goes_on(self, training: Training) -> bool:
        trial, accuracy = training.trial, float(training.seen[training.epoch - 1])
        assert trial is not None
        trial.report(accuracy, training.epoch)
        if training.epoch == self._n_epochs:
            self._study.tell(trial, accuracy)
        elif trial.should_prune():
            if isinstance(self._study.pruner, PausingPruner):
                self._paused[trial.number] = training
            else:
                self._study.tell(trial, state=TrialState.PRUNED)
        else:
            return True
        return False


class OneEpochThenBest:
    """One epoch for each of so many random candidates, then the best `k` go on to their end, one after the other.

    A baseline that many multi-fidelity methods do not beat (Bohdal et al. 2023, arXiv 2307.15422).
    """

    def __init__(self, n_first: int, world: World, n_epochs: int, seed: int) -> None:
        self._random, self._axes, self._n_epochs = Random(seed), world.axes, n_epochs
        self._n_first, self._n_begun, self._stopped = n_first, 0, list[Training]()

    def next(self) -> tuple[Params, Trial | None] | Training:
        if self._n_begun < self._n_first or not self._stopped:
            self._n_begun += 1
            return self._axes.drawn(self._random), None
        best = max(self._stopped, key=lambda training: training.seen[training.epoch - 1])
        self._stopped.remove(best)
        return best

    def goes_on(self, training: Training) -> bool:
        if training.epoch == 1:
            self._stopped.append(training)
            return False
        return training.epoch < self._n_epochs


PolicyMaker = Callable[[World, int, int, int], Policy]  # of world, epochs of a training, epochs in all, and seed


def _optuna(sampler: str, pruner: str) -> PolicyMaker:
    return lambda world, n_epochs, in_all, seed: WithOptuna(
        make_sampler(sampler, seed, Basis(n_epochs, world.distributions, world.experience)),
        make_pruner(pruner, n_epochs),
        world,
        n_epochs,
    )


POLICIES: Mapping[str, PolicyMaker] = {
    "learned, pausing": _optuna("learned", "pausing"),
    "learned, halving": _optuna("learned", "halving"),
    "random, pausing": _optuna("random", "pausing"),
    "random": _optuna("random", "none"),
    "random, halving": _optuna("random", "halving"),
    "tpe, none": _optuna("tpe", "none"),
    "tpe, halving": _optuna("tpe", "halving"),
    "tpe, hyperband": _optuna("tpe", "hyperband"),
    "one epoch, then the best": lambda world, n_epochs, in_all, seed: OneEpochThenBest(
        in_all // 2, world, n_epochs, seed
    ),
}


@dataclass
class Course:
    """How a search went: when the candidate that it would hand over changed, and the true accuracy of that."""

    times: list[float] = field(default_factory=list)
    true: list[float] = field(default_factory=list)
    ended: float = 0.0

    def at(self, time: float) -> float:
        """The true accuracy of what it would have handed over then; 0 before the first."""
        n = int(np.searchsorted(self.times, time, side="right"))
        return self.true[n - 1] if n else 0.0

    def reached(self, accuracy: float) -> float:
        """The first time at which it was as good as that for good; infinite if never."""
        behind = [i for i, each in enumerate(self.true) if each < accuracy]
        first = behind[-1] + 1 if behind else 0
        return self.times[first] if first < len(self.times) else float("inf")


def play(policy: Policy, world: World, n_workers: int, seconds: float, seed: int) -> Course:
    """One search of so many seconds of the clock."""
    random, course, best_seen = np.random.default_rng([seed, 1]), Course(), 0.0
    n_epochs = world.table.accuracies.shape[1]
    events: list[tuple[float, int, Training]] = []  # when an epoch ends
    n_events = 0

    def begin(now: float) -> None:
        nonlocal n_events
        asked = policy.next()
        training = asked if isinstance(asked, Training) else started(*asked)
        n_events += 1
        heapq.heappush(events, (now + training.seconds, n_events, training))

    def started(params: Params, trial: Trial | None) -> Training:
        curves, lasts = world.true_curves([params])
        seen = accuracy_of(curves[0] + world.noise(random))
        return Training(params, seen, float(accuracy_of(curves[0, -1:])[0]), float(lasts[0]), trial=trial)

    for _ in range(n_workers):
        begin(0.0)
    while events:
        now, _, training = heapq.heappop(events)
        if now > seconds:
            break
        training.epoch += 1
        if training.epoch == n_epochs and training.seen[-1] > best_seen:
            best_seen = float(training.seen[-1])
            course.times.append(now)
            course.true.append(training.true)
        if policy.goes_on(training) and training.epoch < n_epochs:
            n_events += 1
            heapq.heappush(events, (now + training.seconds, n_events, training))
        else:
            begin(now)
    course.ended = seconds
    return course


# What came out --------------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--epochs-in-all", type=int, default=120)
    parser.add_argument("--policies", nargs="+", default=list(POLICIES), choices=list(POLICIES))
    parser.add_argument("--against", default="random, halving", choices=list(POLICIES))
    parser.add_argument(
        "--lessons", type=Path, nargs="*", default=[], help="what `learned` starts from: see lessons.py"
    )
    parser.add_argument("--out", type=Path, help="a page with the median regret over the seconds")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    table = Table.read(arguments.table)
    axes = distributions_of(table)
    lessons = [lesson for file in arguments.lessons for lesson in read_lessons(file)]
    world = World(table, axes, experience_of(lessons, axes))
    print(f"{len(table.params):,} candidates of {table.settings['space']}, {table.accuracies.shape[1]} epochs")
    print(world.errors())
    print(oracle(world), flush=True)
    names = list(dict.fromkeys([*arguments.policies, arguments.against]))
    figure: dict[str, dict[str, list[Course]]] = {}
    for n_workers in arguments.workers:
        seconds = arguments.epochs_in_all * float(np.mean(table.seconds)) / n_workers
        courses = {name: searches(name, world, n_workers, seconds, arguments) for name in names}
        figure[f"{n_workers} worker{'s' * (n_workers > 1)}"] = courses
        print("\n" + "\n".join(rows(courses, arguments.against, world, n_workers, seconds)), flush=True)
    if arguments.out is not None:
        draw_figure(figure, world, arguments.out)


def distributions_of(table: Table) -> dict[str, BaseDistribution]:
    """What the space of a table drew from when it was made."""
    return {name: json_to_distribution(json.dumps(each)) for name, each in table.settings["distributions"].items()}


def oracle(world: World) -> str:
    """Where a sampler can win, and by how much: the best there is against the median best of n random ones."""
    random, draws = np.random.default_rng(1), Random(1)
    params = [world.axes.drawn(draws) for _ in range(4_000)]
    true = 100 * accuracy_of(world.true_curves(params)[0][:, -1])
    parts = []
    for n in (10, 25, 100):
        bests = [random.choice(true, n, replace=False).max() for _ in range(500)]
        parts.append(f"{np.median(bests):.2f} % of {n}")
    return f"best true accuracy {100 * world.best:.2f} %; median best of random candidates: {', '.join(parts)}"


def searches(name: str, world: World, n_workers: int, seconds: float, arguments: argparse.Namespace) -> list[Course]:
    n_epochs, in_all = world.table.accuracies.shape[1], arguments.epochs_in_all
    return [
        play(POLICIES[name](world, n_epochs, in_all, seed), world, n_workers, seconds, seed)
        for seed in range(arguments.seeds)
    ]


def rows(
    courses: Mapping[str, Sequence[Course]], against: str, world: World, n_workers: int, seconds: float
) -> Iterator[str]:
    marks = [f"after {mark:.0%}" for mark in MARKS]
    yield f"| {n_workers} workers, {seconds:.0f} s | {' | '.join(marks)} | mean rank | in half the seconds | p |"
    yield "|---" * (len(MARKS) + 4) + "|"
    ends = {name: np.array([world.best - each.at(seconds) for each in of_name]) for name, of_name in courses.items()}
    ranks = mean_ranks(ends)
    p_values = holm({name: wilcoxon(ends[name], ends[against]) for name in ends if name != against})
    bar = float(np.median([each.at(seconds) for each in courses[against]]))
    for name, of_name in courses.items():
        cells = [quartiles([100 * (world.best - each.at(mark * seconds)) for each in of_name]) for mark in MARKS]
        halves = np.mean([each.reached(bar) <= seconds / 2 for each in of_name])
        p = f"{p_values[name]:.3g}" if name in p_values else "-"
        yield f"| {name} | {' | '.join(cells)} | {ranks[name]:.2f} | {halves:.0%} | {p} |"


def quartiles(values: Sequence[float]) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def mean_ranks(ends: Mapping[str, Numbers]) -> dict[str, float]:
    """1 is the best; equal ones share their ranks."""
    from scipy.stats import rankdata

    ranks = rankdata(np.array(list(ends.values())), axis=0)
    return dict(zip(ends, ranks.mean(1), strict=True))


def wilcoxon(one: Numbers, other: Numbers) -> float:
    """The p-value that two paired rows of regrets are alike."""
    from scipy.stats import wilcoxon as test

    return float(test(one, other).pvalue) if (one != other).any() else 1.0


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's correction for several tests."""
    corrected, largest = {}, 0.0
    for i, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, p * (len(p_values) - i)))
        corrected[name] = largest
    return corrected


def draw_figure(courses: Mapping[str, Mapping[str, Sequence[Course]]], world: World, file: Path) -> None:
    """Median regret over the seconds, with quartiles; one drawing for each number of workers."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(1, len(courses), subplot_titles=list(courses))
    colours = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f"]
    for column, by_name in enumerate(courses.values(), start=1):
        for colour, (name, of_name) in zip(colours, by_name.items(), strict=False):
            times = np.linspace(0, of_name[0].ended, 100)[1:]
            regrets = 100 * np.array([[world.best - each.at(time) for each in of_name] for time in times])
            low, middle, high = np.quantile(regrets, [0.25, 0.5, 0.75], axis=1)
            line = {"color": colour}
            figure.add_scatter(
                x=times, y=middle, name=name, line=line, legendgroup=name, showlegend=column == 1, row=1, col=column
            )
            for edge in (low, high):
                figure.add_scatter(
                    x=times, y=edge, line={**line, "width": 0.5}, legendgroup=name, showlegend=False, row=1, col=column
                )
    figure.update_yaxes(type="log", title="regret in points")
    figure.update_xaxes(title="seconds")
    go.Figure(figure).write_html(file, include_plotlyjs="cdn")


if __name__ == "__main__":
    main()
