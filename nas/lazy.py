"""Names of a package that are loaded when they are first used: `import nas` is light, whatever is behind it."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from nas.errors import nearest


def lazily(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's `__getattr__` and `__dir__` (PEP 562); `homes` names the module that each name is taken from."""

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}{nearest(name, homes)}")
        module = import_module(package)
        value = getattr(import_module(homes[name]), name)
        setattr(module, name, value)  # found at once from now on
        return value

    return load, lambda: sorted([*vars(import_module(package)), *homes])
