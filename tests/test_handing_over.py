"""What a search and a confirmation hand over for a device: files that ran there, and figures that say what they are."""

import json
import re
import shutil
import stat
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import torch
from small_study import SmallStudy

from nas import datasets
from nas.datasets.dataset import Dataset
from nas.export.c.compiled import run
from nas.export.figures import Figure, read, wilson
from nas.network.cost import Budget
from nas.replication.confirming import confirm
from nas.report.mistakes import mistakes, on_validation_part
from nas.report.page import report_page
from nas.searching.search import search
from nas.study.confirmation import confirmations
from nas.study.opening import find_study
from nas.study.record import ranked
from nas.study.storage import open_storage
from nas.table import per_cent

Run = Callable[..., CompletedProcess[str]]
UNDER_QEMU = Path(__file__).resolve().parents[1] / "examples" / "microcontroller" / "under_qemu.py"
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
needs_qemu = pytest.mark.skipif(
    not all(map(shutil.which, ("arm-none-eabi-gcc", "qemu-system-arm", "cc"))),
    reason="needs arm-none-eabi-gcc, qemu-system-arm and cc",
)
CLOCK = 'case "$1" in */candidate.c) echo 2.5;; *) echo all is well >&2; echo 3; echo 3.5; echo 9;; esac'


@pytest.fixture(scope="module")
def images(mnist: Dataset, made_once: Callable[..., Path]) -> str:
    """600 images to train and validate on, 100 to test."""

    def make(folder: Path) -> None:
        pixels, labels = mnist.images[:700, 0].numpy(), mnist.labels[:700].numpy()
        train = {"x_train": pixels[:600], "y_train": labels[:600]}
        np.savez(folder / "some.npz", **train, x_test=pixels[600:], y_test=labels[600:])

    return f"npz:{made_once('some', make) / 'some.npz'}"


@pytest.fixture(scope="module")
def searched_for_device(images: str, made_once: Callable[..., Path]) -> SmallStudy:
    """A search in whole numbers, timed by a command."""

    def make(folder: Path) -> None:
        by = clock(folder, CLOCK)
        study = SmallStudy(folder)
        result = search(
            space="tiny",
            dataset=images,
            budget=Budget(3_000, latency=3.0),
            runs_as="c",
            on=str(by),
            quantised=True,
            epochs=1,
            trials=1,
            workers=1,
            seed=1,
            storage=study.storage,
            out=folder,
        )
        (folder / "notes.json").write_text(json.dumps(result.notes))

    return SmallStudy(made_once("searched_for_device", make))


@pytest.fixture(scope="module")
def confirmed_for_device(searched_for_device: SmallStudy, made_once: Callable[..., Path]) -> SmallStudy:
    """A copy of it with its confirmation."""

    def make(folder: Path) -> None:
        study = SmallStudy(shutil.copytree(searched_for_device.folder, folder, dirs_exist_ok=True))
        found = confirm(storage=study.storage, top=1, seeds=2, workers=1, out=folder)
        (folder / "notes.json").write_text(json.dumps(found.notes))

    return SmallStudy(made_once("confirmed_for_device", make))


def clock(folder: Path, text: str) -> Path:
    """A program that is given a file; what it was given is noted beside it."""
    script = folder / "clock.sh"
    script.write_text(f'#!/bin/sh\necho "$1" >> {folder}/given\n{text}\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


def figures_in(card: Path) -> dict[str, Figure]:
    return {each.label: each for each in read(card.read_text())}


def classes_of(source: Path, images: torch.Tensor) -> torch.Tensor:
    """What the C answers on this machine."""
    return run(["cc"], source.stem, source.parent.resolve(), images, 10)[1]


def accuracy_here(source: Path, images: str) -> float:
    pixels, labels = datasets.load(images).read_test()
    return int((classes_of(source, pixels) == labels).sum()) / len(labels)


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub("<[^>]+>", " ", page)).split())


@needs_cc
def test_what_is_handed_over_is_timed_itself(
    searched_for_device: SmallStudy, confirmed_for_device: SmallStudy, images: str
) -> None:
    by = searched_for_device.folder / "clock.sh"
    for study, pattern in ((searched_for_device, "some_*.c"), (confirmed_for_device, "*_confirmed.c")):
        (file,) = study.folder.glob(pattern)
        latency = figures_in(file.with_suffix(".md"))["latency"]
        assert latency.value == "3.5 ms an image"
        assert latency.how == f"this {file.name}, run by {by}: median of 9 rounds from 3 to 9 ms"
        assert json.loads((study.folder / "notes.json").read_text())[-1] == (
            f"{file.name} was run by {by}, and an image takes 3.5 ms (3 to 9 in 9 rounds), which is over the limit of "
            "3 ms. It said: all is well"
        )
        assert (searched_for_device.folder / "given").read_text().count(f"/{file.name}\n") == 3
    (reading, _) = confirmations(confirmed_for_device.study)[0].readings
    assert accuracy_here(file, images) == reading.accuracy, "what was confirmed is what this C has"


@needs_cc
def test_a_device_that_is_gone_fails_nothing_and_is_said(
    searched_for_device: SmallStudy, confirmed_for_device: SmallStudy, tmp_path: Path
) -> None:
    study = SmallStudy(shutil.copytree(confirmed_for_device.folder, tmp_path / "copy"))
    clock(searched_for_device.folder, "echo no board >&2; exit 7")
    try:
        found = confirm(storage=study.storage, top=1, seeds=2, workers=1, out=study.folder)
    finally:
        clock(searched_for_device.folder, CLOCK)
    assert found.model is not None
    assert f"{found.model.stem}.c could NOT be run by " in found.notes[-1]
    assert "ended with 7 (no board)" in found.notes[-1]
    assert figures_in(found.model.with_suffix(".md"))["latency"].value == "3.5 ms an image", "there it did run before"


@needs_cc
def test_a_report_says_in_which_arithmetic_a_figure_is(searched_for_device: SmallStudy, images: str) -> None:
    study = searched_for_device.study
    (winner,) = ranked(study)
    assert winner.accuracy is not None
    assert winner.float_accuracy is not None
    in_eight, in_float = per_cent(winner.accuracy), per_cent(winner.float_accuracy)
    text = text_of(report_page(study, searched_for_device.checkpoints))
    assert f"recognises {in_eight} of the validation part (in whole numbers of 8 bits; {in_float} in float32)" in text
    assert (
        f"validation accuracy, in whole numbers of 8 bits {in_eight} validation accuracy in float32 {in_float}" in text
    )
    assert f"{winner.trial} that the search trained, in whole numbers of 8 bits, as the exported C computes." in text
    assert "the network that was trained, in float and not in the whole numbers of 8 bits;" in text
    assert f"it runs as c on {searched_for_device.folder}/clock.sh" in text
    assert "compiler cc -std=c99 -Os (" in text
    assert "2.5 ms an image, median of 3 rounds from 2.5 to 2.5 ms, before it was trained" in text

    # What is confused, and how certainly, is what the C says.
    seen = on_validation_part(study, winner, searched_for_device.checkpoints)
    split = datasets.split(datasets.load(images))
    (file,) = searched_for_device.folder.glob("some_*.c")
    scores, _ = run(["cc"], file.stem, file.parent.resolve(), split.validation_images, 10)
    of_c = mistakes(scores, split.validation_images, split.validation_labels, seen.classes, len(seen.hardest))
    assert seen.confusion == of_c.confusion
    assert [each.certainty for each in seen.hardest] == [each.certainty for each in of_c.hardest]


@needs_cc
def test_what_was_confirmed_stands_in_report_and_card(confirmed_for_device: SmallStudy) -> None:
    (found,) = confirmations(confirmed_for_device.study)
    assert found.float_accuracy is not None
    text = text_of(report_page(confirmed_for_device.study, confirmed_for_device.checkpoints))
    assert f"in whole numbers of 8 bits; the same networks {found.float_accuracy.per_cent()} % in float32" in text
    assert "2 confirmed networks together, in whole numbers of 8 bits, as the exported C computes." in text
    (card,) = confirmed_for_device.folder.glob("*_confirmed.md")
    figures = figures_in(card)
    first = found.readings[0]
    for label, accuracy in (("eight bits", first.accuracy), ("float", first.float_accuracy)):
        tested = figures[f"test accuracy in {label}"]
        assert tested.value == per_cent(accuracy or 0)
        low, high = (per_cent(end) for end in wilson(round(100 * (accuracy or 0)), 100))
        assert tested.how.startswith(
            f"{100 * (accuracy or 0):.0f} of 100 test images by this network; 95 % interval for "
        )
        assert f"{low} to {high}; 2 trainings: " in tested.how
        trained_on = figures[f"training accuracy in {label}"].how
        assert "images that it was trained on: no measure of others" in trained_on
        assert "interval" not in trained_on
    assert found.accuracy.per_cent() in figures["test accuracy in eight bits"].how
    assert "accuracy in float" not in figures


@pytest.mark.slow
@needs_qemu
def test_one_command_hands_over_c_that_ran_on_the_device(
    nas: Run, images: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flash, RAM and latency at once, ranked and confirmed in eight bits, and the confirmed C run under QEMU."""
    monkeypatch.setenv("CC", "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb")
    asked = ("--space", "tiny", "--epochs", "1", "--trials", "1", "--workers", "1", "--seed", "1", "--dataset", images)
    limits = ("--budget", "3k", "--max-flash", "12k", "--max-ram", "8k", "--max-latency", "50ms")
    device = ("--for", "c", "--on", f"{sys.executable} {UNDER_QEMU}", "--quantised")
    done = nas("search", *asked, *limits, *device, "--confirm", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    for model, notes in ((told["model"], told["notes"]), (told["confirmed"]["model"], told["confirmed"]["notes"])):
        assert "100 of 100 answers are those of the reference, to the last bit." in notes[-1]
        figures = figures_in(Path(model).with_suffix(".md"))
        for name, limit in (("flash", 12_000), ("RAM", 8_000), ("latency", 50)):
            assert float(figures[name].value.split()[0].replace(",", "")) <= limit
        assert "under_qemu.py: median of 3 rounds" in figures["latency"].how
        (flash,) = re.findall(r"takes ([\d,]+) bytes of flash", notes[-1])
        assert figures["flash"].value == f"{flash} bytes", "what ran is what was limited"
    source = Path(told["confirmed"]["model"]).with_suffix(".c")
    assert accuracy_here(source, images) == told["confirmed"]["test_accuracy"][0]
    (reading, *_) = confirmations(find_study(open_storage("runs/nas.db"), told["study"]))[0].readings
    assert reading.float_accuracy is not None, "it was tested in eight bits"
