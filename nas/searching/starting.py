"""What a search starts from: earlier studies of the user's, and what nas comes with."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from optuna.distributions import BaseDistribution
from optuna.storages import RDBStorage

from nas import shipped
from nas.errors import InputError, StudyError
from nas.searching.options import NOTHING, SHIPPED, starting_points
from nas.study.experience import Experience, Lesson, experience_of, lesson_of, read_lessons
from nas.study.opening import find_study
from nas.study.terms import terms_of


def experience_for(
    start_from: str, storage: RDBStorage, distributions: Mapping[str, BaseDistribution]
) -> Experience | None:
    """What the parts of `start_from` teach of a space with these axes; None if that is nothing.

    Raises `StudyError` where a study that was named, or a file, has nothing to say on it.
    """
    lessons: list[Lesson] = []
    for part in starting_points(start_from):
        if part == NOTHING:
            continue
        of_part = _lessons(part, storage)
        if part != SHIPPED and experience_of(of_part, distributions) is None:
            raise StudyError(
                f"a study to start from must have at least half of its axes in common with the space, but {part!r} has "
                f"{_in_common(of_part, distributions)}: start from {NOTHING}, or from another one"
            )
        lessons += of_part
    return experience_of(lessons, distributions)


def _lessons(part: str, storage: RDBStorage) -> Sequence[Lesson]:
    if part == SHIPPED:
        return [lesson for file in sorted(shipped.lessons().glob("*.json")) for lesson in read_lessons(file)]
    if part.endswith(".json"):
        try:
            return read_lessons(Path(part).expanduser())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"a file to start from must hold lessons, but {part} does not: {error}") from error
    study = find_study(storage, part)
    return [lesson_of(study, terms_of(study).epochs)]


def _in_common(lessons: Sequence[Lesson], distributions: Mapping[str, BaseDistribution]) -> str:
    names = sorted({name for lesson in lessons for name in lesson.distributions if name in distributions})
    return ", ".join(names) if names else "none"
