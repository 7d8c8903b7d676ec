"""Studies as things: deleted, renamed, copied, put into one file and taken out of it.

A study is what the database holds of it and a folder of checkpoints and weights. Whatever is done is done to both, by
the process that holds the study alone: none that is being searched or confirmed is touched.
"""

import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO

import optuna
import sqlalchemy

from nas.errors import InputError, StudyError
from nas.files import make_parent, replacing
from nas.study.locks import CONFIRMING, HOLDER, LOCK, sole_controller
from nas.study.opening import find_study
from nas.study.storage import Storage, checkpoint_folder, open_storage, runs_folder
from nas.study.teacher import teacher_of
from nas.version import __version__

LONGEST = 512  # characters of a study's name, in Optuna's tables
DATABASE, ABOUT, CHECKPOINTS, TEACHERS = "study.db", "study.json", "checkpoints", "teachers"
LOCKS = (LOCK, CONFIRMING, HOLDER)


def delete(storage: Storage, name: str) -> None:
    """Removes a study with its checkpoints and weights; models that were exported stay."""
    with _held(storage, name) as folder:
        optuna.delete_study(study_name=name, storage=storage)
        shutil.rmtree(folder, ignore_errors=True)


def rename(storage: Storage, name: str, new: str) -> None:
    """Gives a study another name, and its folder."""
    _check_free(storage, new)
    with _held(storage, name) as folder:
        target = checkpoint_folder(storage, new)
        shutil.rmtree(target, ignore_errors=True)  # of a study that was removed otherwise
        shutil.copytree(folder, target, ignore=shutil.ignore_patterns(*LOCKS))
        with storage.engine.begin() as connection:
            update = sqlalchemy.text("update studies set study_name = :new where study_name = :old")
            connection.execute(update, {"new": new, "old": name})
        shutil.rmtree(folder, ignore_errors=True)


def copy(storage: Storage, name: str, new: str) -> None:
    """A second study that is as the first one, and goes on by itself."""
    _check_free(storage, new)
    with _held(storage, name) as folder, _all_or_none(storage, new):
        optuna.copy_study(from_study_name=name, from_storage=storage, to_storage=storage, to_study_name=new)
        shutil.copytree(folder, checkpoint_folder(storage, new), ignore=shutil.ignore_patterns(*LOCKS))


def export_to(storage: Storage, name: str, file: Path) -> None:
    """Writes a study, its checkpoints and weights, and the teacher that was trained for it, into one file, a zip."""
    study = find_study(storage, name)
    make_parent(file)
    with (
        _held(storage, study.study_name) as folder,
        TemporaryDirectory() as place,
        replacing(file.resolve()) as partial,
    ):
        database = Path(place) / DATABASE
        target = open_storage(str(database))
        optuna.copy_study(from_study_name=study.study_name, from_storage=storage, to_storage=target)
        target.fold_log()
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(ABOUT, json.dumps({"study": study.study_name, "nas": __version__}))
            archive.write(database, DATABASE)
            for each in sorted(folder.iterdir()):
                if each.is_file() and each.name not in LOCKS:
                    archive.write(each, f"{CHECKPOINTS}/{each.name}")
            for each in _teachers_files(study, storage):
                archive.write(each, f"{TEACHERS}/{each.name}")


def import_from(storage: Storage, file: Path, name: str | None = None) -> str:
    """Takes a study out of such a file, under its own name or another one, which is returned.

    Raises `StudyError` for a file that is none, and for a name that is taken; nothing is changed then.
    """
    try:
        with zipfile.ZipFile(file) as archive, TemporaryDirectory() as place:
            inside = str(json.loads(archive.read(ABOUT))["study"])
            archive.extract(DATABASE, place)
            new = inside if name is None else name
            _check_free(storage, new)
            with _all_or_none(storage, new):
                source = open_storage(str(Path(place) / DATABASE), must_exist=True)
                find_study(source, inside)  # which knows whether its layout is known
                optuna.copy_study(from_study_name=inside, from_storage=source, to_storage=storage, to_study_name=new)
                source.engine.dispose()
                _unpack(archive, CHECKPOINTS, checkpoint_folder(storage, new))
                _unpack(archive, TEACHERS, runs_folder(storage) / TEACHERS)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else error
        raise StudyError(
            f"a study is imported from a file that nas studies export wrote, but {file} is none ({reason})"
        ) from error
    return new


@contextmanager
def _held(storage: Storage, name: str) -> Iterator[Path]:
    """The folder of a study that exists, and that nobody else works on meanwhile."""
    folder = checkpoint_folder(storage, find_study(storage, name).study_name)
    with sole_controller(storage, name):
        folder.mkdir(parents=True, exist_ok=True)  # a server's study may have been trained elsewhere
        yield folder


@contextmanager
def _all_or_none(storage: Storage, new: str) -> Iterator[None]:
    """Removes what was made of a new study where the block fails, also by Ctrl-C."""
    try:
        yield
    except BaseException:
        if new in optuna.get_all_study_names(storage):
            optuna.delete_study(study_name=new, storage=storage)
        shutil.rmtree(checkpoint_folder(storage, new), ignore_errors=True)
        raise


def _check_free(storage: Storage, new: str) -> None:
    if not 0 < len(new) <= LONGEST:
        raise InputError(f"a study's name must have 1 to {LONGEST} characters, but got {len(new)}: choose another")
    if new in optuna.get_all_study_names(storage):
        raise StudyError(f"a new name must be free, but there is a study {new!r} already: choose another")


def _teachers_files(study: optuna.Study, storage: Storage) -> list[Path]:
    """Of a teacher that lies beside the database; one that the user gave stays where it is."""
    teacher = teacher_of(study)
    if teacher is None or Path(teacher.file).parts[:-1] != (TEACHERS,):
        return []
    source = runs_folder(storage) / teacher.file
    return [each for each in (source, source.with_suffix(".safetensors")) if each.is_file()]


def _unpack(archive: zipfile.ZipFile, inside: str, folder: Path) -> None:
    """The files of one folder of an archive, flat: whatever a name in it says, it leads nowhere else."""
    for member in archive.infolist():
        path = PurePosixPath(member.filename)
        if path.parent.name == inside and len(path.parts) == 2 and not (folder / path.name).exists():
            folder.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, replacing(folder / path.name) as partial:
                _pour(source, partial)


def _pour(source: IO[bytes], path: Path) -> None:
    with path.open("wb") as target:
        shutil.copyfileobj(source, target)
