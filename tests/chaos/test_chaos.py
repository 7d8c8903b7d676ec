"""A few kills of `run.py`; many more are run by hand, and at night."""

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc, to see who is whose worker")
@pytest.mark.timeout(600)
def test_kills_lose_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(RUN), "--kills", "20", "--sample", "5", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 trials lost, 0 never went on; of 5 that were trained again 0 differ" in done.stdout
