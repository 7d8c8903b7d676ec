"""What processes that were killed left behind, removed when the next search of their study begins, and what is missing
where it begins on another machine.
"""

from collections.abc import Iterator
from pathlib import Path

import optuna
from optuna.trial import TrialState

from nas.export.staging import remove_abandoned
from nas.files import remove_partial
from nas.study.record import record_of
from nas.training.checkpoint import checkpoint_path, second_checkpoint_path


def remove_leftovers(study: optuna.Study, checkpoints: Path, out: Path) -> list[Path]:
    """Removes half-written files, checkpoints of trials that are over and have no model, those of second trainings that
    are over, and folders of exports that were killed; returns what was removed.

    Only for who holds the study: another process would have its own files there.
    """
    useless = [each for each in _without_use(study, checkpoints) if each.exists()]
    for each in useless:
        each.unlink(missing_ok=True)
    return [*useless, *remove_partial(checkpoints), *remove_abandoned(out)]


def begin_anew(study: optuna.Study, checkpoints: Path) -> list[int]:
    """Trials that are to go on and have reported epochs, but whose checkpoints are not here."""
    under_way = study.get_trials(deepcopy=False, states=(TrialState.WAITING, TrialState.RUNNING))
    begun = [trial.number for trial in under_way if trial.intermediate_values]
    return [number for number in begun if not checkpoint_path(checkpoints, number).exists()]


def _without_use(study: optuna.Study, checkpoints: Path) -> Iterator[Path]:
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)):
        checkpoint = checkpoint_path(checkpoints, trial.number)
        if trial.state != TrialState.COMPLETE and not record_of(trial).finished:
            yield checkpoint
        yield second_checkpoint_path(checkpoint)
