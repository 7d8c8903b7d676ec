"""What a search and a confirmation hand over for a device: the confirmed network too, run there as it is."""

import json
import re
import shutil
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from nas import datasets
from nas.datasets.dataset import Dataset
from nas.export.c.compiled import run
from nas.export.figures import read
from nas.study.confirmation import confirmations
from nas.study.opening import find_study
from nas.study.storage import open_storage

Run = Callable[..., CompletedProcess[str]]
UNDER_QEMU = Path(__file__).resolve().parents[1] / "examples" / "microcontroller" / "under_qemu.py"
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
needs_qemu = pytest.mark.skipif(
    not all(map(shutil.which, ("arm-none-eabi-gcc", "qemu-system-arm", "cc"))),
    reason="needs arm-none-eabi-gcc, qemu-system-arm and cc",
)
TINY = ("--space", "tiny", "--epochs", "1", "--budget", "3k", "--trials", "1", "--workers", "1", "--seed", "1")


@pytest.fixture
def images(mnist: Dataset, tmp_path: Path) -> str:
    """600 images to train and validate on, 100 to test."""
    pixels, labels = mnist.images[:700, 0].numpy(), mnist.labels[:700].numpy()
    np.savez(
        tmp_path / "some.npz", x_train=pixels[:600], y_train=labels[:600], x_test=pixels[600:], y_test=labels[600:]
    )
    return "npz:some.npz"


def clock(folder: Path, text: str) -> Path:
    """A program that is given a file; what it was given is noted beside it."""
    script = folder / "clock.sh"
    script.write_text(f'#!/bin/sh\necho "$1" >> {folder}/given\n{text}\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


def latency_in(card: Path) -> tuple[str, str]:
    (row,) = (each for each in read(card.read_text()) if each.label == "latency")
    return row.value, row.how


def accuracy_here(model: Path, images: str) -> float:
    """The accuracy of its C on the test images, as this machine runs it."""
    pixels, labels = datasets.load(images).read_test()
    _, classes = run(["cc"], model.stem, model.parent.resolve(), pixels, 10)
    return int((classes == labels).sum()) / len(labels)


@needs_cc
def test_what_is_handed_over_is_timed_itself(nas: Run, tmp_path: Path, images: str) -> None:
    by = clock(tmp_path, 'case "$1" in */candidate.c) echo 2.5;; *) echo all is well >&2; echo 3.5;; esac')
    asked = (*TINY, "--dataset", images, "--max-latency", "3ms", "--for", "c", "--on", str(by))
    searched, confirmed = (
        json.loads(done.stdout) if done.returncode == 0 else pytest.fail(done.stderr)
        for done in (nas("search", *asked, "--quantised", "--json"), nas("confirm", "--seeds", "1", "--json"))
    )
    for model, notes in ((each["model"], each["notes"]) for each in (searched, confirmed)):
        name = Path(model).stem
        value, how = latency_in(Path(model).with_suffix(".md"))
        assert value == "3.5 ms an image"
        assert how == f"this {name}.c, run by {by}: median of 3 rounds from 3.5 to 3.5 ms"
        assert notes[-1] == (
            f"{name}.c was run by {by}, and an image takes 3.5 ms (3.5 to 3.5 in 3 rounds), which is over the limit of "
            "3 ms. It said: all is well"
        )
        assert (tmp_path / "given").read_text().count(f"{name}.c\n") == 3
    assert "confirmed" in confirmed["model"]
    assert accuracy_here(Path(confirmed["model"]), images) == confirmed["test_accuracy"][0]

    # A device that is gone fails nothing, and is said; what ran there before still did.
    clock(tmp_path, "echo no board >&2; exit 7")
    done = nas("confirm", "--seeds", "1")
    assert done.returncode == 0, done.stderr
    assert f"_confirmed.c could NOT be run by {by}: " in done.stdout
    assert "ended with 7 (no board)" in done.stdout
    assert latency_in(Path(confirmed["model"]).with_suffix(".md"))[0] == "3.5 ms an image"


@pytest.mark.slow
@needs_qemu
def test_one_command_hands_over_c_that_ran_on_the_device(
    nas: Run, tmp_path: Path, images: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flash, RAM and latency at once, ranked and confirmed in eight bits, and the confirmed C run under QEMU."""
    monkeypatch.setenv("CC", "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb")
    limits = ("--max-flash", "12k", "--max-ram", "8k", "--max-latency", "50ms", "--for", "c", "--quantised")
    limits = (*limits, "--on", f"{sys.executable} {UNDER_QEMU}")
    done = nas(
        "search", *TINY, "--dataset", images, *limits, "--on", f"{sys.executable} {UNDER_QEMU}", "--confirm", "--json"
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    for model, notes in ((told["model"], told["notes"]), (told["confirmed"]["model"], told["confirmed"]["notes"])):
        assert "100 of 100 answers are those of the reference, to the last bit." in notes[-1]
        figures = {each.label: each for each in read(Path(model).with_suffix(".md").read_text())}
        for name, limit in (("flash", 12_000), ("RAM", 8_000), ("latency", 50)):
            assert float(figures[name].value.split()[0].replace(",", "")) <= limit
        assert "under_qemu.py: median of 3 rounds" in figures["latency"].how
        (flash,) = re.findall(r"takes ([\d,]+) bytes of flash", notes[-1])
        assert figures["flash"].value == f"{flash} bytes", "what ran is what was limited"
    assert accuracy_here(Path(told["confirmed"]["model"]), images) == told["confirmed"]["test_accuracy"][0]
    (reading, *_) = confirmations(find_study(open_storage("runs/nas.db"), told["study"]))[0].readings
    assert reading.float_accuracy is not None, "it was tested in eight bits"
