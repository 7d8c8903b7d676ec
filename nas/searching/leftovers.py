"""What processes that were killed left behind, removed when the next search of their study begins, and what is missing
where it begins on another machine.
"""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
from optuna.trial import TrialState

from nas.study.record import record_of
from nas.training.checkpoint import checkpoint_path

STAGING = re.compile(r"\.\w+_trial_\d+\w*-\w{8}")  # folders in which `nas.export.writing` checks what it hands over
LIVES = 3600.0  # seconds for which a staging folder may be another process's


def remove_leftovers(study: optuna.Study, checkpoints: Path, out: Path) -> list[Path]:
    """Removes half-written files, checkpoints of trials that are over and have no model, and folders of exports that
    were killed; returns what was removed.

    Only for who holds the study: another process would have its own files there.
    """
    leftovers = [*checkpoints.glob("*.tmp"), *_without_use(study, checkpoints), *_staging(out)]
    for each in leftovers:
        if each.is_dir():
            shutil.rmtree(each, ignore_errors=True)
        else:
            each.unlink(missing_ok=True)
    return leftovers


def begin_anew(study: optuna.Study, checkpoints: Path) -> list[int]:
    """Trials that are to go on and have reported epochs, but whose checkpoints are not here."""
    under_way = study.get_trials(deepcopy=False, states=(TrialState.WAITING, TrialState.RUNNING))
    begun = [trial.number for trial in under_way if trial.intermediate_values]
    return [number for number in begun if not checkpoint_path(checkpoints, number).exists()]


def _without_use(study: optuna.Study, checkpoints: Path) -> Iterator[Path]:
    over = study.get_trials(deepcopy=False, states=(TrialState.PRUNED, TrialState.FAIL))
    for trial in over:
        checkpoint = checkpoint_path(checkpoints, trial.number)
        if not record_of(trial).finished and checkpoint.exists():
            yield checkpoint


def _staging(out: Path) -> Iterator[Path]:
    before = time.time() - LIVES
    for folder in out.glob(".*"):
        if STAGING.fullmatch(folder.name) and folder.is_dir() and folder.stat().st_mtime < before:
            yield folder
