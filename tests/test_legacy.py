"""What nas left behind before its rooms were rebuilt is read, shown, gone on with and handed over as ever.

`tests/legacy` was made by revision 60664e7 (nas 0.1.0) on a data set as `few_images`, in a file few.npz, by

    nas search --space tiny --dataset npz:few.npz --budget 900 --epochs 3 --trials 4 --workers 1 --study old
        --sampler random --target 0.999
    nas confirm --study old --top 2 --seeds 2 --workers 1

and a search of six trials that was killed in its first training. `nas.sql` is the database as text.
"""

import json
import shutil
import sqlite3
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
from test_cli import check_refused

from nas.dashboard.models import exports
from nas.study.confirmation import confirmations
from nas.study.opening import find_study
from nas.study.record import records
from nas.study.storage import open_storage
from nas.study.trial import TrialAttributes

Run = Callable[..., CompletedProcess[str]]
LEGACY = Path(__file__).parent / "legacy"
WINNER = 29
GO_ON = (
    *("search", "--space", "tiny", "--dataset", "npz:few.npz", "--budget", "900", "--epochs", "3", "--study", "old"),
    *("--sampler", "random", "--target", "0.999", "--workers", "1"),
)


@pytest.fixture
def legacy(few_images: str, tmp_path: Path, nas: Run) -> Run:
    """`nas` in a folder with all of it, and the data set where it was."""
    shutil.copy(few_images.removeprefix("npz:"), tmp_path / "few.npz")
    shutil.copytree(LEGACY / "left_behind", tmp_path / "runs")
    with sqlite3.connect(tmp_path / "runs" / "nas.db") as connection:
        connection.executescript((LEGACY / "nas.sql").read_text("utf-8"))
    connection.close()
    return nas


def test_a_study_is_listed_and_shown(legacy: Run) -> None:
    status = legacy("status").stdout
    assert "1 finished, 3 pruned, 37 rejected, 1 interrupted" in status
    assert "28.80 % with 776 parameters (trial 29)" in status
    rows = {row["trial"]: row for row in json.loads(legacy("trials", "--json").stdout)}
    assert (rows[WINNER]["outcome"], rows[WINNER]["params"], rows[WINNER]["macs"]) == ("finished", 776, 151_764)
    assert rows[WINNER]["accuracy"] == 0.288
    shown = legacy("show", str(WINNER)).stdout
    assert "28.80 % after epoch 3" in shown
    assert "nas 0.1.0" in shown
    assert "conv 3×3 10 p1" in shown


def test_layers_of_a_rejected_trial_are_made_again_by_the_space_as_it_reads_today(legacy: Run) -> None:
    number = next(row["trial"] for row in json.loads(legacy("trials", "--json", "--outcome", "rejected").stdout))
    details = json.loads(legacy("show", str(number), "--json").stdout)
    assert sum(layer["params"] for layer in details["layers"]) == details["params"] > 900


def test_candidates_have_the_digests_that_they_were_stored_under(legacy: Run, tmp_path: Path) -> None:
    """Another one for the same candidate would train it again."""
    study = find_study(open_storage(str(tmp_path / "runs" / "nas.db")), "old")
    stored = [TrialAttributes(trial) for trial in study.get_trials()]
    digests = [(each.candidate.digest, each.digest) for each in stored if each.candidate is not None and each.digest]
    assert len(digests) == 5
    assert all(now == then for now, then in digests)
    assert all(each.candidate.recipe.to_dict() == each.recipe for each in stored if each.candidate is not None)


def test_a_front_and_a_report_are_written(legacy: Run, tmp_path: Path) -> None:
    assert "776" in legacy("pareto", "--by", "bytes").stdout + legacy("pareto").stdout
    assert legacy("report", "-o", "report.html").returncode == 0
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "32.75 ± 3.65 % of the test set" in page


def test_a_search_goes_on_with_the_training_that_was_killed(legacy: Run, tmp_path: Path) -> None:
    study = find_study(open_storage(str(tmp_path / "runs" / "nas.db")), "old")
    killed = records(study)[41]
    done = legacy(*GO_ON, "--trials", "5")
    assert done.returncode == 3, done.stderr
    assert "1 go on where they were cut short" in done.stdout
    study = find_study(open_storage(str(tmp_path / "runs" / "nas.db")), "old")
    assert records(study)[41].seed == killed.seed
    assert records(study)[41].candidate == killed.candidate
    assert records(study)[41].outcome in ("finished", "pruned")


def test_what_was_confirmed_is_not_trained_or_tested_again(legacy: Run, tmp_path: Path) -> None:
    """Trainings are found by the precision that they were made in."""
    study = find_study(open_storage(str(tmp_path / "runs" / "nas.db")), "old")
    (before,) = confirmations(study)
    done = legacy("confirm", "--study", "old", "--top", "2", "--seeds", "2", "--precision", "bfloat16", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["test_accuracy"] == list(before.accuracy.values)
    assert json.loads(done.stdout)["n_test_readings"] == before.n_readings == 2


@pytest.mark.slow
def test_weights_are_exported_and_trained_again(legacy: Run) -> None:
    done = legacy("export", "--trial", str(WINNER), "--out", "models", "--format", "py", "--format", "torch")
    assert done.returncode == 0, done.stderr
    again = legacy("retrain", "--trial", str(WINNER))
    assert again.returncode in (0, 1), "the digits are those of the machine and the versions it was trained with"
    assert "Traceback" not in again.stderr


def test_a_model_is_used_and_found_for_its_trial(legacy: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = find_study(open_storage(str(tmp_path / "runs" / "nas.db")), "old")
    (confirmed,), record = confirmations(study), records(study)[WINNER]
    models = {export.file.name: export for export in exports([tmp_path / "runs"])}
    plain, tested = models["few_776_trial_29.py"], models["few_776_trial_29_confirmed.py"]
    assert plain.is_of("old", record, confirmed)
    assert tested.is_of("old", record, confirmed)
    assert not plain.is_of("other", record, confirmed)
    assert not tested.is_of("old", records(study)[38], confirmed)
    monkeypatch.syspath_prepend(tmp_path / "runs")
    monkeypatch.setitem(sys.modules, "few_776_trial_29", None)
    del sys.modules["few_776_trial_29"]
    model = import_module("few_776_trial_29").load()
    with torch.no_grad():
        assert model(torch.zeros(2, 1, 28, 28, dtype=torch.uint8)).shape == (2, 10)


def test_a_study_of_a_newer_version_is_refused(legacy: Run, tmp_path: Path) -> None:
    study = find_study(open_storage(str(tmp_path / "runs" / "nas.db")), "old")
    study.set_user_attr("layout", 1_000)
    for command in (GO_ON, ("trials", "--study", "old"), ("export", "--study", "old")):
        check_refused(legacy(*command), "layout", "1000", "update nas")
