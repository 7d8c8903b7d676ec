"""Trainings that are paused, and go on when they have become promising."""

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from random import Random

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import IntDistribution
from optuna.trial import TrialState, create_trial
from processes import needs_proc, read_until
from test_search import table

from nas import datasets
from nas.execution.processes import ProcessExecutor
from nas.network.cost import Cost
from nas.searching.loop import Loop
from nas.searching.objective import Objective
from nas.searching.options import SearchOptions
from nas.searching.referee import Referee
from nas.study.goal import Goal
from nas.study.pausing import PausingPruner
from nas.study.trial import TrialAttributes, outcome_of, reported

Run = Callable[..., subprocess.CompletedProcess[str]]
SMALL = ("search", "--space", "tiny", "--budget", "3k", "--epochs", "6", "--workers", "1", "--sampler", "random")


def paused_at(study: optuna.Study, values: list[float]) -> int:
    """A trial that runs, and has reported so much."""
    trial = study.ask()
    for epoch, value in enumerate(values, start=1):
        trial.report(value, epoch)
    return trial.number


@given(st.integers(1, 60), st.integers(2, 4))
def test_rungs_leave_at_least_half_of_the_training(epochs: int, factor: int) -> None:
    rungs = PausingPruner(epochs, factor).rungs
    assert rungs[0] == 1
    assert all(b == factor * a for a, b in pairwise(rungs))
    assert all(2 * rung <= epochs for rung in rungs[1:])


def compared_anew(pruner: PausingPruner, study: optuna.Study, rung: int) -> list[int]:
    """By definition: the best third of all that came to a rung, the best first, of two alike the earlier."""
    there = [
        each
        for each in study.get_trials(deepcopy=False)
        if rung in each.intermediate_values and each.state != TrialState.FAIL
    ]
    there = [each for each in there if TrialAttributes(each).repeats is None]
    there.sort(key=lambda trial: -trial.intermediate_values[rung])
    n = len(there) // pruner.factor
    return [trial.number for trial in there[: max(1, n) if rung > 1 or pruner.until_target else n]]


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_where_a_trial_stands_is_as_if_all_were_compared_again(seed: int, until_target: bool) -> None:
    """Whatever came in between: reports, ends, failures, repetitions, and equal accuracies."""
    random, pruner = Random(seed), PausingPruner(18, until_target=until_target)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    trials: dict[int, optuna.Trial] = {}
    for _ in range(40):
        if not trials or random.random() < 0.3:
            trial = study.ask()
            trials[trial.number] = trial
            if random.random() < 0.1:
                TrialAttributes(trial).repeats = 0
        trial = random.choice(list(trials.values()))
        epoch = 1 + len(reported(trial))
        trial.report(random.randrange(8) / 8, epoch)
        stops, rung = trial.should_prune(), passed(pruner, epoch)
        if not until_target:
            assert stops == (epoch in pruner.rungs and trial.number not in compared_anew(pruner, study, epoch))
        elif trial.number in compared_anew(pruner, study, rung):
            assert not stops
        paused = random.sample(sorted(trials), len(trials) // 2)
        standing = {number: passed(pruner, len(reported(trials[number]))) for number in paused}
        promising = [
            number
            for rung in reversed(pruner.rungs)
            for number in compared_anew(pruner, study, rung)
            if standing.get(number) == rung
        ]
        assert pruner.goes_on(study, paused) == (promising[0] if promising else None)
        if random.random() < 0.15:
            state = random.choice([TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL])
            study.tell(trials.pop(trial.number), 0.5 if state == TrialState.COMPLETE else None, state=state)


def passed(pruner: PausingPruner, n_epochs: int) -> int:
    """The rung that a trial has passed last."""
    return max(rung for rung in pruner.rungs if rung <= max(1, n_epochs))


@given(st.lists(st.floats(0.1, 0.99), min_size=1, max_size=20, unique=True), st.booleans())
def test_the_best_third_goes_on_and_no_other(values: list[float], until_target: bool) -> None:
    study = optuna.create_study(direction="maximize", pruner=PausingPruner(9, until_target=until_target))
    numbers = [paused_at(study, [value]) for value in values]
    pruner = study.pruner
    assert isinstance(pruner, PausingPruner)
    going_on, waiting = [], set(numbers)
    while (number := pruner.goes_on(study, waiting)) is not None:
        waiting.remove(number)
        going_on.append(values[number])
        assert not pruner.prune(study, study.trials[number])
    n = max(until_target, len(values) // 3)  # where a target ends the search, the best so far at once
    assert going_on == sorted(values, reverse=True)[:n]
    assert all(pruner.prune(study, study.trials[number]) for number in waiting)


def test_where_a_target_ends_the_search_who_is_overtaken_with_less_training_stops_and_no_other() -> None:
    study = optuna.create_study(direction="maximize", pruner=PausingPruner(20, until_target=True))
    pruner = study.pruner
    assert isinstance(pruner, PausingPruner)
    first = paused_at(study, [0.90, 0.93])
    assert not pruner.prune(study, study.trials[first]), "nobody else is there"
    paused_at(study, [0.92])
    assert not pruner.prune(study, study.trials[first]), "behind its second epoch it is better than the other so far"
    paused_at(study, [0.94])
    assert pruner.prune(study, study.trials[first])


def test_what_came_furthest_goes_on_first_and_at_the_end_one_does() -> None:
    study = optuna.create_study(direction="maximize", pruner=PausingPruner(9))
    pruner = study.pruner
    assert isinstance(pruner, PausingPruner)
    far = [paused_at(study, [0.5, 0.6, 0.7]), paused_at(study, [0.5, 0.6, 0.8])]
    assert pruner.goes_on(study, far) == far[1], "behind the first rung the best so far does"
    assert pruner.goes_on(study, far[:1]) is None
    near = [paused_at(study, [value]) for value in (0.9, 0.1)]
    assert pruner.goes_on(study, {*far, *near}) == far[1]
    assert pruner.goes_on(study, {far[0], *near}) == near[0], "a third of four"
    assert pruner.goes_on(study, {far[0], near[1]}) is None
    assert pruner.goes_on(study, {far[0], near[1]}, none_begins=True) == far[0]
    study.add_trial(create_trial(value=0.9, intermediate_values={9: 0.9}))
    assert pruner.goes_on(study, {far[0]}, none_begins=True) is None, "one has been trained to its end"


def test_what_is_not_smaller_than_a_network_with_the_target_does_not_go_on() -> None:
    goal = Goal("params", 0.95)
    study = optuna.create_study(direction="maximize", pruner=PausingPruner(9, goal=goal))
    pruner = study.pruner
    assert isinstance(pruner, PausingPruner)
    for accuracy, params in (([0.8], 900), ([0.9], 1100), ([0.7], 500)):
        trial = study.ask()
        TrialAttributes(trial).cost = Cost(params=params)
        for epoch, value in enumerate(accuracy, start=1):
            trial.report(value, epoch)
    reached = {epoch: 0.8 + 0.02 * epoch for epoch in range(1, 10)}
    study.add_trial(
        create_trial(
            params={"x": 1}, distributions={"x": IntDistribution(0, 9)}, value=0.98, intermediate_values=reached,
            user_attrs={"params": 1000},
        )
    )  # fmt: skip
    assert pruner.goes_on(study, {0, 1, 2}) == 0, "0.8 is near enough to 0.82; 0.7 is not, and 1,100 are too many"
    assert pruner.goes_on(study, {1, 2}) is None


@pytest.mark.slow
def test_a_search_pauses_and_goes_on_with_the_digits_of_an_undisturbed_training(nas: Run, tmp_path: Path) -> None:
    done = nas(*SMALL, "--trials", "8", "--pruner", "pausing")
    assert done.returncode == 0, done.stderr
    records = {record.trial: record for record in table(tmp_path) if record.epochs}
    assert sorted({record.outcome for record in records.values()}) == ["finished", "pruned"]
    assert len(records) == 8
    storage = f"sqlite:///{tmp_path / 'runs/nas.db'}"
    study = optuna.load_study(study_name=None, storage=storage)
    assert not [trial for trial in study.trials if trial.state == TrialState.RUNNING]
    order = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("trial") and " epoch " in line]
    resumed = [n for n in set(order) if order.index(n) + order.count(n) <= len(order) - order[::-1].index(n) - 1]
    assert resumed, "another trial was trained between two epochs of one"
    assert nas(*SMALL, "--trials", "8", "--pruner", "none", "--storage", "whole.db").returncode == 0
    whole = {record.seed: record for record in table(tmp_path, "whole.db") if record.epochs}
    for record in records.values():
        if record.finished:
            assert record.accuracy == whole[record.seed].accuracy
    kept = {file.name for file in (tmp_path / "runs").rglob("trial-*.pt")}
    assert kept >= {f"trial-{n:05d}.pt" for n, record in records.items() if record.finished}
    assert not kept & {f"trial-{n:05d}.pt" for n, record in records.items() if record.outcome == "pruned"}


@pytest.mark.slow
@needs_proc
def test_what_is_paused_waits_for_the_next_search_whatever_ends_this_one(start, nas: Run, tmp_path: Path) -> None:
    options = (*SMALL, "--trials", "8", "--pruner", "pausing")
    process = start(*options)
    read_until(process, "2 paused")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    paused = [record.trial for record in table(tmp_path) if record.outcome == "paused"]
    assert len(paused) >= 2
    assert f"{len(paused)} paused" in nas("status").stdout
    assert nas("report", "-o", "report.html").returncode == 0
    assert f"of which it stopped {len(paused)} early" in (tmp_path / "report.html").read_text("utf-8")
    done = nas(*options)
    assert done.returncode == 0, done.stderr
    assert nas(*options, "--storage", "whole.db").returncode == 0
    continued, whole = (
        {
            record.seed: (record.outcome, record.accuracy, record.epochs)
            for record in table(tmp_path, file)
            if record.epochs
        }
        for file in ("runs/nas.db", "whole.db")
    )
    assert set(continued) >= {seed for seed in whole if seed is not None and seed < 2}
    finished = [seed for seed, (outcome, *_) in continued.items() if outcome == "finished"]
    assert finished
    for seed in finished:
        if whole.get(seed, ("",))[0] == "finished":
            assert continued[seed] == whole[seed]


@pytest.mark.parametrize("trials", [1, 2, 3])
def test_the_smallest_search_has_a_winner(nas: Run, trials: int) -> None:
    done = nas(*SMALL, "--trials", str(trials), "--pruner", "pausing")
    assert done.returncode == 0, done.stderr
    assert "Model: " in done.stdout


def test_a_trial_that_was_about_to_go_on_stays_paused_when_the_search_ends(few_images: str) -> None:
    study = optuna.create_study(direction="maximize", pruner=PausingPruner(6))
    split = datasets.split(datasets.load(few_images))
    with closing(ProcessExecutor(split, 1, 1)) as executor:
        referee = Referee(SearchOptions(workers=1), study, executor)
        loop = Loop(study, Objective("tiny", budget=3000, epochs=6, split=split, executor=executor), referee, lambda: 1)
        paused, new = study.ask(), study.ask()
        TrialAttributes(paused).outcome = "paused"
        referee.end("interrupted")
        loop._do(paused, goes_on=True)
        loop._do(new, goes_on=False)
    assert [outcome_of(trial) for trial in study.trials] == ["paused", "interrupted"]
    assert [trial.state for trial in study.trials] == [TrialState.RUNNING, TrialState.WAITING]
