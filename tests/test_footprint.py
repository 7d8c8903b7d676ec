"""What C takes is told from the architecture: compared with what `size` and gcc's call graph say of the real export."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
import torch
from frozen_models import EVERYTHING, TINY, frozen, with_weights_of
from shipped_spaces import SPACES

from nas.export.c import convolving, kernels
from nas.export.c.footprint import footprint_of
from nas.export.c.graph import refuses
from nas.export.c.objects import DECLARED, Takes, Toolchain, toolchain
from nas.export.c.quantise import quantise
from nas.export.c.source import source
from nas.export.formats import FORMATS
from nas.export.prepared import Images
from nas.network.architecture import Architecture
from nas.network.cost import Budget
from nas.network.kinds import Conv, Dropout, gap_head
from nas.space import finding
from nas.space.candidate import Task
from nas.space.probing import random_candidates

TEXTS = [
    (module, name, text)
    for module in (kernels, convolving)
    for name, text in vars(module).items()
    if name.isupper() and isinstance(text, str)
]
SLOW = r"    for (volatile int i = 9; i; i--) { i *= i + 3; }\n"
HOST, CORTEX = "cc", "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb"
COMPILERS = [
    pytest.param(command, marks=pytest.mark.skipif(shutil.which(command.split()[0]) is None, reason=f"no {command}"))
    for command in (HOST, CORTEX)
]
TASKS = (Task((1, 28, 28), 10, 5, Budget(20_000)), Task((3, 24, 20), 4, 5, Budget(6_000)))


@pytest.fixture
def tools(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Toolchain:
    monkeypatch.setenv("CC", request.param)
    found = toolchain()
    assert found is not None
    return found


def networks(n_each: int, seed: int) -> Iterator[Architecture]:
    """Random ones of each shipped space, for small and for coloured images."""
    for param in SPACES:
        space = finding.load(param if isinstance(param, str) else param.values[0])
        for task in TASKS:
            drawn = (candidate.architecture for candidate, _ in random_candidates(space, task, seed))
            yield from islice((each for each in drawn if refuses(each) is None), n_each)


def exported(architecture: Architecture, weight_bits: int = 8) -> str:
    """The C of a network whose numbers are not those that predictions assume."""
    images = torch.randint(0, 256, (4, *architecture.input_shape), dtype=torch.uint8)
    return source(quantise(with_weights_of(frozen(architecture), weight_bits), images), "m")


def said_by_size(tools: Toolchain, text: str, folder: Path) -> Takes:
    """What `size` prints, and the deepest way through gcc's own call graph."""
    folder.mkdir()
    (folder / "m.h").write_text(DECLARED.format(name="m"))
    (folder / "m.c").write_text(text)
    subprocess.run([*tools.command, "-fcallgraph-info=su", "-w", "-c", "m.c"], cwd=folder, check=True)
    size = tools.command[0].removesuffix("gcc").removesuffix("cc") + "size"
    done = subprocess.run([size, "m.o"], cwd=folder, capture_output=True, text=True, check=True)
    code, data, bss = map(int, done.stdout.splitlines()[1].split()[:3])
    graph = (folder / "m.ci").read_text()
    frames = {name: int(n) for name, n in re.findall(r'title: "([^"]+)" label: "[^"]*\\n(\d+) bytes', graph)}
    edges = re.findall(r'edge: { sourcename: "([^"]+)" targetname: "([^"]+)"', graph)

    def depth(name: str) -> int:
        return frames.get(name, 0) + max((depth(to) for at, to in edges if at == name), default=0)

    (first,) = (name for name in frames if name.endswith("m_predict"))
    return Takes(code + data, bss, depth(first))


def assert_near(told: Takes, said: Takes, architecture: Architecture) -> None:
    ram = said.ram + said.stack
    assert abs(told.flash - said.flash) <= max(256, 0.02 * said.flash), (told, said, architecture)
    assert abs(told.ram + told.stack - ram) <= max(256, 0.02 * ram), (told, said, architecture)
    assert told.ram == said.ram, architecture


@pytest.mark.parametrize("tools", COMPILERS, indirect=True)
@pytest.mark.parametrize("weight_bits", [8, 4])
def test_what_c_takes_is_told_from_the_architecture(weight_bits: int, tools: Toolchain, tmp_path: Path) -> None:
    all_of_them = tools.command[0] == HOST and weight_bits == 8
    for number, architecture in enumerate([*networks(1, seed=3)][:: 1 if all_of_them else 3]):
        said = said_by_size(tools, exported(architecture, weight_bits), tmp_path / str(number))
        assert_near(footprint_of(architecture, tools, weight_bits), said, architecture)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("tools", COMPILERS, indirect=True)
def test_what_c_takes_is_told_of_200_networks(tools: Toolchain, tmp_path: Path) -> None:
    seed, n = int.from_bytes(os.urandom(4), "big"), 0
    for architecture in networks(20, seed):
        n += 1
        weight_bits = 8 if n % 2 else 4
        said = said_by_size(tools, exported(architecture, weight_bits), tmp_path / str(n))
        assert_near(footprint_of(architecture, tools, weight_bits), said, architecture)
    assert n >= 200


@pytest.mark.parametrize("tools", [pytest.param(HOST)], indirect=True)
def test_sections_are_what_size_says(tools: Toolchain, tmp_path: Path) -> None:
    text = exported(EVERYTHING)
    read, said = tools.takes(text, {"m.h": DECLARED.format(name="m")}), said_by_size(tools, text, tmp_path / "m")
    assert read == said


@pytest.mark.parametrize("tools", [pytest.param(HOST)], indirect=True)
def test_another_kernel_has_another_size_and_nobody_has_to_say_so(
    tools: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = footprint_of(TINY, tools).flash
    begins = re.compile(r"^static void convolve\w*\([^{;]*\{\n", re.M)
    for module, name, text in TEXTS:
        if begins.search(text):
            monkeypatch.setattr(module, name, begins.sub(rf"\g<0>{SLOW}", text))
    assert footprint_of(TINY, tools).flash >= before + 16


@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_the_size_of_a_file_is_told_before_the_training(format: str) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    model = frozen(TINY)
    images = Images(torch.zeros(1, 1, 28, 28, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
    (content,) = FORMATS[format].prepare(model, "m", images).contents.values()
    told = FORMATS[format].takes(frozen(TINY))["flash"]
    assert abs(told - len(content)) <= max(256, 0.02 * len(content))


def test_a_network_that_differs_in_dropout_alone_takes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from nas.deployment.deployment import shape_of

    plain, dropped, wider = (
        Architecture((1, 12, 12), 3, layers)
        for layers in (
            (Conv(4, 3), *gap_head(3)),
            (Conv(4, 3), Dropout(0.3), *gap_head(3, dropout=0.1)),
            (Conv(5, 3), *gap_head(3)),
        )
    )
    assert shape_of(plain) == shape_of(dropped) != shape_of(wider)
