"""What a study was made with, as it is stored with it: its terms for life, and what its last search was told."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.datasets.schemes import path_in
from nas.errors import StudyError
from nas.files import slug
from nas.network.cost import Budget
from nas.study.goal import Goal
from nas.study.teacher import TEACHER, StudyTeacher
from nas.table import plural
from nas.training.recipe import Recipe

if TYPE_CHECKING:
    import optuna

LAYOUT = 2  # of what is stored of a study: an older one is read, and gone on with; a newer one may mean what it likes
LAYOUT_NAME = "layout"  # the study's user attribute that holds it; studies of layout 1 have none
TERMS = "nas"  # the study's user attribute that holds its terms
OPTIONS = "options"  # the one that holds what its last search was told
TIMED = "timed"  # the one that holds a timing of no trial: that with which it was tried whether anything can be timed
NOTES = "notes"  # the one that holds what is odd about the data


@dataclass(frozen=True)
class Terms:
    """What makes figures of a study comparable: a study keeps these for its whole life.

    `earlier_space_digests` are not stored: texts of the space that read otherwise and suggest the same.
    """

    space: str
    space_digest: str
    dataset: str
    dataset_fingerprint: str
    n_train: int
    n_validation: int
    split_seed: int
    epochs: int
    budget: dict[str, Any]
    minimize: str | None = None  # with the target that is then a term as well
    target: float | None = None
    teacher: str | None = None  # "auto", or the stem of a file's name; None where nobody teaches
    teacher_digest: str | None = None  # of the file, or of all that decides how the automatic one is trained
    deployment: str | None = None  # what it runs as, and what times it; None for any device
    compiler: str | None = None  # whose code figures are of
    quantised: bool = False  # whether candidates are ranked in whole numbers, and trained for these
    weight_bits: int = Recipe.weight_bits  # of weights in whole numbers
    earlier_space_digests: tuple[str, ...] = field(default=(), compare=False)

    @property
    def goal(self) -> Goal:
        """What the study looks for."""
        return Goal(self.minimize, self.target)

    @property
    def limits(self) -> Budget:
        """The budget."""
        return Budget(**self.budget)

    def to_dict(self) -> dict[str, Any]:
        """What is stored."""
        untaught = ("teacher", "teacher_digest") if self.teacher is None else ()
        anywhere = tuple(name for name in ("deployment", "compiler") if getattr(self, name) is None)
        later = tuple(name for name in ("quantised", "weight_bits") if getattr(self, name) == getattr(Terms, name))
        left_out = ("earlier_space_digests", *untaught, *anywhere, *later)
        return {name: value for name, value in asdict(self).items() if name not in left_out}

    def differences(self, stored: Mapping[str, Any]) -> list[str]:
        """In words, what is not as it was when the study was made; contents decide, not names or paths."""
        own = self.to_dict()
        differing = [name for name in {**own, **stored} if stored.get(name) != own.get(name)]
        if stored.get("space_digest") in self.earlier_space_digests:
            differing.remove("space_digest")
        in_words = []
        contents = (("space", "space_digest"), ("dataset", "dataset_fingerprint"), ("teacher", "teacher_digest"))
        for what, content in contents:
            if content in differing and what in differing:
                in_words.append(f"{what} {getattr(self, what)!r} (the study has {stored.get(what)!r})")
            elif content in differing:
                in_words.append(f"{what} {getattr(self, what)!r}, whose content has changed")
        numbers = (
            "n_train",
            "n_validation",
            "split_seed",
            "epochs",
            "budget",
            "minimize",
            "target",
            "deployment",
            "compiler",
            "quantised",
            "weight_bits",
        )
        in_words += [
            f"{name.replace('n_', '')} {getattr(self, name)!r} (the study has {stored.get(name)!r})"
            for name in numbers
            if name in differing
        ]
        return in_words


def check_layout(study: "optuna.Study") -> None:
    """Raises `StudyError` where a newer version of nas has made the study, or gone on with it."""
    layout = study.user_attrs.get(LAYOUT_NAME, 1)
    if layout > LAYOUT:
        raise StudyError(
            f"a study must have a layout that this version of nas knows, up to {LAYOUT}, but {study.study_name!r} has "
            f"{layout}: update nas"
        )


def is_of_nas(study: "optuna.Study") -> bool:
    """Whether nas made the study."""
    return TERMS in study.user_attrs


def terms_of(study: "optuna.Study") -> Terms:
    """What a study of nas was made with."""
    stored = study.user_attrs.get(TERMS)
    if stored is None:
        raise StudyError(f"a study must be one of nas, but {study.study_name!r} was made otherwise")
    return Terms(**stored)


def options_of(study: "optuna.Study") -> dict[str, Any] | None:
    """What the study's last search was told beyond the defaults; None for one that did not note it."""
    options: dict[str, Any] | None = study.user_attrs.get(OPTIONS)
    return options


def target_of(study: "optuna.Study") -> float | None:
    """The accuracy that the study's last search was told to reach, if any."""
    target: float | None = (options_of(study) or {}).get("target")
    return target


def notes_of(study: "optuna.Study") -> list[str]:
    """What is odd about the data that it was searched on."""
    notes: list[str] = study.user_attrs.get(NOTES, [])
    return notes


def note_search(study: "optuna.Study", options: Mapping[str, Any], notes: Sequence[str]) -> None:
    """Stores what a search was told, and what is odd about its data."""
    study.set_user_attr(NOTES, list(notes))
    study.set_user_attr(OPTIONS, dict(options))


def note_timing(study: "optuna.Study", timing: Mapping[str, Any]) -> None:
    """Stores a timing that belongs to no trial."""
    study.set_user_attr(TIMED, dict(timing))


def timing_of(study: "optuna.Study") -> dict[str, Any] | None:
    """The timing that belongs to no trial, if there is one."""
    timing: dict[str, Any] | None = study.user_attrs.get(TIMED)
    return timing


def short_name(dataset: str) -> str:
    """What to call a data set in the name of a study: for one of the user's own the name of its folder or file."""
    path = path_in(dataset)
    if path is None:
        return slug(dataset)
    place = Path(path).expanduser().absolute()
    name = Path(os.path.normpath(place)).name
    return slug(name.removesuffix(f".{dataset.partition(':')[0]}")) or slug(dataset)


def default_name(
    dataset: str,
    budget: Budget,
    space: str,
    epochs: int,
    seed: int,
    goal: Goal,
    teacher: str | None = None,
    deployment: str | None = None,
    *,
    quantised: bool = False,
    weight_bits: int = Recipe.weight_bits,
) -> str:
    """The name of a study that was given none: the same options give the same name."""
    limits = "-".join(f"{limit}-{name}" for name, limit in budget.limits.items())
    smallest = "" if goal.minimize is None else f"-fewest-{goal.minimize}-at-{goal.target:g}"
    deployed = "" if deployment is None else f"-{_short_deployment(deployment)}"
    taught = "" if teacher is None else f"-teacher-{slug(teacher)}"
    in_bits = f"-int{weight_bits}" if quantised else ""
    trained = plural(epochs, "epoch").replace(" ", "-").replace(",", "")
    return f"{short_name(dataset)}-{limits}-{space}-{trained}-seed-{seed}{smallest}{taught}{deployed}{in_bits}"


def former_name(name: str) -> str:
    """What such a study was called when one epoch was "1-epochs"."""
    return name.replace("-1-epoch-seed-", "-1-epochs-seed-")


def _short_deployment(deployment: str) -> str:
    """Such as `c-on-under_qemu.py-88bd6b`: of a command the last word will do, and its digest tells it from others."""
    runs_as, on, command = deployment.partition(" on ")
    return f"{runs_as}-on-{'-'.join(slug(command).split('-')[-2:])}" if on else slug(deployment)


def readable(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """A study's attributes with its terms in words, one by one."""
    in_words = (LAYOUT_NAME, TERMS, OPTIONS, TEACHER, TIMED)
    rest = {name: value for name, value in attributes.items() if name not in in_words and value != []}
    if TEACHER in attributes:
        rest["teacher"] = StudyTeacher(**attributes[TEACHER]).figures
    if TERMS not in attributes:
        return rest
    terms = Terms(**attributes[TERMS])
    return {
        "space": terms.space,
        "data set": terms.dataset,
        "budget": str(terms.limits),
        "epochs": terms.epochs,
        "images": f"{terms.n_train:,} to train, {terms.n_validation:,} to validate",
        **rest,
    }
