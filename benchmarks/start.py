"""How long nas takes to start: what a person waits for at each command and each TAB, and every worker anew.

    python benchmarks/start.py

Wall-clock time of whole processes, median of several, in a folder with a small study of its own. Modules are those that
`import nas` leaves loaded.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

TAB = {"_NAS_COMPLETE": "bash_complete"}
NAS = str(Path(sys.executable).parent / "nas")
STARTS: Mapping[str, tuple[Sequence[str], Mapping[str, str]]] = {
    "python alone": ([sys.executable, "-c", ""], {}),
    "import nas": ([sys.executable, "-c", "import nas"], {}),
    "what a space needs": ([sys.executable, "-c", "from nas import Architecture, Conv, Recipe, Candidate, Task"], {}),
    "what a worker needs": ([sys.executable, "-c", "import nas.execution.processes"], {}),
    "nas --help": ([NAS, "--help"], {}),
    "TAB after nas": ([NAS], {**TAB, "COMP_WORDS": "nas ", "COMP_CWORD": "1"}),
    "TAB after nas search --sp": ([NAS], {**TAB, "COMP_WORDS": "nas search --sp", "COMP_CWORD": "2"}),
    "TAB after nas show --study": ([NAS], {**TAB, "COMP_WORDS": "nas show --study ", "COMP_CWORD": "3"}),
    "nas search --help": ([NAS, "search", "--help"], {}),
    "nas status": ([NAS, "status"], {}),
    "nas trials": ([NAS, "trials"], {}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        make_study(Path(folder))
        print("| start | seconds, median | least |\n|---|---|---|")
        for name, (command, environment) in STARTS.items():
            seconds = [timed(command, environment, folder) for _ in range(rounds)]
            print(f"| {name} | {statistics.median(seconds):.2f} | {min(seconds):.2f} |", flush=True)
    count = subprocess.run(
        [sys.executable, "-c", "import sys, nas; print(len(sys.modules))"], capture_output=True, text=True, check=True
    )
    print(f"\n{count.stdout.strip()} modules are loaded after `import nas`")


def make_study(folder: Path) -> None:
    """A search of random images, whose accuracy is nobody's business."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (300, 12, 12), dtype=np.uint8)
    np.savez(folder / "noise.npz", x_train=images, y_train=np.arange(300) % 3)
    options = ["--space", "tiny", "--dataset", "npz:noise.npz", "--budget", "2k", "--epochs", "1", "--trials", "5"]
    subprocess.run([NAS, "search", *options], cwd=folder, check=True, capture_output=True)


def timed(command: Sequence[str], environment: Mapping[str, str], folder: str) -> float:
    begin = time.perf_counter()
    subprocess.run(command, cwd=folder, env={**os.environ, **environment}, check=False, capture_output=True)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
