"""The sampler that learns, what it learns from, and what is believed of trainings that are not over."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial
from test_cli import check_refused

from nas.network.cost import Budget, cost_of
from nas.space import finding
from nas.space.candidate import Task
from nas.space.probing import axes_of, feasible_share
from nas.study import experience, learned
from nas.study.axes import Axes
from nas.study.curves import finals, logit
from nas.study.experience import Experience, Lesson, experience_of
from nas.study.gaussian import Kernel, Process, likeliest
from nas.study.learned import LearnedSampler
from nas.study.memory import EACH, Memory
from nas.study.trial import TrialAttributes

Run = Callable[..., CompletedProcess[str]]
AXES = {
    "depth": IntDistribution(1, 5),
    "size": IntDistribution(8, 256, log=True),
    "even": IntDistribution(2, 10, step=2),
    "rate": FloatDistribution(0.01, 1.0, log=True),
    "share": FloatDistribution(0.0, 1.0),
    "tenths": FloatDistribution(0.0, 0.5, step=0.1),
    "order": CategoricalDistribution(["before", "after", None]),
}
EPOCHS = 9


def worth(params: dict[str, Any]) -> float:
    """An accuracy that is best at depth 4, rate 0.1, size 32, and after."""
    off = abs(params["depth"] - 4) / 4 + abs(np.log10(params["rate"]) + 1) + abs(np.log2(params["size"] / 32)) / 3
    return float(0.99 - 0.1 * off - 0.05 * (params["order"] != "after"))


def accuracy(params: dict[str, Any], epoch: int) -> float:
    return worth(params) - 0.3 * (1 - epoch / EPOCHS)


def played(study: optuna.Study, n: int) -> list[float]:
    """Trials of which all but the first three are stopped after three epochs; what each would come to."""
    values = []
    for i in range(n):
        trial = study.ask(AXES)
        values.append(worth(trial.params))
        last = EPOCHS if i < 3 else 3
        for epoch in range(1, last + 1):
            trial.report(accuracy(trial.params, epoch), epoch)
        if last == EPOCHS:
            study.tell(trial, worth(trial.params))
        elif i % 2:
            study.tell(trial, state=TrialState.PRUNED)  # the others run, or are paused
    return values


# Axes -----------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1))
def test_what_is_drawn_lies_within_the_axes_and_is_distinguished(seed: int) -> None:
    axes, random = Axes(AXES), Random(seed)
    params = axes.drawn(random)
    assert axes.covers(params)
    (point,) = axes.encoded([params])
    assert (point >= 0).all()
    assert (point <= 1).all()
    n = random.randint(1, len(AXES))
    changed = axes.changed(params, n, random)
    assert axes.covers(changed)
    assert sum(changed[name] != params[name] for name in AXES) <= n
    same = changed == params
    assert same == bool(np.allclose(*axes.encoded([params, changed]), atol=1e-12))


def test_what_lies_outside_is_not_covered() -> None:
    axes, params = Axes(AXES), Axes(AXES).drawn(Random(0))
    for name, value in {"depth": 6, "rate": 2.0, "order": "beside"}.items():
        assert not axes.covers({**params, name: value})
    assert not axes.covers({name: value for name, value in params.items() if name != "depth"})


# Belief ---------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(2, 30))
def test_a_process_believes_what_it_saw_and_doubts_what_it_did_not(seed: int, n: int) -> None:
    random = np.random.default_rng(seed)
    points, values = random.random((n, 4)), random.standard_normal(n)
    kernel = Kernel()
    means, spreads = Process(kernel, points, values, np.full(n, 1e-4)).expected(points)
    # By definition (Rasmussen and Williams 2006, equations 2.25 and 2.26), solved in another way.
    covariance = kernel.between(points, points)
    seen = covariance + (1e-4 + 1e-6) * np.eye(n)
    np.testing.assert_allclose(means, covariance @ np.linalg.solve(seen, values), atol=1e-6)
    variances = np.diag(covariance - covariance @ np.linalg.solve(seen, covariance))
    np.testing.assert_allclose(spreads**2, np.maximum(variances, 1e-12), atol=1e-7)
    far, near = np.full((1, 4), 30.0), points[:1]
    process = Process(kernel, points, values, np.full(n, 1e-4))
    assert process.expected(far)[1] > process.expected(near)[1]


def test_the_likeliest_kernel_is_chosen() -> None:
    random = np.random.default_rng(0)
    points = random.random((60, 3))
    steep = likeliest(points, 0.3 * np.sin(12 * points[:, 0]), np.full(60, 1e-4))
    straight = likeliest(points, points[:, 0] - 0.5, np.full(60, 1e-4))
    assert steep.kernel.length < straight.kernel.length


def test_the_end_is_concluded_from_the_beginning_as_others_went() -> None:
    random = np.random.default_rng(0)
    ends = random.uniform(0.9, 0.99, 40)
    curves: list[dict[int, float]] = []
    for end in ends:
        start = float(1 / (1 + np.exp(-(2 * logit([end])[0] - 3))))  # twice as far apart as they end
        curves.append({1: start, 3: (start + end) / 2, EPOCHS: end})
    values, _ = finals(curves, EPOCHS)
    np.testing.assert_allclose(values, logit(ends))
    begun = [*curves[:20], *({1: curve[1]} for curve in curves[20:])]
    expected, doubts = finals(begun, EPOCHS)
    assert np.abs(expected[20:] - logit(ends[20:])).max() < 0.15
    assert (doubts[20:] > doubts[:20].max()).all()
    alone, _ = finals([{1: 0.5}, {1: 0.7}], EPOCHS)
    assert alone[1] > alone[0], "the order stays where nothing ended yet"


# The sampler ----------------------------------------------------------------------------------------------------------


def test_it_learns_from_trainings_that_are_not_over() -> None:
    """The last ten of 30 trials; over eight seeds they were 0.90 on average, random ones 0.83, those of TPE 0.85."""
    learned, random = (
        [played(optuna.create_study(direction="maximize", sampler=make(seed)), 30) for seed in range(6)]
        for make in (lambda seed: LearnedSampler(EPOCHS, seed), optuna.samplers.RandomSampler)
    )
    assert np.mean([each[-10:] for each in learned]) > np.mean(random) + 0.04


def test_the_same_seed_suggests_the_same() -> None:
    one, other, third = (
        [trial.params for trial in study.trials]
        for study in (optuna.create_study(sampler=LearnedSampler(EPOCHS, seed)) for seed in (1, 1, 2))
        if played(study, 12)
    )
    assert one == other
    assert one != third


def test_earlier_studies_spare_the_random_start() -> None:
    random = Random(5)
    params = [Axes(AXES).drawn(random) for _ in range(60)]
    lesson = Lesson("test", AXES, params, logit([worth(each) - 0.05 for each in params]).tolist(), [0.0] * len(params))
    experience = experience_of([lesson], AXES)
    assert experience is not None
    firsts = [
        played(optuna.create_study(sampler=LearnedSampler(EPOCHS, seed, AXES, experience)), 1) for seed in range(8)
    ]
    assert np.mean(firsts) > np.quantile([worth(each) for each in params], 0.7)


def test_what_misleads_is_overcome() -> None:
    """Lessons that say the opposite: after 40 trials the sampler is past them."""
    random = Random(5)
    params = [Axes(AXES).drawn(random) for _ in range(60)]
    values = logit([1 - worth(each) for each in params]).tolist()
    wrong = Experience([Lesson("test", AXES, params, values, [0.0] * len(params))])
    values = played(optuna.create_study(sampler=LearnedSampler(EPOCHS, 0, AXES, wrong)), 40)
    assert np.mean(values[-10:]) > np.mean(values[:10]) + 0.05


def test_suggestions_come_to_meet_the_limits() -> None:
    """Few random candidates of the documented space meet 2,000 parameters. It learns which, from rejections alone."""
    space, task = finding.load("documented"), Task((1, 28, 28), 10, EPOCHS, Budget(2_000))
    axes = axes_of(space, task)
    shares = []
    for seed in range(2):
        study = optuna.create_study(direction="maximize", sampler=LearnedSampler(EPOCHS, seed, axes))
        feasible = []
        for _ in range(60):
            trial = study.ask()
            violation = cost_of(space.suggest(trial, task).architecture).params / 2_000 - 1
            trial.set_constraint("params", violation)
            feasible.append(violation <= 0)
            if violation <= 0:
                trial.report(0.9, 1)
            study.tell(trial, state=TrialState.PRUNED)
        shares.append(np.mean(feasible[-40:]))
    assert np.mean(shares) > feasible_share(space, task) + 0.1  # over three seeds 0.78 to 0.52 when this was written


@pytest.mark.parametrize("from_lessons", [False, True])
def test_of_what_promises_as_much_the_cheaper_is_suggested(from_lessons: bool) -> None:
    """Here the accuracy does not depend on `share`, and the cost on nothing else."""

    def log_macs(params: dict[str, Any]) -> float:
        return float(10 + 3 * params["share"])

    random = Random(0)
    params = [Axes(AXES).drawn(random) for _ in range(60)]
    costs = [log_macs(each) for each in params]
    lesson = Lesson("test", AXES, params, logit([worth(each) for each in params]).tolist(), costs)
    shares, accuracies = {}, {}
    for price in (0.0, 0.3):
        studies = []
        for seed in range(2):
            before = Experience([lesson]) if from_lessons else None
            sampler = LearnedSampler(EPOCHS, seed, AXES, before, price=price)
            study = optuna.create_study(direction="maximize", sampler=sampler)
            for _ in range(4 if from_lessons else 20):
                trial = study.ask(AXES)
                trial.set_user_attr("macs", round(np.exp(log_macs(trial.params))))
                trial.report(worth(trial.params), EPOCHS)
                study.tell(trial, worth(trial.params))
            studies.append(study)
        lasts = [trial for study in studies for trial in study.trials[-4:]]
        shares[price] = np.mean([trial.params["share"] for trial in lasts])
        accuracies[price] = np.mean([worth(trial.params) for trial in lasts])
    assert shares[0.3] < shares[0.0] - 0.2
    assert accuracies[0.3] > accuracies[0.0] - 0.05


def test_what_a_sampler_remembers_changes_no_suggestion() -> None:
    """Until dozens of trainings run beside each other: then one model makes several."""
    study, random = optuna.create_study(direction="maximize"), Random(0)
    memory = Memory()
    for number in range(70):
        trial = study.ask()
        frozen = study.trials[-1]
        remembering, anew = (LearnedSampler(EPOCHS, number, AXES, memory=each) for each in (memory, Memory()))
        suggested = remembering.sample_relative(study, frozen, AXES)
        assert suggested == anew.sample_relative(study, frozen, AXES)
        params = suggested or Axes(AXES).drawn(random)
        for name, distribution in AXES.items():
            study._storage.set_trial_param(
                trial._trial_id, name, distribution.to_internal_repr(params[name]), distribution
            )
        for epoch in range(1, random.choice([1, 3, EPOCHS]) + 1):
            trial.report(accuracy(trial.params or params, epoch), epoch)
        match random.randrange(3):
            case 0:
                study.tell(trial, worth(params))
            case 1:
                TrialAttributes(trial).outcome = "paused"
            case 2 if number % 4:
                study.tell(trial, state=random.choice([TrialState.PRUNED, TrialState.FAIL]))


def test_where_many_run_one_model_makes_several_suggestions(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there are sixteens of trainings; each of them another one, and as good as one by one."""
    n_models = 0

    def count(points: Any, values: Any, noise: Any) -> Process:
        nonlocal n_models
        n_models += 1
        return likeliest(points, values, noise)

    monkeypatch.setattr(learned, "likeliest", count)
    study = optuna.create_study(direction="maximize", sampler=LearnedSampler(EPOCHS, 0, AXES))
    running = [study.ask(AXES) for _ in range(160)]
    for trial in running[:100]:
        trial.report(worth(trial.params), EPOCHS)
        study.tell(trial, worth(trial.params))
    later = [study.ask(AXES) for _ in range(20)]
    assert n_models <= 20 / (60 // EACH) + 1
    assert len({tuple(trial.params.values()) for trial in later}) == 20
    assert (
        np.mean([worth(trial.params) for trial in later]) > np.mean([worth(trial.params) for trial in running]) + 0.05
    )


def test_a_suggestion_takes_no_longer_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model is made of so many trials at most, the best ones among them."""
    sizes: list[int] = []

    def spy(points: Any, values: Any, noise: Any) -> Process:
        sizes.append(len(points))
        return likeliest(points, values, noise)

    monkeypatch.setattr(learned, "likeliest", spy)
    monkeypatch.setattr(experience, "likeliest", spy)
    study = optuna.create_study(direction="maximize", sampler=LearnedSampler(EPOCHS, 0, AXES))
    random = Random(0)
    for _ in range(300):
        params = Axes(AXES).drawn(random)
        study.add_trial(
            create_trial(
                params=params, distributions=AXES, value=worth(params), intermediate_values={EPOCHS: worth(params)},
                constraints={"params": 0.1},
            )
        )  # fmt: skip
    study.ask(AXES)
    assert set(sizes) == {learned.MOST_SEEN}


def test_a_space_whose_axes_depend_on_others_is_sampled_too() -> None:
    study = optuna.create_study(direction="maximize", sampler=LearnedSampler(EPOCHS, 0))
    for _ in range(30):
        trial = study.ask()
        deep = trial.suggest_categorical("deep", [False, True])
        rate = trial.suggest_float("rate", 0.01, 1.0, log=True)
        bonus = 0.01 * trial.suggest_int("more", 1, 3) if deep else 0.0
        trial.report(0.9 - abs(np.log10(rate) + 1) / 10 + bonus, EPOCHS)
        study.tell(trial, 0.9)
    off = [abs(np.log10(trial.params["rate"]) + 1) for trial in study.trials]
    assert len(set(off)) == 30
    assert np.mean(off[-10:]) < np.mean(off[:8]) / 2, "it learns the axes that all trials have"


# Lessons --------------------------------------------------------------------------------------------------------------


def test_a_lesson_is_read_as_it_was_written_and_seen_by_spaces_that_share_its_axes() -> None:
    random = Random(0)
    params = [Axes(AXES).drawn(random) for _ in range(30)]
    lesson = Lesson("here", AXES, params, [0.1 * i for i in range(30)], [0.2 * i for i in range(30)])
    again = Lesson.from_dict(lesson.to_dict())
    assert again.distributions == AXES
    np.testing.assert_allclose([again.values, again.macs], [lesson.values, lesson.macs], atol=1e-3)
    np.testing.assert_allclose(Axes(AXES).encoded(again.params), Axes(AXES).encoded(params), atol=1e-3)
    wider = {**AXES, "teacher_weight": FloatDistribution(0, 1)}
    seen = lesson.seen_by(wider)
    assert seen is not None
    assert seen.distributions.keys() == AXES.keys()
    narrower = {**AXES, "depth": IntDistribution(1, 2)}
    fewer = lesson.seen_by(narrower)
    assert fewer is None or all(each["depth"] <= 2 for each in fewer.params)
    other = {name: FloatDistribution(0, 1) for name in AXES}
    assert lesson.seen_by(other) is None


def test_a_search_starts_from_an_earlier_one(nas: Run) -> None:
    small = ("search", "--space", "tiny", "--epochs", "1", "--workers", "1", "--sampler", "learned")
    assert nas(*small, "--budget", "3k", "--trials", "10", "--study", "first").returncode == 0
    started = nas(*small, "--budget", "2500", "--trials", "2", "--study", "second", "--start-from", "first")
    assert started.returncode == 0, started.stderr


def test_bad_input_is_one_line(nas: Run, tmp_path: Path) -> None:
    small = ("search", "--space", "tiny", "--epochs", "1", "--workers", "1", "--budget", "3k", "--trials", "1")
    check_refused(nas(*small, "--start-from", "nothing,first"), "start-from", "nothing")
    check_refused(nas(*small, "--start-from", "no-such.json"), "no-such.json", "lessons")
    assert nas(*small, "--study", "first").returncode == 0
    check_refused(nas(*small, "--study", "b", "--start-from", "frist"), "study", "did you mean 'first'?")
    check_refused(nas(*small, "--study", "b", "--start-from", "first"), "at least 10", "'first' has 1")
    (tmp_path / "broken.json").write_text('[{"origin": 1}]')
    check_refused(nas(*small, "--study", "b", "--start-from", "broken.json"), "broken.json", "lessons")
