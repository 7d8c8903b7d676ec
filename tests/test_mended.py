"""What was met by chance and mended, each once: the behaviour that was wrong before, as people met it."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from multiprocessing import active_children
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import optuna
import pytest
import sqlalchemy
from optuna.trial import FrozenTrial, TrialState, create_trial
from small_study import SmallStudy

from nas import datasets
from nas.dashboard.models import exports
from nas.datasets import Dataset
from nas.execution.processes import ProcessExecutor
from nas.network.architecture import Architecture
from nas.network.kinds import Activation, Conv, gap_head
from nas.replication.batch import Batch, Means, Training
from nas.report.progress import progress
from nas.searching.options import SearchOptions
from nas.searching.referee import Referee
from nas.space.candidate import Candidate
from nas.study.busy import busy_spans, end_stretch, note_stretch
from nas.study.opening import open_study
from nas.study.record import ranked, record_of
from nas.study.status import status, statuses
from nas.study.storage import open_storage
from nas.study.terms import Terms
from nas.study.trial import TrialAttributes
from nas.training.recipe import Recipe

Run = Callable[..., CompletedProcess[str]]


def one_line(done: CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if not line.endswith(" …"))  # what is being done
    return line


def test_networks_of_other_activations_read_otherwise() -> None:
    def network(*function: Any) -> str:
        return str(Architecture((1, 9, 9), 3, (Conv(4), Activation(*function), *gap_head(3))))

    assert network() == network("relu") == "conv 3×3 4, global average pool, FC 3"
    assert network("gelu") == "conv 3×3 4, gelu, global average pool, FC 3"


def test_no_workers_are_refused_by_all_that_train(nas: Run, small_search: Path, tmp_path: Path) -> None:
    shutil.copytree(small_search, tmp_path, dirs_exist_ok=True)
    for command in (["search"], ["check"], ["confirm"], ["reproduce", "B5"], ["ablate", "B5", "--axis", "lr"]):
        assert "workers must be a whole number above 0, but got 0" in one_line(nas(*command, "--workers", "0"))


def terms(**changes: Any) -> Terms:
    plain: dict[str, Any] = {
        "space": "tiny",
        "space_digest": "",
        "dataset": "npz:nowhere.npz",
        "dataset_fingerprint": "",
        "n_train": 1,
        "n_validation": 1,
        "split_seed": 0,
        "epochs": 3,
        "budget": {"params": 1000},
    }
    return Terms(**(plain | changes))


def test_a_study_without_trials_is_said_to_have_none(nas: Run, few_images: str, tmp_path: Path) -> None:
    dataset = datasets.load(few_images)
    made_on = terms(dataset=few_images, dataset_fingerprint=dataset.fingerprint, n_validation=500)
    (tmp_path / "runs").mkdir()
    open_study(open_storage(str(tmp_path / "runs" / "nas.db")), "empty", made_on, "random", "none", 0)
    for command in (["retrain", "--trial", "0"], ["export", "--trial", "0"], ["show", "0"]):
        assert "there is none yet, but got 0" in one_line(nas(*command))


def trial(number: int, begin: float, end: float, **changes: Any) -> FrozenTrial:
    """One that lasted from `begin` to `end`, in hours."""
    start = datetime(2024, 1, 1)
    plain: dict[str, Any] = {"user_attrs": {"outcome": "finished"}, "intermediate_values": {1: 0.5}, "value": 0.5}
    made = create_trial(**(plain | changes))
    made.number = number
    made.datetime_start, made.datetime_complete = start + timedelta(hours=begin), start + timedelta(hours=end)
    return made


def test_a_killed_search_does_not_count_the_night_in_the_report_either(tmp_path: Path) -> None:
    """The next search tells the killed trial in the morning; `nas status` and the report reckon alike."""
    storage = open_storage(str(tmp_path / "nas.db"))
    study = open_study(storage, "killed", terms(), "random", "none", 0)
    killed = {"user_attrs": {}, "value": None, "state": TrialState.FAIL}
    study.add_trials([trial(0, 0, 1), trial(1, 0.5, 10, **killed), trial(2, 10, 10.25)])
    assert status(study, storage).seconds == 1.25 * 3600
    assert [moment.seconds for moment in progress(study)] == [3600, 1.25 * 3600]


def test_without_the_folder_of_spaces_there_is_one_line_and_a_space_of_ones_own_is_read(tmp_path: Path) -> None:
    without = (
        "import sys\nfrom pathlib import Path\nfrom nas import shipped\n"
        "shipped.PACKAGE = Path('nowhere/nas').absolute()\n"
        "from nas.cli import main\nmain(sys.argv[1:])\n"
    )
    (tmp_path / "without.py").write_text(without)
    (tmp_path / "own.py").write_text("answer = 42\n")
    for args, words in (
        (["search", "--help"], "not completely installed"),
        (["search", "--dataset", "npz:x.npz", "--space", "tiny"], "not completely installed"),
        (["search", "--dataset", "npz:x.npz", "--space", "own.py"], "must define suggest(trial, task)"),
    ):
        command = [sys.executable, "without.py", *args]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert words in one_line(done)


def test_status_asks_the_database_as_often_for_each_study_however_many_there_are(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "nas.db"))
    asked: list[int] = []
    for n_studies in (5, 20):
        for number in range(len(optuna.get_all_study_names(storage)), n_studies):
            open_study(storage, f"study {number}", terms(), "random", "none", 0).add_trial(trial(0, 0, 1))
        statements: list[str] = []
        sqlalchemy.event.listen(
            storage.engine, "before_cursor_execute", lambda *event, seen=statements: seen.append(event[2])
        )
        assert len(statuses(storage)) == n_studies
        asked.append(len(statements))
    assert asked[1] <= 4 * asked[0]


def test_a_model_is_known_by_what_it_states_and_not_by_its_prose(searched: SmallStudy, tmp_path: Path) -> None:
    winner = ranked(searched.study)[0]
    (model,) = [each for each in exports([searched.folder]) if each.is_of(searched.study.study_name, winner)]
    text = model.file.read_text("utf-8")
    (tmp_path / "reworded.py").write_text(text.replace("Made by trial", "Fait par l'essai"), "utf-8")
    (tmp_path / "other.py").write_text(text.replace(f'"trial": {winner.trial},', '"trial": 77,'), "utf-8")
    matching = {each.file.name: each.is_of(searched.study.study_name, winner) for each in exports([tmp_path])}
    assert matching == {"reworded.py": True, "other.py": False}


@pytest.mark.skipif(not hasattr(signal, "raise_signal"), reason="needs to send itself a signal")
def test_ending_a_search_from_a_signal_handler_takes_no_lock(mnist: Dataset) -> None:
    """Whatever lock it took, the thread that it interrupts might hold."""
    study = optuna.create_study(direction="maximize")
    executor = ProcessExecutor(datasets.split(mnist), 1, 1)
    referee = Referee(SearchOptions(workers=1), study, executor)
    called: list[str] = []

    def watch(frame: Any, event: str, argument: Any) -> None:
        if event == "c_call":
            called.append(argument.__qualname__)

    sys.setprofile(watch)
    try:
        referee.end("interrupted")
    finally:
        sys.setprofile(None)
    assert referee.why_ended == "interrupted"
    assert not [name for name in called if "lock" in name.lower() or "acquire" in name]


def test_a_batch_keeps_its_workers_from_one_seed_to_the_next(few_images: str, tmp_path: Path) -> None:
    split = datasets.split(datasets.load(few_images))
    candidate = Candidate(Architecture((1, 28, 28), 10, (Conv(2, 5, 4), *gap_head(10))), Recipe(epochs=1))
    before = set(active_children())
    with Batch(split, "few", Means(workers=2, folder=tmp_path), most=1) as batch:
        batch.train([Training(candidate, seed=0)])
        (first,) = set(active_children()) - before
        batch.train([Training(candidate, seed=1)])
        assert set(active_children()) - before == {first}
    assert set(active_children()) <= before


def test_where_the_clock_was_set_back_no_time_is_negative() -> None:
    """Neither stored nor told, however a trial was left."""
    study = optuna.create_study()
    trial, hour = study.ask(), timedelta(hours=1)
    TrialAttributes(trial).resumed = (datetime.now() + hour).isoformat()
    end_stretch(trial)
    TrialAttributes(trial).resumed = (datetime.now() + hour).isoformat()
    note_stretch(study, study.trials[0], study.trials)
    stretches = TrialAttributes(study.trials[0]).stretches
    assert stretches
    assert all(begin <= end for begin, end in stretches)
    study.tell(trial, 0.5)
    (told,) = study.trials
    assert told.datetime_complete is not None
    told.datetime_start = told.datetime_complete + hour
    assert record_of(told).seconds == 0
    assert all(span.start <= span.end for span in busy_spans([told], searching=True))
