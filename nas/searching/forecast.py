"""What a search would meet, found out in seconds: how much of a space a budget leaves, and how long it would take."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from math import inf
from statistics import fmean, median

from nas.datasets.splitting import Split
from nas.execution.job import Job
from nas.execution.opening import open_executor
from nas.export.c.learning import whole_numbers_for
from nas.network.cost import Cost, cost_of
from nas.searching.options import SearchOptions
from nas.space.candidate import Candidate, Task
from nas.space.finding import Space
from nas.space.probing import check_budget, random_candidates, smallest_cost
from nas.study.pausing import PausingPruner
from nas.table import Table, per_cent
from nas.training.device import Precision

N_RANDOM = 1000
N_TIMED_IMAGES = 2_000
# The error behind an epoch is about as epoch ** -slope. Between these two lies what comes of nine in ten of the
# trainings in studies/tables (tests/test_progress.py); whoever asks when the first of several gets there is told too
# early a time all the more often.
SLOPES = (0.3, 1.5)


@dataclass(frozen=True)
class Check:
    """What random candidates of a space are like under a budget. Shares are fractions.

    `feasible` may be empty, where a candidate that meets the budget is known and no random one does.
    """

    task: Task
    feasible_share: float
    smallest: Cost
    largest: int  # parameters of the largest random candidate, feasible or not
    feasible: tuple[Candidate, ...]

    @property
    def typical(self) -> Candidate:
        """Of the feasible candidates the one with the median multiply-accumulates: an epoch of it is a usual one.

        Raises `IndexError` if there are none.
        """
        by_macs = sorted(self.feasible, key=lambda candidate: cost_of(candidate.architecture).macs)
        return by_macs[len(by_macs) // 2]

    def shares(self) -> dict[str, float]:
        """What share of the parameters each kind of layer has, on average, the largest first."""
        sums: dict[str, float] = {}
        for candidate in self.feasible:
            total = cost_of(candidate.architecture).params
            for _, layer, _ in candidate.architecture.plain_layers:
                share = layer.params / total / len(self.feasible)
                sums[layer.spec.family] = sums.get(layer.spec.family, 0.0) + share
        return {kind: share for kind, share in sorted(sums.items(), key=lambda item: -item[1]) if share >= 0.005}

    def dearest(self) -> tuple[str, float, float]:
        """The kind of layer that is most often the single dearest one, how often, and its share of the parameters.

        Raises `ValueError` if no candidate is feasible.
        """
        dearest = [_dearest(candidate) for candidate in self.feasible]
        (kind, n), *_ = Counter(kind for kind, _ in dearest).most_common()
        return kind, n / len(dearest), fmean(share for each, share in dearest if each == kind)


def check(space: Space, task: Task, seed: int = 0) -> Check:
    """Counts random candidates; nothing is built. Raises `BudgetError` if none was found that meets the budget."""
    check_budget(space, task, seed)
    candidates = [candidate for candidate, _ in islice(random_candidates(space, task, seed), N_RANDOM)]
    feasible = tuple(c for c in candidates if task.budget.admits(cost_of(c.architecture)))
    # The descent is exact only where the count is monotone in each parameter.
    seen = (cost_of(candidate.architecture) for candidate in candidates)
    smallest = min([smallest_cost(space, task, "params", seed), *seen], key=lambda cost: cost.params)
    return Check(
        task=task,
        feasible_share=len(feasible) / N_RANDOM,
        smallest=smallest,
        largest=max(cost_of(candidate.architecture).params for candidate in candidates),
        feasible=feasible,
    )


def seconds_per_epoch(candidate: Candidate, split: Split, n_workers: int, device: str, precision: Precision) -> float:
    """Seconds that an epoch of this candidate takes while all workers are busy.

    Every worker trains it for three epochs on `N_TIMED_IMAGES` of the images; the median of the later ones is scaled to
    all training images of the split. Raises `WorkerError` if a worker ends.
    """
    n_train = min(len(split.train_images), N_TIMED_IMAGES)
    n_validation = max(1, round(n_train * len(split.validation_images) / len(split.train_images)))
    few = replace(
        split,
        train_images=split.train_images[:n_train].clone(),
        train_labels=split.train_labels[:n_train].clone(),
        validation_images=split.validation_images[:n_validation].clone(),
        validation_labels=split.validation_labels[:n_validation].clone(),
    )
    short = replace(candidate, recipe=replace(candidate.recipe, epochs=3))
    executor = open_executor(few, workers=n_workers)
    try:
        with ThreadPoolExecutor(n_workers) as pool:
            quantiser = whole_numbers_for(short.recipe)
            jobs = [Job(short, seed, device, precision, quantiser=quantiser) for seed in range(n_workers)]
            try:
                timed = list(pool.map(lambda job: [result.seconds for result in executor.run(job)], jobs))
            except BaseException:
                executor.cancel()  # else the others are waited for
                raise
    finally:
        executor.close()
    # The first epoch pays for what is done once.
    return median(seconds for each in timed for seconds in each[1:]) * len(split.train_images) / n_train


def halved_epochs(epochs: int) -> float:
    """How many epochs the default pruner lets a candidate train on average: at each rung only its share goes on."""
    pruner = PausingPruner(epochs)
    ends = [*(rung for rung in pruner.rungs if rung < epochs), epochs]
    steps = enumerate(pairwise([0, *ends]))
    return sum(((end - begin) / pruner.factor**i for i, (begin, end) in steps), 0.0)


def seconds_to_go(
    options: SearchOptions, n_over: int, under_way: Sequence[int], epoch: float
) -> tuple[float, float] | None:
    """The least and the most that a search takes from now on, in seconds; None where no number of trials ends it.

    `n_over` trials are trained, those `under_way` or paused have so many epochs; `epoch`: seconds that one takes. The
    least is what the default pruner lets random candidates train; a target may end the search earlier still.
    """
    if options.trials is None:
        return None
    n_to_go, done = max(0, options.trials - n_over), sum(under_way)
    longest = max((options.epochs - each for each in under_way), default=0)
    few = options.epochs if options.pruner == "none" else halved_epochs(options.epochs)
    least, most = (max(n_to_go * each - done, 0) / options.n_workers for each in (few, options.epochs))
    return min(least, most) * epoch, max(most, longest) * epoch


def epochs_to_target(epoch: int, accuracy: float, target: float, epochs: int) -> tuple[float, float]:
    """The fewest and the most further epochs after which a training has the target, if it goes on as trainings do.

    Its error falls as a power of the epochs, between the two of `SLOPES`. Where it would not have the target at its
    end, the fewest are those to its end, and the most infinite.
    """
    if accuracy >= target:
        return 0.0, 0.0
    if target >= 1:
        return epochs - epoch, inf
    errors = (1 - accuracy) / (1 - target)
    most, fewest = (epoch * (errors ** (1 / slope) - 1) for slope in SLOPES)
    return min(fewest, epochs - epoch), most if most <= epochs - epoch else inf


def seconds_to_target(
    options: SearchOptions, under_way: Sequence[tuple[int, float]], epoch: float
) -> tuple[float, float] | None:
    """The least and the most, in seconds, that a search which ends with the first network that has its target takes
    from now on; the most is infinite where it may need a network that is not under way yet.

    `under_way`: the epochs and the accuracy of each training; None for none. `epoch`: seconds that one takes.
    """
    if options.target is None or not under_way:
        return None
    ends = [epochs_to_target(*each, options.target, options.epochs) for each in under_way]
    return epoch * min(fewest for fewest, _ in ends), epoch * min(most for _, most in ends)


def table(checked: Check) -> Table:
    """Where the parameters go."""
    rows = tuple((kind, per_cent(share, 0)) for kind, share in checked.shares().items())
    return Table("Where the parameters of feasible candidates go", ("layer", "share, on average"), rows)


def _dearest(candidate: Candidate) -> tuple[str, float]:
    dearest = max((layer for _, layer, _ in candidate.architecture.plain_layers), key=lambda layer: layer.params)
    return dearest.spec.family, dearest.params / cost_of(candidate.architecture).params
