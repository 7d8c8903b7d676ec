"""The search space that `nas init` writes, for its author to go on from."""

from keyword import iskeyword
from pathlib import Path

from nas import shipped
from nas.errors import FileInTheWay, InputError
from nas.files import write_whole


def template() -> Path:
    """The file that is copied; it is not among the spaces that are named."""
    return shipped.search_spaces() / "templates" / "space.py"


def write(file: Path, *, force: bool = False) -> None:
    """Copies the template to `file`, whole or not at all.

    Raises `InputError` for a name that no Python file should have, or a folder that is not there; `FileInTheWay` if
    something is there already and `force` is not given.
    """
    if file.suffix != ".py" or not file.stem.isidentifier() or iskeyword(file.stem):
        raise InputError(
            f"a search space is a Python file that can be imported, but got {str(file)!r}: name it like my_space.py"
        )
    if not file.parent.is_dir():
        raise InputError(f"a search space is written into a folder that exists, but {file.parent} is none: make it")
    if file.exists() and not force:
        raise FileInTheWay(f"{file} is there already: use --force, or another name")
    try:
        write_whole(file, template().read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}): name another folder") from error
