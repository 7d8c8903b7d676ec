"""The plan of the house: which room may import which, and what is said in one place only.

A new file needs no change here; a new folder of `nas/` gets its place in `ROOMS`.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import nas

PACKAGE = Path(nas.__file__).parent
# From the ground up: a room imports what stands before it, itself, and nothing that stands behind it.
GROUND = ("errors", "lazy", "files", "table", "statistics", "shipped", "shell", "interruption", "version", "progress")
ROOMS = (
    "network",
    "training",
    "datasets",
    "space",
    "execution",
    "study",
    "export",
    "deployment",
    "prediction",
    "searching",
    "replication",
    "report",
    "dashboard",
    "terminal",
    "cli",
)
FILES = sorted(PACKAGE.rglob("*.py"))
# What a trial's attributes are called; a study's are asked for in the same way.
ATTRIBUTES = ("user_attrs", "set_user_attr", "set_system_attr", "system_attrs")


def room_of(module: str) -> str:
    """`nas.study.trial` is in the room `study`; a file beside the folders is a room of its own."""
    return module.split(".")[1] if "." in module else "nas"


def module_of(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file: Path) -> Iterator[str]:
    """Modules of nas that a file names in its imports, wherever in it they stand."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name.split(".")[0] == "nas")
        elif isinstance(node, ast.ImportFrom) and node.module == "nas":
            yield from (f"nas.{each.name}" for each in node.names if not each.name.startswith("__"))
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("nas."):
            yield str(node.module)


def allowed(room: str) -> tuple[str, ...]:
    if room in GROUND:
        return GROUND
    return (*GROUND, *ROOMS[: ROOMS.index(room) + 1])


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_what_stands_before_it(room: str) -> None:
    climbing = [
        f"{module_of(file)} imports {module}"
        for file in (PACKAGE / room).rglob("*.py")
        for module in imports(file)
        if room_of(module) not in allowed(room) and file.name != "fresh.py"  # which sees that it cannot import nas
    ]
    assert not climbing


def test_every_folder_has_its_place_and_no_library_file_stands_loose() -> None:
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(ROOMS)
    loose = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert loose <= set(GROUND)
    for file in PACKAGE.glob("*.py"):
        if file.stem in GROUND:
            assert {room_of(module) for module in imports(file)} <= set(GROUND), file


def test_files_import_each_other_in_no_circle() -> None:
    arrows = {module_of(file): set(imports(file)) for file in FILES if file.name != "__init__.py"}
    while arrows:
        free = [module for module, targets in arrows.items() if not targets & (arrows.keys() - {module})]
        assert free, f"these import each other in a circle: {', '.join(sorted(arrows))}"
        for module in free:
            del arrows[module]


def test_no_file_of_the_library_imports_the_command_line() -> None:
    importing = [
        module_of(file)
        for file in FILES
        if PACKAGE / "cli" not in file.parents and file.name != "__main__.py"
        for module in imports(file)
        if room_of(module) == "cli"
    ]
    assert not importing


def test_attributes_of_trials_and_studies_are_named_in_the_room_of_the_study_alone() -> None:
    """The dashboard's view, which is a storage itself, hands them on as they are."""
    elsewhere = [
        f"{module_of(file)}, line {node.lineno}: {node.attr}"
        for file in FILES
        if PACKAGE / "study" not in file.parents and module_of(file) != "nas.dashboard.view"
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES
    ]
    assert not elsewhere


def test_no_attribute_of_a_trial_is_spelled_outside_its_file() -> None:
    """Reading or storing one by its name, as in `attrs["seed"]`, is what `nas.study.trial` is for."""
    from nas.study.trial import TrialAttributes

    names = {name for name, value in vars(TrialAttributes).items() if type(value).__name__ == "_Attribute"}
    assert {"outcome", "seed", "made_with"} <= names
    spelled = [
        f"{module_of(file)}, line {node.lineno}: {node.slice.value}"
        for file in (PACKAGE / "study").glob("*.py")
        if file.stem != "trial"
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Attribute | ast.Name)
        and "attr" in ast.unparse(node.value)
        and isinstance(node.slice, ast.Constant)
        and node.slice.value in names
    ]
    assert not spelled


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import nas", ("torch", "optuna", "click", "rich", "numpy", "sqlalchemy")),
        ("from nas import Architecture, Budget, Candidate, Conv, Recipe, Task, cost_of, widest", ("torch", "optuna")),
        ("import nas.cli; nas.cli.cli.get_help(__import__('click').Context(nas.cli.cli))", ("torch", "optuna", "rich")),
        ("import nas.cli.search, nas.cli.check, nas.cli.confirm, nas.cli.export", ("torch", "optuna", "sqlalchemy")),
        ("from nas.study.status import statuses", ("torch", "rich")),
        ("import nas.execution.processes", ("optuna", "click", "rich", "sqlalchemy")),
    ],
)
def test_what_is_loaded_is_what_is_needed(code: str, absent: tuple[str, ...]) -> None:
    """How long that takes is measured by benchmarks/start.py."""
    report = f"{code}; import sys; print(*[name for name in {absent} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_public_names_are_all_there_and_a_wrong_one_gets_the_nearest() -> None:
    assert [name for name in nas.__all__ if not hasattr(nas, name)] == []
    assert set(nas.__all__) <= set(dir(nas))
    with pytest.raises(AttributeError, match="did you mean 'Candidate'"):
        _ = nas.Candidat
