"""The teacher of a study: what is stored of it, said of it, and how its file is found again."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from nas.errors import StudyError
from nas.space.candidate import Candidate
from nas.table import clock, per_cent, plural

if TYPE_CHECKING:  # whoever lists studies does not wait for torch
    from nas.training.teacher import Teacher

TEACHER = "teacher"  # study attribute


@dataclass(frozen=True)
class StudyTeacher:
    """The network whose scores are soft labels in a study's trainings.

    `file` is relative to the folder of the study's database where it lies in there. `accuracy` is measured on the
    study's validation part when the search begins, in float32; `certain`: no image of the validation or test part has
    been trained on, which `trained_on` says in words, as a sentence. `study` is the one in which it was trained, for
    `epochs` and `seconds`; a file that was given has none, and cost this study nothing.
    """

    name: str
    file: str
    digest: str
    params: int
    accuracy: float
    trained_on: str
    certain: bool
    study: str | None = None
    epochs: int = 0
    seconds: float = 0.0

    @property
    def figures(self) -> str:
        """Which it is, in words."""
        return (
            f"{self.name} ({self.params:,} parameters, {per_cent(self.accuracy)} of the validation part, digest "
            f"{self.digest})"
        )

    @property
    def sentences(self) -> str:
        """For those who get a network that it taught."""
        return (
            f"Distilled: the scores of a teacher, {self.figures}, were one more term of the loss in its training. "
            f"{self.trained_on}"
        )

    @property
    def cost(self) -> str:
        """What it took, which is not among the trials of the study."""
        if self.study is None:
            return "given as a file, whose training is not counted"
        return (
            f"{plural(self.epochs, 'epoch')} in {clock(self.seconds)} besides, once for all studies that use it, in "
            f"the study {self.study!r}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, and for the study."""
        return asdict(self)


def teacher_of(study: optuna.Study) -> StudyTeacher | None:
    """The teacher of a study; None if there is none, or none yet."""
    stored = study.user_attrs.get(TEACHER)
    return None if stored is None else StudyTeacher(**stored)


def taught_by(study: optuna.Study, candidate: Candidate | None) -> StudyTeacher | None:
    """The study's teacher, if its scores had a part in this candidate's loss."""
    return teacher_of(study) if candidate is not None and candidate.recipe.teacher_weight > 0 else None


def store_teacher(study: optuna.Study, teacher: StudyTeacher) -> None:
    """Keeps which teacher a study has; `StudyError` if it had another one before."""
    before = teacher_of(study)
    if before is not None and before.digest != teacher.digest:
        raise StudyError(
            f"a study has one teacher for its whole life, but that of {study.study_name!r} had the digest "
            f"{before.digest} and {teacher.file} has {teacher.digest}: restore {before.file} from a copy, or give "
            "another --study"
        )
    if before is None:
        study.set_user_attr(TEACHER, teacher.to_dict())


def as_stored(file: Path, folder: Path) -> str:
    """A path as it is kept with a study whose database lies in `folder`, which can be moved as a whole."""
    file, folder = file.resolve(), folder.resolve()
    return os.path.relpath(file, folder) if file.is_relative_to(folder) else str(file)


def find_teacher(study: optuna.Study, folder: Path, file: Path | None = None) -> "Teacher | None":
    """A study's teacher, to train with again; None if it has none. `folder` is that of its database.

    `file` is where it lies now, if not where it was. Raises `StudyError` where it is gone, or is not what it was.
    """
    stored = teacher_of(study)
    if stored is None:
        if file is not None:
            raise StudyError(f"a teacher is given, but study {study.study_name!r} has none: leave out --teacher")
        return None
    file = folder / stored.file if file is None else file
    if not file.is_file():
        raise StudyError(
            f"the teacher of study {study.study_name!r} must be there to train with again, but there is no {file}: "
            "restore it, or say with --teacher FILE.py where it is"
        )
    from nas.training.teacher import Teacher, read

    content = read(file)
    if content.digest != stored.digest:
        raise StudyError(
            f"the teacher of study {study.study_name!r} must be the one that it was searched with, but {file} has the "
            f"digest {content.digest}, not {stored.digest}: restore it, or say with --teacher FILE.py where it is"
        )
    return Teacher(file.resolve(), content.digest)
