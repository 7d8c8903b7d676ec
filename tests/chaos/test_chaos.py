"""Each kind of `run.py` once; many more are run by hand, and at night."""

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc, to see who is whose worker")
@pytest.mark.timeout(600)
def test_whatever_happens_nothing_is_lost(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            str(RUN),
            "--kills",
            "10",
            "--each",
            "--cold",
            "0",
            "--sample",
            "3",
            "--folder",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| all | 10 | 0 | 0 |" in done.stdout
    assert "0 faults" in done.stdout
