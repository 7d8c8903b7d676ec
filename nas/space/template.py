"""The search space that `nas init` writes, for its author to go on from."""

from pathlib import Path

from nas import shipped
from nas.errors import FileInTheWay, InputError
from nas.files import check_module_name, write_whole


def template() -> Path:
    """The file that is copied; it is not among the spaces that are named."""
    return shipped.search_spaces() / "templates" / "space.py"


def write(file: Path, *, force: bool = False) -> None:
    """Copies the template to `file`, whole or not at all.

    Raises `InputError` for a name that no Python file should have, or a folder that is not there; `FileInTheWay` if
    something is there already and `force` is not given.
    """
    if file.suffix != ".py":
        raise InputError(f"a search space is a file NAME.py, but got {str(file)!r}: name it like my_space.py")
    check_module_name(file.stem, "space")
    if not file.parent.is_dir():
        raise InputError(f"a search space is written into a folder that exists, but {file.parent} is none: make it")
    if file.exists() and not force:
        raise FileInTheWay(f"{file} is there already: use --force, or another name")
    try:
        write_whole(file, template().read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{file} cannot be written ({error.strerror}): name another folder") from error
