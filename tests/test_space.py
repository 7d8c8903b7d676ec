"""Search spaces are found by name and path, and mistakes in one's own are reported with file and line."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import BaseTrial, FixedTrial
from recipe_pairs import BUSY, DIFFERENT, EQUAL
from shipped_spaces import SPACES

from nas import shipped
from nas.errors import SpaceError
from nas.network.architecture import Architecture
from nas.network.cost import Budget, cost_of
from nas.network.kinds import (
    Activation,
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    Linear,
    MaxPool,
    depthwise_separable,
    flatten_head,
    gap_head,
)
from nas.space import finding as space
from nas.space.candidate import Candidate, Task, widest
from nas.space.finding import Space
from nas.space.probing import random_candidates
from nas.training.recipe import Recipe

TASK = Task((1, 28, 28), 10, 5, Budget(20_000))
GOOD = """\
from nas import Architecture, flatten_head
from nas import Recipe
from nas import BaseTrial, Candidate, Task


def suggest(trial: BaseTrial, task: Task) -> Candidate:
    hidden = trial.suggest_int("hidden", 1, 8)
    architecture = Architecture(task.image_shape, task.n_classes, flatten_head(task.n_classes, (hidden,)))
    return Candidate(architecture, Recipe(epochs=task.epochs))
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(source: str | bytes, name: str = "own.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source if isinstance(source, bytes) else source.encode())
        return path

    return write


def refused(*parts: object, call: Callable[[], object]) -> str:
    with pytest.raises(SpaceError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message
    return message


# Finding one ----------------------------------------------------------------------------------------------------------


def test_shipped_spaces_are_the_files_of_the_folder() -> None:
    assert space.names() == tuple(sorted(path.stem for path in shipped.search_spaces().glob("*.py")))
    assert {"documented", "tiny"} <= set(space.names())


@pytest.mark.parametrize("name", space.names())
def test_a_shipped_space_by_name_and_by_path(name: str) -> None:
    path = shipped.search_spaces() / f"{name}.py"
    spaces = [space.load(name), space.load(path), space.load(str(path))]
    assert {each.name for each in spaces} == {name}
    assert len({each.digest for each in spaces}) == 1
    candidates = [next(random_candidates(each, TASK)) for each in spaces]
    assert candidates[0] == candidates[1] == candidates[2]
    assert candidates[0][0].recipe.epochs == TASK.epochs


@pytest.mark.parametrize("name", SPACES)
def test_a_shipped_space_is_plain_python_over_a_trial(name: str) -> None:
    """A real study suggests the same that its parameters give when they are replayed."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = study.ask()
        candidate = space.load(name).suggest(trial, TASK)
        assert space.load(name).suggest(FixedTrial(trial.params), TASK) == candidate


def test_a_file_of_ones_own(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(GOOD)
    monkeypatch.chdir(path.parent)
    for found in (space.load(path), space.load(str(path)), space.load("own.py"), space.load("./own.py")):
        assert (found.name, found.path) == ("own", path)
        candidate = found.suggest(FixedTrial({"hidden": 3}), TASK)
        assert candidate.architecture.layers == flatten_head(10, (3,))


def test_a_path_from_home(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(GOOD)
    monkeypatch.setenv("HOME", str(path.parent))
    assert space.load("~/own.py").path == path


def suggest_here(trial: BaseTrial, task: Task) -> Candidate:
    layers = gap_head(task.n_classes, (trial.suggest_int("hidden", 1, 9),))
    return Candidate(Architecture(task.image_shape, task.n_classes, layers), Recipe(epochs=task.epochs))


def test_a_function_is_a_space() -> None:
    found = space.load(suggest_here)
    assert found.name == f"{__name__}.suggest_here"
    assert found.suggest(FixedTrial({"hidden": 4}), TASK).architecture.layers == gap_head(10, (4,))
    assert space.load(found) is found
    assert space.load(suggest_here) == found


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("documentd", ["'documentd'", "'documented'"]),
        ("Tiny", ["'Tiny'", "'tiny'"]),
        ("xyz", ["'xyz'", *space.names()]),
        ("", ["''", *space.names()]),
        ("nowhere.py", ["'nowhere.py'", "no file"]),
        ("no/where", ["'no/where'", "no file"]),
        ("~/nowhere.py", ["nowhere.py", "no file"]),
    ],
)
def test_an_unknown_space_is_named_with_what_there_is(name: str, parts: list[str]) -> None:
    refused(*parts, call=lambda: space.load(name))


def test_a_folder_is_no_space(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    refused(tmp_path, "no file", call=lambda: space.load(tmp_path))
    refused(tmp_path, "no file", call=lambda: space.load(tmp_path / "folder.py"))


# Mistakes in one ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("import nas\n\ndef suggest(trial, task)\n    return 1\n", 3, "':'"),
        ("def suggest(trial, task):\nreturn 1\n", 2, "indented"),
        ("x = 'unfinished\n", 1, "literal"),
        (b"x = '\xff'\n", 1, "utf-8"),
        (b"import nas\n\x00\n", 1, "null bytes"),
    ],
)
def test_a_file_that_is_no_python(source: str | bytes, line: int, said: str, write: Write) -> None:
    path = write(source)
    message = refused(path, "cannot be read", said, call=lambda: space.load(path))
    assert f"{path}:{line}: " in message or said == "null bytes"  # for which Python has no line


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("import nas\n\nx = 1 / 0\n", 3, "ZeroDivisionError: division by zero"),
        ("import nonexistent_module\n", 1, "ModuleNotFoundError: No module named 'nonexistent_module'"),
        ("from nas import Rceipe\n", 1, "nas has no 'Rceipe': did you mean 'Recipe'?"),
        ("def f():\n    raise ValueError('a\\nb')\n\n\nf()\n", 2, "ValueError: a b"),
        ("import json\n\njson.loads('{')\n", 3, "JSONDecodeError"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
    ],
)
def test_a_file_that_raises_while_it_is_read(source: str, line: int, said: str, write: Write) -> None:
    path = write(source)
    refused(f"{path}:{line}: {said}", call=lambda: space.load(path))


@pytest.mark.parametrize("source", ["", "suggest = 3\n", "def sugest(trial, task): ...\n"])
def test_a_file_without_the_function(source: str, write: Write) -> None:
    path = write(source)
    refused(path, "suggest(trial, task)", call=lambda: space.load(path))


HELPER = "\n\ndef helper(trial):\n    return trial.suggest_int('x', 3, 1)\n"


@pytest.mark.parametrize(
    ("body", "line", "said"),
    [
        ("    x = 1\n    return x.y\n", 5, "int has no 'y'"),
        ("    return helper(trial)\n" + HELPER, 8, "ValueError"),
        (
            "    return Architecture(task.image_shape, 10, (MaxPool(40), *gap_head(10)))\n",
            4,
            "layer 1 (max pool 40×40)",
        ),
        ("    return Conv(0)\n", 4, "ArchitectureError: channels of conv"),
        ("    raise KeyError('a\\nb')\n", 4, "KeyError"),
        ("    raise SystemExit\n", 4, "SystemExit"),
        ("    import json\n    return json.loads('{')\n", 5, "JSONDecodeError"),
    ],
)
def test_a_function_that_raises_is_reported_with_the_line_of_the_file(
    body: str, line: int, said: str, write: Write
) -> None:
    head = "from nas import *\n\ndef suggest(trial, task):\n"
    path = write(head + body)
    found = space.load(path)
    refused(f"{path}:{line}: ", said, call=lambda: found.suggest(optuna.create_study().ask(), TASK))


def test_a_function_of_other_arguments_is_reported_where_it_stands(write: Write) -> None:
    path = write("import nas\n\n\ndef suggest(trial):\n    return 1\n")
    found = space.load(path)
    refused(f"{path}:4: TypeError", call=lambda: found.suggest(FixedTrial({}), TASK))


@pytest.mark.parametrize("value", ["None", "3", "(1, 2)", "'candidate'"])
def test_a_function_that_returns_something_else(value: str, write: Write) -> None:
    path = write(f"import nas\n\n\ndef suggest(trial, task):\n    return {value}\n")
    found = space.load(path)
    kind = type(eval(value)).__name__
    refused(f"{path}:4: ", "Candidate", f"returned {kind}", call=lambda: found.suggest(FixedTrial({}), TASK))


def raising(trial: BaseTrial, task: Task) -> Candidate:
    return Candidate(Architecture(task.image_shape, task.n_classes, ()), Recipe())


class Callables:
    def __call__(self, trial: BaseTrial, task: Task) -> Candidate:
        raise ValueError("no file to name")


def test_a_mistake_in_a_function_is_reported_with_its_file() -> None:
    line = raising.__code__.co_firstlineno + 1
    refused(
        f"{Path(__file__).relative_to(Path.cwd())}:{line}: ",
        call=lambda: space.load(raising).suggest(FixedTrial({}), TASK),
    )
    by_hand = Space("callables", Callables(), digest="")
    refused("callables", "no file to name", call=lambda: by_hand.suggest(FixedTrial({}), TASK))


# Which file it is -----------------------------------------------------------------------------------------------------


def test_files_of_the_same_name_are_not_mixed_up(write: Write) -> None:
    one = write(GOOD, "one/own.py")
    other = write(GOOD.replace('"hidden", 1, 8', '"width", 1, 8'), "other/own.py")
    first, second = space.load(one), space.load(other)
    assert first.digest != second.digest
    assert (first.path, second.path) == (one, other)
    for found, name in ((first, "hidden"), (second, "width"), (first, "hidden")):
        trial = FixedTrial({"hidden": 2, "width": 5})
        found.suggest(trial, TASK)
        assert list(trial.params) == [name]


def test_a_file_named_like_a_module_hides_nothing(write: Write) -> None:
    before = set(sys.modules)
    space.load(write(GOOD, "json.py"))
    space.load(write(GOOD, "nas.py"))
    import json

    import nas

    assert Path(str(json.__file__)).parent.name == "json"
    assert Path(str(nas.__file__)).name == "__init__.py"
    assert {"own", "json", "nas"}.isdisjoint(set(sys.modules) - before)


def test_a_file_may_define_dataclasses(write: Write) -> None:
    """Which look their module up by name."""
    source = "from __future__ import annotations\nfrom dataclasses import dataclass, field\n"
    source += "\n\n@dataclass\nclass Own:\n    x: list[int] = field(default_factory=list)\n\n\n"
    found = space.load(write(source + GOOD.replace("hidden = ", "assert Own().x == []\n    hidden = ")))
    assert found.suggest(FixedTrial({"hidden": 3}), TASK).recipe.epochs == 5


def test_a_changed_file_is_read_anew_and_has_another_digest(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even within the same second and with the same size, which is all that Python's own cache looks at."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = write(GOOD)
    before = space.load(path)
    stamp = path.stat()
    path.write_text(GOOD.replace('"hidden"', '"heddin"'))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    after = space.load(path)
    assert before.digest != after.digest
    trial = FixedTrial({"heddin": 2})
    after.suggest(trial, TASK)
    assert list(trial.params) == ["heddin"]
    assert [each.name for each in path.parent.iterdir()] == ["own.py"], "nothing is written beside it"


# Using the budget up --------------------------------------------------------------------------------------------------


def hidden(factor: float) -> Architecture:
    return Architecture((1, 8, 8), 10, flatten_head(10, (max(3, round(50 * factor)),)))


def n_hidden(architecture: Architecture) -> int:
    return architecture.walk[1].output_shape[0]


@pytest.mark.parametrize("limit", [235, 1_000, 3_760, 20_000, 100_001])
def test_the_widest_within_a_budget(limit: int) -> None:
    """A hidden feature has 64 weights in, a bias and 10 weights out; and the scores have 10 biases."""
    for budget in (Budget(limit), Budget(limit, macs=10**9), Budget(bytes=4 * limit)):
        architecture = widest(hidden, budget)
        assert n_hidden(architecture) == (limit - 10) // 75
        assert budget.admits(cost_of(architecture))
    assert n_hidden(widest(hidden, Budget(limit, macs=74 * 3))) == 3, "the smallest of the limits counts"


def test_without_a_limit_it_is_as_suggested_and_without_a_way_it_is_the_smallest() -> None:
    assert n_hidden(widest(hidden, Budget())) == 50
    smallest = widest(hidden, Budget(234))
    assert n_hidden(smallest) == 3
    assert not Budget(234).admits(cost_of(smallest))


# Digests --------------------------------------------------------------------------------------------------------------

NETWORK = Architecture(
    (1, 28, 28),
    10,
    (
        *(Conv(16, padding=1), BatchNorm(), Activation(), MaxPool(), Dropout(0.05)),
        *(*depthwise_separable(24, 5, bias=False), BatchNorm(affine=False), Activation("silu")),
        *gap_head(10, (32,), size=2, dropout=0.15),
    ),
)
WITHOUT_DROPOUT = Architecture((1, 28, 28), 10, (Conv(4), Dropout(0.0), Flatten(), Linear(10)))


def test_a_digest_of_a_candidate_never_changes() -> None:
    assert Candidate(NETWORK, BUSY).digest == "550236b8ade74af4"


@pytest.mark.parametrize("case", EQUAL)
def test_candidates_that_train_equally_have_one_digest(case: str) -> None:
    one, other = EQUAL[case]
    assert Candidate(NETWORK, one).digest == Candidate(NETWORK, other).digest


@pytest.mark.parametrize("case", DIFFERENT)
def test_candidates_that_train_differently_have_two(case: str) -> None:
    one, other = DIFFERENT[case]
    assert Candidate(NETWORK, one).digest != Candidate(NETWORK, other).digest


def test_a_dropout_schedule_matters_where_there_is_dropout() -> None:
    schedules = [replace(BUSY, dropout_schedule=name) for name in ("constant", "rising", "falling")]
    assert len({Candidate(NETWORK, recipe).digest for recipe in schedules}) == 3
    assert len({Candidate(WITHOUT_DROPOUT, recipe).digest for recipe in schedules}) == 1


def test_the_network_is_part_of_the_digest() -> None:
    wider = replace(NETWORK, layers=(Conv(17, padding=1), *NETWORK.layers[1:]))
    assert Candidate(wider, BUSY).digest != Candidate(NETWORK, BUSY).digest
    assert Candidate(NETWORK, BUSY).digest != NETWORK.digest
