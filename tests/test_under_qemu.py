"""Exported C on an emulated Cortex-M: the reference's answers, and a count of instructions that can be relied on."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from frozen_models import frozen
from test_export_c import MEASURED, random_images

from nas.export.c.header import header
from nas.export.c.objects import DECLARED, toolchain
from nas.export.c.quantise import quantise
from nas.export.c.reference import scores_of
from nas.export.c.source import source
from nas.network.architecture import Architecture
from nas.network.blocks import Residual, SqueezeExcite
from nas.network.kinds import Activation, BatchNorm, Conv, DepthwiseConv, Flatten, Linear, MaxPool, gap_head

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "microcontroller" / "under_qemu.py"
PARTS = ("arm-none-eabi-gcc", "qemu-system-arm")
pytestmark = pytest.mark.skipif(not all(map(shutil.which, PARTS)), reason=f"needs {', '.join(PARTS)}")
SEPARABLE = (DepthwiseConv(3, 1, 1, bias=False), BatchNorm(), Activation("hardswish"), Conv(6, 1), SqueezeExcite(2))
NETWORK = Architecture(
    (1, 16, 15), 4, (Conv(6, 3, padding=1), Activation(), MaxPool(), Residual(SEPARABLE), Conv(5, 3), *gap_head(4))
)


@pytest.fixture(scope="module")
def under_qemu() -> ModuleType:
    spec = importlib.util.spec_from_file_location("under_qemu", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def exported(architecture: Architecture, folder: Path) -> tuple[Path, torch.Tensor, torch.Tensor]:
    """The source, 100 images, and the reference's scores."""
    model, images = frozen(architecture), random_images(architecture, 100, 0)
    program = quantise(model, images[:50])
    (folder / "m.h").write_text(header(model, program, "m", MEASURED))
    (folder / "m.c").write_text(source(program, "m"))
    return folder / "m.c", images, scores_of(program, images)


@pytest.mark.parametrize("cpu", ["cortex-m3", "cortex-m4", "cortex-m7"])
def test_its_answers_are_the_references_to_the_last_bit(cpu: str, under_qemu: ModuleType, tmp_path: Path) -> None:
    file, images, expected = exported(NETWORK, tmp_path)
    command, machine = under_qemu.command_for(cpu)
    assert machine == cpu
    answers, size = under_qemu.run(file, images, 4, command, cpu)
    assert torch.equal(answers.scores, expected)
    assert torch.equal(answers.classes, expected.argmax(1))
    again, _ = under_qemu.run(file, images, 4, command, cpu)
    assert (again.instructions - answers.instructions).abs().max() <= 2 * under_qemu.INSTRUCTIONS_A_TICK
    assert size.ram >= 16 * 15 * 6
    assert size.flash > 500


def test_instructions_are_as_many_as_the_work_is(under_qemu: ModuleType, tmp_path: Path) -> None:
    """Each output of a fully connected layer is the same work: so is the difference between 20, 40 and 60 of them."""
    counts = []
    for n in (20, 40, 60):
        folder = tmp_path / str(n)
        folder.mkdir()
        file, images, _ = exported(Architecture((1, 12, 12), n, (Flatten(), Linear(n))), folder)
        answers, _ = under_qemu.run(file, images[:3], n, *under_qemu.command_for())
        counts.append(int(answers.instructions.median()))
    few, some, many = counts
    assert many - some == pytest.approx(some - few, rel=0.01)
    assert some - few > 20 * 144 * 3, "a load of each factor, and a product"


def said(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), str(file), *options], capture_output=True, text=True)


@pytest.mark.parametrize("compiler", ["cc", "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb"])
def test_as_a_command_it_prints_milliseconds_alone(
    compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", compiler)  # the device's, too, as where it limits flash
    file, _, _ = exported(NETWORK, tmp_path)
    done = said(file, "--clock", "50", "--images", "3")
    assert done.returncode == 0
    match = re.search(r"^([\d,]+) instructions an image", done.stderr, re.MULTILINE)
    assert match is not None
    assert float(done.stdout) == pytest.approx(int(match[1].replace(",", "")) / 50_000, abs=1e-4)
    assert "3 of 3 answers are those of the reference, to the last bit" in done.stderr
    assert "not a board's milliseconds" in done.stderr


@pytest.mark.parametrize("wrong", ["return !best;", "scores[0] += 1e-6f * scores[0]; return best;"])
def test_other_answers_than_the_references_are_an_error(wrong: str, tmp_path: Path) -> None:
    """Though they are the same on this machine: what computes them is the same source."""
    file, _, _ = exported(NETWORK, tmp_path)
    file.write_text(file.read_text().replace("return best;", wrong))
    done = said(file, "--images", "3")
    assert done.returncode == 1
    assert "0 of 3 answers" in done.stderr


def test_what_limits_are_told_for_is_what_runs(
    under_qemu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "arm-none-eabi-gcc -mcpu=cortex-m7 -mthumb")
    command, cpu = under_qemu.command_for()
    assert cpu == "cortex-m7"
    file, images, expected = exported(NETWORK, tmp_path)
    answers, size = under_qemu.run(file, images[:3], 4, command, cpu)
    assert torch.equal(answers.scores, expected[:3])
    tools = toolchain()
    assert tools is not None
    takes = tools.takes(file.read_text(), {"m.h": DECLARED.format(name="m")})
    assert (takes.flash, takes.ram) == size
    assert under_qemu.command_for("cortex-m3")[1] == "cortex-m3"
    monkeypatch.setenv("CC", "arm-none-eabi-gcc -mcpu=cortex-m0")
    with pytest.raises(under_qemu.CannotRunError, match="cortex-m0 has none here"):
        under_qemu.command_for()


def test_a_header_that_states_no_answers_is_one_line(tmp_path: Path) -> None:
    file, _, _ = exported(NETWORK, tmp_path)
    header_file = file.with_suffix(".h")
    header_file.write_text(header_file.read_text().replace("M_ANSWERS", "M_OTHERS"))
    done = said(file)
    assert done.returncode == 2
    assert done.stderr == "m.h must state what is to be answered, but does not: export the model again\n"


def test_what_cannot_be_run_is_one_line(tmp_path: Path) -> None:
    file, _, _ = exported(NETWORK, tmp_path)
    file.write_text("int x")
    done = said(file)
    assert done.returncode == 2
    assert "arm-none-eabi-gcc failed" in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
