"""The default sampler: learns which candidates are good from how trainings begin, and from earlier studies."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, islice
from random import Random
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from nas.study.axes import Axes, Numbers, Params
from nas.study.curves import finals
from nas.study.experience import Experience, log_macs, process_of_costs
from nas.study.gaussian import Process, likeliest
from nas.study.memory import Memory

N_STARTUP = 8  # random trials before there is a model, where no earlier study helps
N_DRAWN, N_CHANGED, N_PARENTS = 300, 150, 5
FEWEST_COUNTED = 5  # trials that say what candidates cost
PRICE, PRICE_UNTIL_TARGET = 0.1, 0.3  # logits that e times the multiply-accumulates are to be worth
TOGETHER = 10  # how many times smaller a pool is where one model makes several suggestions
MOST_SEEN = 200  # trials that a model is made of
MOST_CHANGES = 4  # axes in which a suggestion differs from a good one
FIRST_DOUBT = 0.3  # logits: what of earlier studies holds in this one, before its first trial
TRUST = (1.0, 0.5, 0.0)  # what share of what earlier studies say is kept, whichever makes this one likeliest

OfPool = Callable[[Sequence[Params], Numbers], Numbers]  # of candidates, and their points: a number each, `(n,)`


class LearnedSampler(BaseSampler):
    """Suggests what a Gaussian process over the axes expects most of, with the benefit of the doubt (Srinivas et al.
    2010, arXiv 0912.3995): mean plus `doubt` standard deviations, of the last epoch's accuracy, less a `price` for what
    its training takes. Of two candidates that promise as much the one whose epochs are shorter comes first: more can be
    tried in the same time.

    Trainings that were stopped, are paused or run count too, with what their last epoch says of their end
    (`nas.study.curves`). Where `experience` of earlier studies with the same axes is there, the process tells how far
    candidates are from what these would make one expect, and not even the first trial is random. Rejected trials teach
    it what is over the budget.

    Takes part in any study of Optuna that maximizes accuracies and reports them by epochs from 1 to `n_epochs`.
    `distributions`: of the space, if they are known before the first trial. `memory` is for samplers that suggest one
    after the other in the same study. Where dozens of trainings run beside each other one model makes several
    suggestions (`nas.study.memory`), each out of a smaller pool: what the sampler takes must not keep workers waiting.
    """

    def __init__(
        self,
        n_epochs: int,
        seed: int | None = None,
        distributions: Mapping[str, BaseDistribution] | None = None,
        experience: Experience | None = None,
        doubt: float = 0.5,
        price: float = PRICE,
        memory: Memory | None = None,
    ) -> None:
        self.n_epochs, self.doubt, self.price, self.experience = n_epochs, doubt, price, experience
        self.memory = memory or Memory()
        self._distributions = None if distributions is None else dict(distributions)
        self._random = Random(seed)
        self._independent = RandomSampler(seed=seed)

    def reseed_rng(self) -> None:
        """Optuna calls this where a sampler is copied."""
        self._random = Random()
        self._independent.reseed_rng()

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The axes that all trials have."""
        if self._distributions is not None:
            return self._distributions
        common: dict[str, BaseDistribution] | None = None
        for each in study.get_trials(deepcopy=False):
            if each.distributions and each.number != trial.number and each.state != TrialState.WAITING:
                before = each.distributions if common is None else common
                common = {name: d for name, d in each.distributions.items() if before.get(name) == d}
        return common or {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Parameters of the most promising of many candidates."""
        axes = Axes(search_space)
        if not axes:
            return {}
        memory = self.memory
        with memory.lock:
            memory.follow(axes, study.get_trials(deepcopy=False))
            params = memory.hand_out(axes) if memory.n_together > 1 else None
            if params is None:
                params, *ahead = self._suggested(axes, memory.n_together) or [{}]
                memory.ahead = deque(ahead)
            return dict(params)

    def _suggested(self, axes: Axes, n: int) -> list[Params]:
        """Parameters of the most promising of many candidates, `n` times; none where nothing is to learn from."""
        trials = self.memory.trials()
        seen = [each for each in trials if each.intermediate_values]
        if self.experience is None and len(seen) < N_STARTUP:
            return []
        values, variances = finals([each.intermediate_values for each in seen], self.n_epochs)
        if len(seen) > MOST_SEEN:  # what a suggestion takes must not grow for ever
            kept = _spread(values, MOST_SEEN)
            seen, values, variances = [seen[i] for i in kept], values[kept], variances[kept]
        best = [axes.of(seen[i].params) for i in np.argsort(-values)[:N_PARENTS]]
        worth_of = self._model(axes, seen, values, variances)
        within_limits = _limits(axes, trials)
        suggestions = []
        for n_pools in [1] if n == 1 else [min(TOGETHER, n - i) for i in range(0, n, TOGETHER)]:
            pools = [self._pool(axes, best, n_times_smaller=1 if n == 1 else TOGETHER) for _ in range(n_pools)]
            for pool, worth in zip(pools, np.split(worth_of([*chain(*pools)]), n_pools), strict=True):
                best_first = [pool[i] for i in np.argsort(-worth) if not self.memory.is_tried(axes, pool[i])]
                suggestions.append(within_limits(best_first or pool)[0])
        return suggestions

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """At random: the first trials, and what not all trials have."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def _pool(self, axes: Axes, best: Sequence[Params], n_times_smaller: int) -> list[Params]:
        """Random parameters, and the best ones with some axes changed."""
        pool: list[Params] = [axes.drawn(self._random) for _ in range(N_DRAWN // n_times_smaller)]
        for i in range(N_CHANGED // n_times_smaller if best else 0):
            n_changes = self._random.randint(1, MOST_CHANGES)
            pool.append(axes.changed(best[i % len(best)], n_changes, self._random))
        return pool

    def _model(
        self, axes: Axes, seen: Sequence[FrozenTrial], values: Numbers, variances: Numbers
    ) -> Callable[[Sequence[Params]], Numbers]:
        """What candidates are worth, from the values of those that were trained: what is expected of them, with the
        doubt, less the price of their training.
        """
        points = axes.encoded([each.params for each in seen])
        promise = self._promise(points, [each.params for each in seen], values, variances)
        log_macs = self._log_macs(axes, points, seen)

        def worth(pool: Sequence[Params]) -> Numbers:
            pool_points = axes.encoded(pool)
            result: Numbers = promise(pool, pool_points) - self.price * log_macs(pool, pool_points)
            return result

        return worth

    def _promise(self, points: Numbers, params: Sequence[Params], values: Numbers, variances: Numbers) -> OfPool:
        """What is expected of candidates, and the doubt."""
        if not params:

            def from_before(pool: Sequence[Params], _: Numbers) -> Numbers:
                doubts: Numbers = np.array([self._random.gauss(0, self.doubt * FIRST_DOUBT) for _ in pool])
                return self._expected_before(pool) + doubts

            return from_before
        before_these = self._expected_before(params)
        trusted = TRUST if self.experience is not None else TRUST[-1:]
        processes = {share: _fitted(points, values - share * before_these, variances) for share in trusted}
        share = max(trusted, key=lambda each: processes[each].log_likelihood)

        def promise(pool: Sequence[Params], pool_points: Numbers) -> Numbers:
            means, spreads = processes[share].expected(pool_points)
            result: Numbers = share * self._expected_before(pool) + means + self.doubt * spreads
            return result

        return promise

    def _log_macs(self, axes: Axes, points: Numbers, seen: Sequence[FrozenTrial]) -> OfPool:
        """Logarithms of the multiply-accumulates of candidates, but for a constant."""
        experience = self.experience
        counted = [(each.params, macs) for each in seen if (macs := log_macs(each)) is not None]

        def before(pool: Sequence[Params], _: Numbers) -> Numbers:
            return np.zeros(len(pool)) if experience is None else experience.expected_macs(pool)

        if len(counted) < FEWEST_COUNTED:
            return before
        params, costs = [each for each, _ in counted], np.array([macs for _, macs in counted])
        excess = costs - (0.0 if experience is None else experience.expected_macs(params))
        of_counted = points if len(counted) == len(seen) else axes.encoded(params)
        process = process_of_costs(of_counted, excess - excess.mean())

        def expected(pool: Sequence[Params], pool_points: Numbers) -> Numbers:
            return before(pool, pool_points) + process.expected(pool_points)[0]

        return expected

    def _expected_before(self, params: Sequence[Params]) -> Numbers:
        return np.zeros(len(params)) if self.experience is None else self.experience.expected(params)


def _spread(values: Numbers, n: int) -> list[int]:
    """Places of `n` values: the better half of them the best ones, the other half spread over all others."""
    order = np.argsort(-values)
    n_best = n // 2
    others = order[n_best:][np.linspace(0, len(order) - n_best - 1, n - n_best).astype(int)]
    return [*order[:n_best].tolist(), *others.tolist()]


def _fitted(points: Numbers, values: Numbers, variances: Numbers) -> Process:
    return likeliest(points, values - values.mean(), variances)


def _limits(axes: Axes, trials: Sequence[FrozenTrial]) -> Callable[[Sequence[Params]], Sequence[Params]]:
    """Tells the candidates that probably meet the limits, or the one nearest to that; all while none was rejected."""
    with_constraints = (each for each in reversed(trials) if each.constraints)
    checked = list(islice(with_constraints, MOST_SEEN))[::-1]
    # A limit is met where its count is below it, however far: logarithms of their quotient.
    excess = np.array([np.log(max(1e-3, 1 + max(each.constraints.values()))) for each in checked])
    if not (excess > 0).any():
        return lambda candidates: candidates
    points, level = axes.encoded([each.params for each in checked]), excess.mean()
    process = likeliest(points, excess - level, np.full(len(checked), 1e-3))

    def within(candidates: Sequence[Params]) -> Sequence[Params]:
        means, spreads = process.expected(axes.encoded(candidates))
        probable = level + means + 0.5 * spreads
        return [each for each, over in zip(candidates, probable, strict=True) if over <= 0] or [
            candidates[int(probable.argmin())]
        ]

    return within
