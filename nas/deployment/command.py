"""What a network is timed on: a format that can be run here, by its name, or a command of the user's."""

import shlex
from shutil import which

from nas.errors import InputError
from nas.export.formats import ON_DEVICES


def check_on(on: str) -> None:
    """Raises `InputError` unless something can be timed on this: a format by its name, or a program that is there."""
    if on in ON_DEVICES:
        return
    words = words_of(on)
    if which(words[0]) is None:
        raise InputError(
            f"on must be {', '.join(ON_DEVICES)} or a command that prints milliseconds, but there is no program "
            f"{words[0]!r}: name one by its path, or make it executable"
        )


def words_of(command: str) -> list[str]:
    """A command as a shell reads it; raises `InputError`."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"on must be a command as a shell reads it, but {command!r} has {error}") from error
    if not words:
        raise InputError(f"on must be {', '.join(ON_DEVICES)} or a command, but got {command!r}")
    return words
