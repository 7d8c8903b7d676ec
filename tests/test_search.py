"""Searches as a user runs them: real processes, a real database, real images."""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from random import Random
from subprocess import CompletedProcess

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from processes import is_alive, needs_proc, read_until, workers_of

from nas import datasets
from nas.cli.search import _exit_code
from nas.datasets.dataset import Dataset
from nas.errors import InputError, StudyError, WorkerError, first_cause
from nas.execution.inline import InlineExecutor
from nas.execution.job import Job
from nas.execution.processes import ProcessExecutor
from nas.network.cost import Budget
from nas.searching.options import SearchOptions
from nas.searching.referee import Referee, WhyEnded
from nas.searching.search import SearchResult, search
from nas.space import finding as space
from nas.space.candidate import Task
from nas.space.probing import random_candidates
from nas.study.locks import sole_controller
from nas.study.opening import find_study
from nas.study.record import Record, records
from nas.study.storage import open_storage
from nas.study.trial import Outcome, TrialAttributes

TINY = ("--space", "tiny", "--epochs", "2", "--budget", "3k")
SLOW_TO_TRAIN = ("--space", "tiny", "--epochs", "40", "--budget", "3k", "--pruner", "none")


def table(folder: Path, database: str = "runs/nas.db") -> list[Record]:
    """All trials of the only study of a database."""
    storage = f"sqlite:///{folder / database}"
    (name,) = optuna.get_all_study_names(storage)
    return records(optuna.load_study(study_name=name, storage=storage))


@pytest.mark.usefixtures("one_core")
def test_one_worker_and_the_same_seed_give_the_same_table_to_the_last_digit(nas, tmp_path: Path) -> None:
    for database, seed in (("a.db", "0"), ("b.db", "0"), ("c.db", "1")):
        done = nas(
            "search", *TINY, "--trials", "8", "--workers", "1", "--seed", seed, "--storage", database,
            "--study", "same", "--out", database + ".out",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    first, second, other = ([record.to_dict() for record in table(tmp_path, f"{name}.db")] for name in "abc")
    assert first == second
    assert len(first) >= 8
    assert [row["validation_accuracy"] for row in first] != [row["validation_accuracy"] for row in other]


@pytest.mark.slow
def test_a_training_ends_with_the_first_epoch_that_has_the_target(nas, tmp_path: Path) -> None:
    options = ("search", "--space", "tiny", "--epochs", "12", "--budget", "3k", "--workers", "1", "--trials", "1")
    whole = nas(*options, "--storage", "whole.db")
    assert whole.returncode == 0, whole.stderr
    (undisturbed,) = curves(tmp_path, "whole.db")
    target = sorted(undisturbed)[len(undisturbed) // 2]
    n_epochs = 1 + next(i for i, accuracy in enumerate(undisturbed) if accuracy >= target)
    assert n_epochs < 12
    done = nas(*options, "--target", f"{target}")
    assert done.returncode == 0, done.stderr
    assert curves(tmp_path) == [undisturbed[:n_epochs]]
    (record,) = (record for record in table(tmp_path) if record.epochs)
    assert (record.outcome, record.epochs) == ("finished", n_epochs)
    assert f"finished: the target after epoch {n_epochs} of 12" in done.stdout
    assert f"epoch {n_epochs} of 12 planned" in next((tmp_path / "runs").glob("*.md")).read_text("utf-8")
    again = nas("retrain", "--trial", str(record.trial))
    assert again.returncode == 0, again.stdout
    smallest = nas(*options, "--target", f"{target}", "--minimize", "params", "--storage", "smallest.db")
    assert smallest.returncode == 0, smallest.stderr
    assert curves(tmp_path, "smallest.db") == [undisturbed], "the smallest is compared after all its epochs"


def curves(folder: Path, database: str = "runs/nas.db") -> list[list[float]]:
    """Of the trials that were trained, in order: the accuracy of each epoch."""
    study = optuna.load_study(study_name=None, storage=f"sqlite:///{folder / database}")
    trained = (trial.intermediate_values for trial in study.trials if trial.intermediate_values)
    return [[values[epoch] for epoch in sorted(values)] for values in trained]


def test_a_search_hands_over_a_model_that_loads_without_nas(nas, tmp_path: Path) -> None:
    done = nas("search", *TINY, "--trials", "4", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    best = result["best"][0]
    assert best["params"] <= 3000
    assert best["validation_accuracy"] == max(row["validation_accuracy"] for row in result["best"])
    model = tmp_path / result["model"]
    code = f"import {model.stem} as m; print(sum(p.numel() for p in m.load().parameters()), m.NUM_PARAMS)"
    printed = subprocess.run([sys.executable, "-c", code], cwd=model.parent, text=True, capture_output=True, check=True)
    assert printed.stdout.split() == [str(best["params"])] * 2


def test_exit_code_tells_whether_the_target_was_reached(nas) -> None:
    reached = nas("search", *TINY, "--trials", "6", "--target", "0.2")
    assert (reached.returncode, "Target reached" in reached.stdout) == (0, True), reached.stdout + reached.stderr
    missed = nas("search", *TINY, "--trials", "2", "--target", "1.0", "--seed", "1")
    assert (missed.returncode, "was not reached" in missed.stdout) == (3, True), missed.stdout + missed.stderr


def test_running_the_same_command_again_continues_the_study(nas, tmp_path: Path) -> None:
    assert nas("search", *TINY, "--trials", "3").returncode == 0
    before = table(tmp_path)
    again = nas("search", *TINY, "--trials", "3")
    assert again.returncode == 0
    assert table(tmp_path) == before
    more = nas("search", *TINY, "--trials", "5")
    assert "Continuing" in more.stdout
    after = table(tmp_path)
    assert after[: len(before)] == before
    trained = [record for record in after if record.outcome in ("finished", "pruned")]
    assert len(trained) == 5
    assert len({record.candidate for record in trained}) == 5


@pytest.mark.parametrize("workers", ["2", "3"])
def test_exactly_as_many_candidates_are_trained_as_asked(nas, tmp_path: Path, workers: str) -> None:
    done = nas("search", *TINY, "--trials", "5", "--workers", workers)
    assert done.returncode == 0, done.stderr
    outcomes = [record.outcome for record in table(tmp_path)]
    assert sum(outcome in ("finished", "pruned") for outcome in outcomes) == 5
    assert set(outcomes) <= {"finished", "pruned", "rejected", "repeated"}


def test_rejected_candidates_are_never_trained(nas, tmp_path: Path) -> None:
    done = nas("search", *TINY, "--trials", "4", "--budget", "700", "--sampler", "random")
    assert done.returncode == 0, done.stderr
    rejected = [record for record in table(tmp_path) if record.outcome == "rejected"]
    assert rejected
    for record in rejected:
        assert record.cost is not None
        assert record.cost.params > 700
        assert (record.epochs, record.seed, record.accuracy) == (0, None, None)
    storage = f"sqlite:///{tmp_path / 'runs/nas.db'}"
    study = optuna.load_study(study_name=optuna.get_all_study_names(storage)[0], storage=storage)
    for record in rejected:
        trial = study.trials[record.trial]
        assert trial.state == optuna.trial.TrialState.PRUNED
        assert trial.constraints == {"params": pytest.approx(record.cost.params / 700 - 1)}


def test_the_database_does_not_wait_for_the_disk_at_every_suggestion(tmp_path: Path) -> None:
    with open_storage(str(tmp_path / "nas.db")).engine.connect() as connection:
        assert connection.exec_driver_sql("pragma journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("pragma synchronous").scalar() == 1, "normal"


@needs_proc
@pytest.mark.usefixtures("one_core")
def test_interrupting_stops_cleanly_and_the_next_run_goes_on_with_the_same_digits(start, nas, tmp_path: Path) -> None:
    options = ("search", *SLOW_TO_TRAIN, "--epochs", "16", "--trials", "1", "--workers", "1")
    process = start(*options)
    read_until(process, "epoch  3/16")
    workers = workers_of(process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Interrupted" in output
    assert "run the same command again" in output
    assert "Traceback" not in output
    assert not any(map(is_alive, workers))
    (cut_short,) = (record for record in table(tmp_path) if record.epochs)
    assert (cut_short.outcome, cut_short.epochs < 16) == ("interrupted", True)

    assert "1 interrupted" in nas("status").stdout
    assert nas(*options).returncode == 0
    assert nas(*options, "--storage", "whole.db").returncode == 0
    continued, whole = (table(tmp_path, file)[-1] for file in ("runs/nas.db", "whole.db"))
    assert (continued.outcome, continued.epochs) == ("finished", 16)
    assert continued.to_dict() == whole.to_dict()
    assert "interrupted" not in nas("status").stdout


@needs_proc
@pytest.mark.usefixtures("one_core")
@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["learned", "tpe"])
def test_however_often_it_is_killed_a_search_with_one_worker_ends_in_the_same_table(
    start, nas, tmp_path: Path, sampler: str
) -> None:
    """At moments that have nothing to do with what it does: while it suggests, trains, pauses, or hands over."""
    random = Random(sampler)
    options = ("search", "--space", "tiny", "--budget", "3k", "--epochs", "6", "--trials", "9", "--workers", "1")
    options = (*options, "--sampler", sampler)
    for _ in range(3):
        process = start(*options)
        read_until(process, "Study")
        time.sleep(random.uniform(1, 6))
        os.killpg(process.pid, random.choice([signal.SIGKILL, signal.SIGINT]))
        process.communicate(timeout=60)
    done = nas(*options)
    assert done.returncode == 0, done.stderr
    assert nas(*options, "--storage", "whole.db").returncode == 0
    assert len(table(tmp_path)) >= 9
    killed, whole = ([each.to_dict() for each in table(tmp_path, file)] for file in ("runs/nas.db", "whole.db"))
    assert killed == whole
    assert curves(tmp_path) == curves(tmp_path, "whole.db")


@pytest.mark.slow
@needs_proc
@pytest.mark.usefixtures("one_core")
def test_a_training_that_goes_on_in_another_precision_begins_anew(start, nas, tmp_path: Path) -> None:
    options = ("search", *SLOW_TO_TRAIN, "--epochs", "12", "--trials", "1", "--workers", "1", "--precision")
    process = start(*options, "float32")
    read_until(process, "epoch  2/12")
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    cut_short = table(tmp_path)[-1]
    assert (cut_short.outcome, cut_short.made_with["precision"]) == ("interrupted", "float32")
    assert nas(*options, "bfloat16").returncode == 0
    assert nas(*options, "bfloat16", "--storage", "whole.db").returncode == 0
    continued, whole = (table(tmp_path, file)[-1] for file in ("runs/nas.db", "whole.db"))
    assert (continued.accuracy, continued.made_with) == (whole.accuracy, whole.made_with)


@pytest.mark.slow
@pytest.mark.usefixtures("one_core")
def test_what_a_removed_study_trained_is_not_taken_for_a_new_ones(nas, tmp_path: Path, mnist: Dataset) -> None:
    def search_on(images: slice, storage: str) -> None:
        pixels, labels = mnist.images[images, 0].numpy(), mnist.labels[images].numpy()
        np.savez(tmp_path / "some.npz", x_train=pixels, y_train=labels)
        done = nas(
            "search", *TINY, "--dataset", "npz:some.npz", "--trials", "1", "--workers", "1", "--storage", storage
        )
        assert done.returncode == 0, done.stderr

    search_on(slice(0, 600), "removed.db")
    for file in tmp_path.glob("removed.db*"):
        file.unlink()
    search_on(slice(600, 1200), "removed.db")
    search_on(slice(600, 1200), "runs/fresh.db")
    again, fresh = ([r.to_dict() for r in table(tmp_path, file)] for file in ("removed.db", "runs/fresh.db"))
    assert again == fresh


def test_a_search_refuses_options_and_keywords_together() -> None:
    with pytest.raises(InputError, match="got both, with trials"):
        search(SearchOptions(), trials=10)


def test_what_fails_in_a_worker_is_told(mnist: Dataset, tmp_path: Path) -> None:
    candidate = next(random_candidates(space.load("tiny"), Task((1, 28, 28), 10, 1, Budget(3000))))[0]
    split = datasets.split(replace(mnist, images=mnist.images[:600], labels=mnist.labels[:600]))
    executor = ProcessExecutor(split, 1, 1)
    with pytest.raises(WorkerError, match="IsADirectoryError"):
        list(executor.run(Job(candidate, 0, checkpoint=tmp_path)))
    assert len(list(executor.run(Job(candidate, 0)))) == 1, "the worker lives"
    executor.close()


@needs_proc
def test_a_run_can_be_left_whose_worker_was_killed(few_images: str) -> None:
    candidate = next(random_candidates(space.load("tiny"), Task((1, 28, 28), 10, 3, Budget(3000))))[0]
    before = set(active_children())
    with closing(ProcessExecutor(datasets.split(datasets.load(few_images)), 1, 1)) as executor:
        with executor.run(Job(candidate, 0)) as run:
            next(run)
            (worker,) = set(active_children()) - before
            worker.kill()
            worker.join()
        assert len(list(executor.run(Job(candidate, 0)))) == 3, "another one takes its place"


@needs_proc
@pytest.mark.usefixtures("one_core")
@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--quantised",)], ids=["", "quantised"])
def test_a_killed_worker_costs_no_trial_and_no_digit(start, nas, tmp_path: Path, more: tuple[str, ...]) -> None:
    """Whether it is killed in the middle of its training, or at its very beginning, or twice in one epoch."""
    options = ("search", *SLOW_TO_TRAIN, "--trials", "2", "--workers", "1", "--epochs", "9", *more)
    process = start(*options)
    killed = []
    for heard in ("epoch   2/9", "epoch   5/9", "epoch   6/9"):  # in eight bits it is measured from the sixth on
        read_until(process, heard)
        killed += workers_of(process)
        os.kill(killed[-1], signal.SIGKILL)
    while not (again := [pid for pid in workers_of(process) if pid not in killed]):
        time.sleep(0.05)
    os.kill(again[0], signal.SIGKILL)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert nas(*options, "--storage", "whole.db").returncode == 0
    assert [record.to_dict() for record in table(tmp_path)] == [
        record.to_dict() for record in table(tmp_path, "whole.db")
    ]
    assert curves(tmp_path) == curves(tmp_path, "whole.db")


@pytest.mark.slow
@needs_proc
@pytest.mark.usefixtures("one_core")
def test_a_training_that_kills_its_workers_fails_by_itself(start, tmp_path: Path) -> None:
    process = start("search", *SLOW_TO_TRAIN, "--trials", "1", "--workers", "1", "--epochs", "9")
    read_until(process, "epoch   2/9")
    killed: set[int] = set()
    while len(killed) < 11 and process.poll() is None:  # one that trains, and as many as may end before they do
        for pid in set(workers_of(process)) - killed:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        time.sleep(0.02)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    trained = [record for record in table(tmp_path) if record.candidate is not None]
    assert [record.outcome for record in trained] == ["failed", "finished"]
    assert "signal 9" in trained[0].reason
    assert "in epoch 3" in trained[0].reason or "in epoch 4" in trained[0].reason  # it had gone on until the first kill


def test_the_stop_after_failures_counts_trainings_and_tells_the_first_cause() -> None:
    study = optuna.create_study(direction="maximize")
    referee = Referee(SearchOptions(workers=1), study, InlineExecutor(None))  # type: ignore[arg-type]

    def tell(outcome: Outcome, reason: str) -> None:
        trial = study.ask()
        TrialAttributes(trial).outcome, TrialAttributes(trial).reason = outcome, reason
        referee.after_trial(study.tell(trial, state=TrialState.FAIL))

    tell("failed", "before")
    tell("pruned", "it was trained")
    for i in range(4):
        tell("failed", "OSError: No space left on device" if i == 0 else "RuntimeError: unexpected pos 64 vs 0")
        tell("rejected", "over the budget")
    with pytest.raises(WorkerError, match="No space left on device"):
        tell("failed", "the last")
    assert referee.why_ended == "interrupted"


def test_an_error_says_what_it_began_with() -> None:
    def write() -> None:
        try:
            raise OSError(28, "No space left on device")
        finally:
            raise RuntimeError("unexpected pos 64 vs 0")

    with pytest.raises(RuntimeError) as raised:
        write()
    assert first_cause(raised.value) == "OSError: [Errno 28] No space left on device"


@pytest.mark.slow
@needs_proc
def test_killing_the_search_itself_leaves_no_workers_and_loses_no_finished_epoch(start, nas, tmp_path: Path) -> None:
    options = ("search", *SLOW_TO_TRAIN, "--epochs", "16", "--trials", "2", "--workers", "2")
    process = start(*options)
    read_until(process, "epoch  3/16")
    workers = workers_of(process)
    assert len(workers) == 2
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while any(map(is_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_alive, workers))
    done = nas(*options)
    assert done.returncode == 0, done.stderr
    assert "2 go on where they were cut short" in done.stdout
    finished = [record for record in table(tmp_path) if record.outcome == "finished"]
    assert [record.epochs for record in finished] == [16, 16]


def test_a_second_search_on_the_same_study_is_refused(start, nas) -> None:
    process = start("search", *SLOW_TO_TRAIN, "--trials", "1")
    read_until(process, "epoch  1/40")
    refused = nas("search", *SLOW_TO_TRAIN, "--trials", "1")
    assert refused.returncode == 2
    assert f"process {process.pid} on {socket.gethostname()} works on" in refused.stderr


def test_time_limit_is_kept_in_the_middle_of_a_training(nas, tmp_path: Path) -> None:
    done = nas("search", *SLOW_TO_TRAIN, "--epochs", "2000", "--timeout", "4s", "--workers", "1")
    assert "Time is up" in done.stdout, done.stderr
    assert table(tmp_path)[-1].outcome == "interrupted"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_file_of_a_search_that_is_over_is_all_of_it(
    nas: Callable[..., CompletedProcess[str]], tmp_path: Path, workers: str
) -> None:
    """Whoever takes it along need not know that SQLite keeps what is new in a second one."""
    asked = ("--space", "tiny", "--budget", "3k", "--epochs", "1", "--trials", "2", "--sampler", "random")
    assert nas("search", *asked, "--workers", workers).returncode == 0
    shutil.copy(tmp_path / "runs" / "nas.db", tmp_path / "alone.db")
    alone = find_study(open_storage(str(tmp_path / "alone.db")))
    assert sum(bool(trial.intermediate_values) for trial in alone.trials) == 2


def test_the_same_candidate_is_trained_once(nas, tmp_path: Path) -> None:
    space = tmp_path / "two.py"
    space.write_text(
        "from dataclasses import replace\n"
        "from nas import *\n"
        "def suggest(trial, task):\n"
        "    padding = trial.suggest_categorical('padding', [0, 1])\n"
        "    trial.suggest_int('without_effect', 0, 100)\n"
        "    layers = (Conv(4, 3, padding=padding), Activation(), *gap_head(task.n_classes))\n"
        "    return Candidate(Architecture(task.image_shape, task.n_classes, layers), Recipe(epochs=task.epochs))\n"
    )
    done = nas(
        "search", "--space", str(space), "--epochs", "1", "--trials", "3", "--timeout", "6s", "--pruner", "none",
        "--workers", "1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = table(tmp_path)
    trained = [record for record in found if record.outcome == "finished"]
    repeated = [record for record in found if record.outcome == "repeated"]
    assert len(trained) == 2
    assert repeated
    figures = {record.candidate.digest: record.accuracy for record in trained if record.candidate}
    assert {record.accuracy for record in repeated} <= set(figures.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampler", "pruner"), [("tpe", "hyperband"), ("random", "halving"), ("nsga2", "median"), ("gp", "none")]
)
def test_every_sampler_and_every_pruner_can_be_used(nas, sampler: str, pruner: str) -> None:
    done = nas(
        "search", *TINY, "--trials", "3", "--epochs", "1", "--sampler", sampler, "--pruner", pruner, "--workers", "1"
    )
    assert done.returncode == 0, done.stderr


def test_another_model_of_the_same_name_is_neither_lost_nor_in_the_way(nas, tmp_path: Path) -> None:
    first = nas("search", *TINY, "--trials", "1", "--workers", "1", "--json")
    model = tmp_path / json.loads(first.stdout)["model"]
    model.write_text("# mine\n")
    again = nas("search", *TINY, "--trials", "1", "--workers", "1", "--json")
    assert again.returncode == 0, again.stderr
    other = tmp_path / json.loads(again.stdout)["model"]
    assert (model.read_text(), other.stem) == ("# mine\n", f"{model.stem}_2")
    assert other.with_suffix(".safetensors").exists()


def test_a_study_in_a_file_whose_search_was_killed_is_free_at_once(tmp_path: Path) -> None:
    holding = (
        "import sys, time\n"
        "from nas.study.locks import sole_controller\n"
        "from nas.study.storage import open_storage\n"
        "with sole_controller(open_storage(sys.argv[1]), 'it'):\n"
        "    print('holds it', flush=True)\n"
        "    time.sleep(600)\n"
    )
    database = str(tmp_path / "nas.db")
    with subprocess.Popen([sys.executable, "-c", holding, database], text=True, stdout=subprocess.PIPE) as process:
        read_until(process, "holds it")
        with (
            pytest.raises(StudyError, match=f"process {process.pid} on"),
            sole_controller(open_storage(database), "it"),
        ):
            pass
        process.kill()
        process.wait()
        with sole_controller(open_storage(database), "it"):  # which waits for a second at most
            pass


@pytest.mark.parametrize("target", [None, 0.5])
@pytest.mark.parametrize(
    ("why_ended", "reached", "code"), [("interrupted", False, 130), ("trials", False, 3), ("trials", True, 0)]
)
def test_the_exit_code_of_an_interrupted_search_is_130_with_a_target_and_without(
    why_ended: WhyEnded, reached: bool, code: int, target: float | None
) -> None:
    ended = SearchResult(SearchOptions(target=target), None, why_ended, reached, [], {}, None)  # type: ignore[arg-type]
    assert _exit_code(ended) == (0 if target is None and code == 3 else code)


@needs_proc
def test_where_there_is_no_room_for_a_checkpoint_no_training_is_to_blame(few_images: str, tmp_path: Path) -> None:
    candidate = next(random_candidates(space.load("tiny"), Task((1, 28, 28), 10, 3, Budget(3000))))[0]
    job = Job(candidate, 0, checkpoint=tmp_path / "trial.pt")
    before = set(active_children())
    with closing(ProcessExecutor(datasets.split(datasets.load(few_images)), 1, 1)) as executor:
        with executor.run(job) as run:
            next(run)
            (worker,) = set(active_children()) - before
            assert worker.pid is not None
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (1000, -1))
            with pytest.raises(StudyError, match=r"must be room .* run the same command again"):
                list(run)
        assert [file.name for file in tmp_path.iterdir()] == ["trial.pt"], "the last whole one"
        assert len(list(executor.run(job))) == 3, "it goes on"
