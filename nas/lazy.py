"""Names of a package that are loaded when they are first used: `import nas` is light, whatever is behind it."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from nas.errors import nearest


def lazily(
    package: str, homes: Mapping[str, str], all_of: str | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's `__getattr__` and `__dir__` (PEP 562).

    `homes` names the module that each name is taken from; `all_of` is one whose classes are all there, too.
    """

    def load(name: str) -> Any:
        home = homes.get(name, all_of)
        value = getattr(import_module(home), name, None) if home and not name.startswith("_") else None
        if value is None or (name not in homes and not isinstance(value, type)):
            raise AttributeError(f"module {package!r} has no attribute {name!r}{nearest(name, homes)}")
        setattr(import_module(package), name, value)  # at once from now on
        return value

    return load, lambda: sorted([*vars(import_module(package)), *homes])
