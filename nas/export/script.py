"""The script beside a model that trains it again: one command, and what it needs as comments."""

import os
from pathlib import Path
from shlex import quote

import sqlalchemy

from nas.export.frozen import FrozenModel
from nas.export.words import how_made, visible, wrapped
from nas.study.storage import sqlite_file
from nas.study.urls import full_url

PASSWORD = "NAS_STORAGE"


def script(model: FrozenModel, name: str, storage: str, folder: Path, teacher: Path | None = None) -> str:
    """The text of NAME.sh, which lies in `folder`.

    `storage` is the study's database as nas was given it, `teacher` the file of whoever taught the model.
    """
    made = model.provenance
    comments = [
        f"Trains {name} again and compares each epoch's accuracy and losses with the stored ones. Ends with 0 if all "
        "digits are equal, with 1 if not.",
        f"It needs nas, the study's database{', its teacher' if teacher else ''}, and the data set "
        f"'{visible(made.dataset)}'{_where(made.dataset)}. "
        f"{how_made(model)} Equal digits can be expected with those versions on that kind of machine only.",
        "Further options go on to nas: --data-dir FOLDER, or --storage URL if the database has moved.",
    ]
    command = f"exec nas retrain --trial={made.trial} --study={quote(made.study)} --storage={_storage(storage, folder)}"
    if teacher is not None:
        command += f" --teacher={_file(teacher, folder)}"
    if made.confirmed:
        command += " --confirmed"
    lines = ["#!/bin/sh", *("\n".join(f"# {line}" for line in wrapped(text).splitlines()) for text in comments)]
    return "\n".join([*lines, "set -eu", 'here=$(cd -- "$(dirname -- "$0")" && pwd)', f'{command} "$@"', ""])


def _where(dataset: str) -> str:
    path = dataset.partition(":")[2]
    if not path or Path(path).is_absolute():
        return ""
    return ", a relative path: run this in the folder in which the search ran"


def _storage(storage: str, folder: Path) -> str:
    """As a word of the shell: a file from where the script lies, so that a folder can be moved as a whole."""
    url = full_url(storage)
    file = sqlite_file(url)
    if file is not None:
        return _file(file, folder)
    parsed = sqlalchemy.engine.make_url(url)
    if parsed.password is None:
        return quote(url)
    shown = visible(parsed.render_as_string(hide_password=True)).replace("}", "").replace('"', "")
    return f'"${{{PASSWORD}:?set it to {_plain(shown)} with its password}}"'


def _file(file: Path, folder: Path) -> str:
    return f'"$here"/{quote(os.path.relpath(file, folder))}'


def _plain(text: str) -> str:
    """Harmless within double quotes of the shell."""
    return "".join(c for c in text if c not in '\\`$"{}')
