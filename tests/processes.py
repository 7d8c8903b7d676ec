"""Watching commands that run in processes of their own, and the workers these have."""

import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """The first line with `text`; fails if the process ends without it."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if text in line:
            return line
    raise AssertionError(f"{text!r} never appeared in:\n{''.join(seen)}")


def workers_of(process: subprocess.Popen[Any]) -> list[int]:
    """Process numbers of the worker processes of a search."""
    return [pid for pid in children_of(process.pid) if b"spawn_main" in _command_line(pid)]


def children_of(pid: int) -> list[int]:
    """Process numbers of the children of all threads of a process; none if it has ended."""
    children = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            children += [int(child) for child in path.read_text().split()]
    return children


def _command_line(pid: int) -> bytes:
    """Empty for a process that has ended in the meantime."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]
    except FileNotFoundError:
        return False


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers through /proc")
