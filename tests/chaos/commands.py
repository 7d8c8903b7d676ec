"""Commands of nas in processes of their own, which can be killed.

Warm ones are forked from this process, which has loaded everything, and their workers from a server that has: a second
of a start is not worth a thousand kills. Cold ones begin as a user's do.
"""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import forkserver
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).parents[1]))  # where pytest finds it, too
from processes import children_of, workers_of

from nas.__main__ import main
from nas.cli.confirm import confirm
from nas.cli.export import export
from nas.cli.search import search
from nas.execution import processes
from nas.replication import confirming  # noqa: F401 - what the commands load when they run
from nas.terminal import search_display, trainings_display  # noqa: F401

assert all((confirm, export, search))
SET_BACK = Path(__file__).with_name("set_back")


class Forked:
    """As `subprocess.Popen`, for a function's process."""

    def __init__(self, args: list[str], folder: Path, log: Path) -> None:
        sys.stdout.flush()
        self.returncode: int | None = None
        self.pid = os.fork()
        if not self.pid:
            self._run(args, folder, log)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("nas", timeout)
            time.sleep(0.01)
        assert self.returncode is not None
        return self.returncode

    def _run(self, args: list[str], folder: Path, log: Path) -> None:
        code = 1
        try:
            os.setsid()
            os.chdir(folder)
            random.seed()
            with log.open("ab", buffering=0) as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            sys.argv = ["nas", *args]
            sys.modules["__main__"].__file__ = None  # else each worker would load it
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        finally:
            with suppress(OSError):
                sys.stdout.flush()
            os._exit(code)


Command = Forked | subprocess.Popen[bytes]


def keep_warm() -> None:
    """Workers of warm commands come from one server, which this process starts."""
    torch.set_num_threads(1)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["warm_worker"])
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), before])
    os.environ.setdefault("GLIBC_TUNABLES", processes.ALLOCATOR)
    forkserver.ensure_running()
    os.environ["PYTHONPATH"] = before
    server = forkserver._forkserver  # type: ignore[attr-defined]
    server.ensure_running = lambda: None  # a forked process would look for it among its own children
    processes.get_context = lambda _: context  # type: ignore[assignment]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def begin(args: list[str], folder: Path, log: Path, cold: bool = False, set_back_after: float | None = None) -> Command:
    """Starts a command in `folder`; its output goes to the end of `log`. One whose clock is set back is always cold."""
    if not cold and set_back_after is None:
        return Forked(args, folder, log)
    environment: Mapping[str, str] = os.environ
    if set_back_after is not None:
        path = os.pathsep.join([str(SET_BACK), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path, "SET_BACK_AFTER": str(set_back_after)}
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "nas", *args],
            cwd=folder, stdout=file, stderr=file, start_new_session=True, env=environment,
        )  # fmt: skip


def workers(command: Command) -> list[int]:
    """Process numbers of its workers; of all warm commands, for a warm one."""
    if isinstance(command, Forked):
        return children_of(forkserver._forkserver._forkserver_pid)  # type: ignore[attr-defined]
    return workers_of(command)


def kill(command: Command, number: int = signal.SIGKILL) -> None:
    """Sends a signal to the whole group of a command, as a terminal does."""
    with suppress(ProcessLookupError):
        os.killpg(command.pid, number)
