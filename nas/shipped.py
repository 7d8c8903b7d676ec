"""Finding the search spaces and studies that come with nas.

They stand at the top level of the repository, for the user to read, copy and change. A wheel carries them inside the
package (`pyproject.toml` says how); a checkout, or an editable install of one, has them beside it.
"""

from pathlib import Path

from nas.errors import NasError

PACKAGE = Path(__file__).resolve().parent


def search_spaces() -> Path:
    """The folder of the shipped search spaces, one Python file each."""
    return _folder("search_spaces")


def teacher() -> Path:
    """The space of one network that is trained as a teacher: it is none to search, and so not among the others."""
    return search_spaces() / "teachers" / "teacher.py"


def studies() -> Path:
    """The folder of the shipped studies, one TOML file each."""
    return _folder("studies")


def lessons() -> Path:
    """The folder of what tables of trained candidates teach, one JSON file a space."""
    return studies() / "lessons"


def _folder(name: str) -> Path:
    inside, beside = PACKAGE / name, PACKAGE.parent / name
    for folder in (inside, beside):
        if folder.is_dir():
            return folder
    raise NasError(f"nas is not completely installed: neither {inside} nor {beside} exists; install it again")
