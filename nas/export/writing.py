"""Putting files where they belong: checked first, all or none, and nothing overwritten unasked."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from nas.errors import ExportError, FileInTheWay, InputError
from nas.export.card import card, renewed
from nas.export.check import check_definition, check_images
from nas.export.figures import Figure
from nas.export.formats import DEFAULT, FORMATS, check_formats, refused_by
from nas.export.frozen import Definition, FrozenModel
from nas.export.prepared import Images
from nas.export.python import network_source
from nas.export.script import script
from nas.export.staging import staging
from nas.files import check_module_name, make_folder, write_whole
from nas.interruption import held_back


class Written(NamedTuple):
    """The files of an export, the model first, what else the user must know of them, a line each, and what they are."""

    files: tuple[Path, ...]
    notes: tuple[str, ...]
    model: FrozenModel


def write(
    model: FrozenModel,
    name: str,
    folder: Path,
    images: Tensor,
    labels: Tensor,
    *,
    training_images: Tensor | None = None,
    storage: str | None = None,
    teacher: Path | None = None,
    formats: Sequence[str] = DEFAULT,
    force: bool = False,
) -> Written:
    """Write the model in each of the formats (see `nas.export.formats`) into `folder`, once they have been checked.

    Beside them go a model card, NAME.md, and, where the `storage` of the study is known, a script NAME.sh that trains
    the model again; with the file of its `teacher`, if it had one.

    `images` (uint8, `(n, channels, height, width)`) and `labels` (`(n,)`) are the validation part that the accuracy was
    measured on; `training_images` are needed by a format with calibrated ranges. Files that are there already with the
    same content are left as they are.

    Raises `InputError` for a name that a Python file should not have, for images that are not the validation part, for
    an unknown format, and for a folder that cannot be written to; `ExportError` if the files fail the check, or others
    of that name are there and `force` is not given. Nothing has been written then.
    """
    check_module_name(name, "model")
    check_formats(formats)
    if not formats:
        raise InputError(f"formats must be some of {', '.join(FORMATS)}, but got none")
    reason = refused_by(model.architecture, formats)
    if reason is not None:
        raise ExportError(reason)
    check_images(model, images, labels)
    usable = Images(images, labels, training_images)
    prepared = [FORMATS[each].prepare(model, name, usable) for each in dict.fromkeys(formats)]
    contents = {folder / file: content for each in prepared for file, content in each.contents.items()}
    figures = [figure for each in prepared for figure in each.figures]
    card_before = _renewed_card(model, name, folder, storage, figures)
    contents |= _companions(model, name, folder, storage, teacher, figures) | card_before

    def check(staging: Path) -> None:
        for each in prepared:
            each.check(staging)

    _write_checked(contents, folder, name, force, check, replaces=tuple(card_before))
    return Written(tuple(contents), tuple(note for each in prepared for note in each.notes), model)


def add_to_card(written: Written, storage: str | None, figures: Sequence[Figure]) -> None:
    """Adds what was found out of files after they were written; a card that was changed since is left as it is.

    Raises `InputError` where it cannot be written.
    """
    file = written.files[0]
    for path, content in _renewed_card(written.model, file.stem, file.parent, storage, figures).items():
        try:
            write_whole(path, content.decode())
        except OSError as error:
            raise InputError(
                f"{path} cannot be written ({error.strerror}): make room, or name another folder"
            ) from error


def _companions(
    model: FrozenModel,
    name: str,
    folder: Path,
    storage: str | None,
    teacher: Path | None,
    figures: Sequence[Figure],
) -> dict[Path, bytes]:
    """The model card, and the script that trains the model again."""
    texts = {folder / f"{name}.md": card(model, name, _script_of(name, storage), figures)}
    if storage is not None:
        texts[folder / f"{name}.sh"] = script(model, name, storage, folder, teacher)
    return {path: text.encode(errors="backslashreplace") for path, text in texts.items()}


def _renewed_card(
    model: FrozenModel, name: str, folder: Path, storage: str | None, figures: Sequence[Figure]
) -> dict[Path, bytes]:
    """The card of this model that is there already, with further figures; nothing where there is none."""
    path = folder / f"{name}.md"
    try:
        before = path.read_text("utf-8")
    except (OSError, ValueError):
        return {}
    text = renewed(before, model, name, _script_of(name, storage), figures)
    return {} if text is None else {path: text.encode(errors="backslashreplace")}


def _script_of(name: str, storage: str | None) -> str | None:
    return f"{name}.sh" if storage is not None else None


def write_definition(definition: Definition, text: str, name: str, folder: Path, *, force: bool = False) -> Path:
    """Write NAME.py alone, a network without weights, with `text` as its docstring; checked as by `write`."""
    check_module_name(name, "model")
    path = folder / f"{name}.py"
    contents = {path: network_source(definition, text).encode()}
    _write_checked(contents, folder, name, force, lambda staging: check_definition(definition, name, staging))
    return path


def _write_checked(
    contents: Mapping[Path, bytes],
    folder: Path,
    name: str,
    force: bool,
    check_in: Callable[[Path], None],
    replaces: Sequence[Path] = (),
) -> None:
    """All files or none: they are checked in a folder of their own first. What it `replaces` may be overwritten."""
    kept = {path: content for path, content in contents.items() if path not in replaces}
    try:
        make_folder(folder)
        _refuse_to_overwrite(kept, force)
        with staging(folder, name) as made:
            for path, content in contents.items():
                (made / path.name).write_bytes(content)
                if path.suffix == ".sh":
                    (made / path.name).chmod(0o755)
            check_in(made)
            _refuse_to_overwrite(kept, force)  # another process may have been faster
            with held_back():
                for path, content in reversed(list(contents.items())):  # the model last: with it all is there
                    if not _holds(path, content):
                        os.replace(made / path.name, path)
    except OSError as error:
        raise InputError(f"{name} cannot be written to {folder} ({error.strerror}): name another folder") from error


def _refuse_to_overwrite(contents: Mapping[Path, bytes], force: bool) -> None:
    for path, content in contents.items():
        if not force and path.exists() and not _holds(path, content):
            raise FileInTheWay(f"{path} is there already, with another content: use --force, or another name")


def _holds(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() == content
