"""Making, continuing and finding studies."""

from collections.abc import Mapping

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from nas.errors import StudyError, nearest
from nas.study.busy import note_stretch
from nas.study.experience import Experience
from nas.study.pruners import make_pruner
from nas.study.samplers import Basis, make_sampler
from nas.study.terms import LAYOUT, LAYOUT_NAME, TERMS, Terms, check_layout
from nas.study.trial import let_wait, outcome_of, was_begun


def open_study(
    storage: RDBStorage,
    name: str,
    terms: Terms,
    sampler: str,
    pruner: str,
    seed: int,
    distributions: Mapping[str, BaseDistribution] | None = None,
    experience: Experience | None = None,
    until_target: bool = False,
) -> optuna.Study:
    """The study of that name, made if there is none; `StudyError` if it was made on other terms.

    `distributions`, the space's, and `experience` are for a sampler that can use them; `until_target` says
    that the search ends with the first network that has its target.
    """
    study = optuna.create_study(
        storage=storage,
        study_name=name,
        direction="maximize",
        load_if_exists=True,
        pruner=make_pruner(pruner, terms.epochs, terms.goal, until_target),
    )
    check_layout(study)
    stored = study.user_attrs.get(TERMS)
    if stored is None:
        if study.get_trials(deepcopy=False):
            raise StudyError(
                f"a study to continue must be one of nas, but {name!r} was made otherwise: choose another --study"
            )
        study.set_user_attr(TERMS, terms.to_dict())
    elif differences := terms.differences(stored):
        raise StudyError(
            f"study {name!r} was made on other terms: {'; '.join(differences)}. "
            "Give the options it was made with, or another name with --study"
        )
    study.set_user_attr(LAYOUT_NAME, LAYOUT)
    study.sampler = make_sampler(sampler, seed, Basis(terms.epochs, distributions, experience, until_target))
    return study


def find_study(storage: RDBStorage, name: str | None = None) -> optuna.Study:
    """A study by name, or the one that was begun last; `StudyError` with the nearest name if there is none."""
    summaries = optuna.get_all_study_summaries(storage, include_best_trial=False)
    names = [summary.study_name for summary in summaries]
    if not names:
        raise StudyError(
            "there must be a study, but the database has none: run nas search first, or name its --storage"
        )
    if name is None:
        begun = [s for s in summaries if s.datetime_start is not None] or summaries
        name = max(begun, key=lambda summary: str(summary.datetime_start)).study_name
    if name not in names:
        hint = nearest(name, names, cutoff=0.4) or f": there are {', '.join(map(repr, names))}"
        raise StudyError(f"a study must be one that exists, but got {name!r}{hint}")
    study = optuna.load_study(study_name=name, storage=storage)
    check_layout(study)
    return study


def continue_interrupted(study: optuna.Study) -> int:
    """Has every trial that was interrupted wait for its turn, to go on from its checkpoint; returns how many."""
    trials = study.get_trials(deepcopy=False)
    for trial in trials:
        # Its process is dead: only one controls a study. A paused one stays so.
        if trial.state == TrialState.RUNNING and outcome_of(trial) != "paused":
            note_stretch(study, trial, trials)
            let_wait(study, trial._trial_id)
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    return sum(map(was_begun, waiting))
