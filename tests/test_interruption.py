"""Ctrl-C and termination signals, sent to real commands at moments that have nothing to do with what they do."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from processes import needs_proc, workers_of

from nas.interruption import held_back

Start = Callable[..., subprocess.Popen[str]]
TINY = ("--space", "tiny", "--budget", "3k", "--epochs", "2", "--workers", "2")
COMMANDS = {  # and for how many seconds each is under way, roughly
    "status": (("status",), 1.0),
    "report": (("report", "-o", "page.html"), 3.0),
    "export": (("export", "--out", "models"), 3.0),
    "export as C": (("export", "--out", "models", "--format", "c", "--format", "torch"), 3.0),
    "confirm": (("confirm", "--top", "2", "--seeds", "1", "--out", "models"), 5.0),
    "retrain": (("retrain", "--trial", "0"), 3.0),
    "check": (("check", *TINY[:4], "--workers", "2"), 5.0),
    "reproduce": (("reproduce", "A1", "--seeds", "1"), 4.0),
    "ablate": (("ablate", "A10", "--axis", "batch-norm-order", "--epochs", "1", "--seeds", "1"), 4.0),
    "fetch": (("data", "fetch", "mnist", "--data-dir", "here"), 3.0),
    "search": (("search", *TINY, "--trials", "5", "--study", "other"), 6.0),
    "search and confirm": (("search", *TINY, "--trials", "2", "--study", "other", "--confirm", "--json"), 8.0),
}
ENDS = (130, -signal.SIGINT, -signal.SIGTERM)  # a shell shows 130 for the second, too


def wait_until_it_heeds(process: "subprocess.Popen[str]") -> None:
    """Until its own handler is there: before, Python alone runs, which starts."""
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        caught = next((line for line in status.read_text().splitlines() if line.startswith("SigCgt")), "SigCgt 0")
        if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.002)


def check_interrupted(process: "subprocess.Popen[str]", number: int) -> None:
    """Sends a signal as a terminal does; one line, no traceback, nothing half."""
    over = process.poll() is not None
    if not over:
        os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=60)
    for sign in ("Traceback", "Exception ignored", "Error"):
        assert sign not in output, output
    if over or process.returncode == 0:  # it had done all
        return
    assert process.returncode in ENDS, output
    if process.returncode == 130:
        lines = [line for line in output.splitlines() if not line.startswith((" ", "trial "))]  # no JSON, no trials
        assert sum("nterrupted" in line for line in lines) == 1, output


def check_nothing_half_written(folder: Path) -> None:
    for model in folder.rglob("*.py"):
        assert model.with_suffix(".safetensors").exists()
    left = [each for each in folder.rglob("*") if each.name.endswith(".tmp") or each.name.startswith(".")]
    assert {each.name for each in left} <= {".nas-fetching.lock"}


@needs_proc
@pytest.mark.parametrize("command", ["status", "export", "confirm"])
def test_ctrl_c_is_one_line_also_while_the_library_is_loaded(
    start: Start, small_search: Path, tmp_path: Path, command: str
) -> None:
    shutil.copytree(small_search, tmp_path, dirs_exist_ok=True)
    random = Random(command)
    for _ in range(2):
        process = start(*COMMANDS[command][0])
        wait_until_it_heeds(process)
        time.sleep(random.uniform(0, 0.8))
        check_interrupted(process, signal.SIGINT)
        check_nothing_half_written(tmp_path)


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_be_interrupted_at_any_moment(
    start: Start, small_search: Path, tmp_path: Path, command: str, number: signal.Signals
) -> None:
    random = Random(f"{command} {number}")
    args, seconds = COMMANDS[command]
    shutil.copytree(small_search, tmp_path, dirs_exist_ok=True)
    for _ in range(3):
        process = start(*args)
        wait_until_it_heeds(process)
        time.sleep(random.uniform(0, seconds))
        check_interrupted(process, number)
        check_nothing_half_written(tmp_path)


@needs_proc
def test_a_worker_that_is_starting_does_not_show_ctrl_c(start: Start) -> None:
    process = start("check", "--space", "tiny", "--budget", "3k", "--workers", "2")
    while len(workers_of(process)) < 2 and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.3)  # while it loads torch
    check_interrupted(process, signal.SIGINT)


def test_what_is_held_back_is_done_to_its_end() -> None:
    done = []

    def work() -> None:
        with held_back():
            signal.raise_signal(signal.SIGINT)
            done.append("all")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def in_a_process(code: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    begun = "import signal, sys, time\nfrom nas.interruption import heed_signals\nheed_signals()\n"
    return subprocess.run([sys.executable, "-c", begun + code], cwd=folder, capture_output=True, text=True, timeout=60)


def test_ctrl_c_within_an_import_comes_after_it(tmp_path: Path) -> None:
    """Else whatever loads a module may take it for an error of that module."""
    (tmp_path / "slow.py").write_text(
        "import signal\nsignal.raise_signal(signal.SIGINT)\nprint('loaded', flush=True)\n"
    )
    (tmp_path / "library.py").write_text("def work():\n    import slow\n")
    done = in_a_process("import library\ntry:\n    library.work()\n    time.sleep(30)\nexcept KeyboardInterrupt:\n"
                        "    print('interrupted')\n", tmp_path)  # fmt: skip
    assert (done.stdout.split(), done.stderr) == (["loaded", "interrupted"], "")
    done = in_a_process("import slow\ntime.sleep(30)\n", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "nas: interrupted\n"), (
        "the command line's own: at once"
    )


def test_ctrl_c_within_a_destructor_is_not_lost(tmp_path: Path) -> None:
    done = in_a_process(
        "class Thing:\n    def __del__(self):\n        signal.raise_signal(signal.SIGINT)\n        len('')\n"
        "try:\n    Thing()\n    time.sleep(30)\nexcept KeyboardInterrupt:\n    print('interrupted')\n", tmp_path
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
