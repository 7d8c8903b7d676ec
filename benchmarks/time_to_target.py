"""Wall-clock time until a network within the budget has the target accuracy on validation: nas and plain Optuna.

    python benchmarks/time_to_target.py [--seeds 0 1 2] [--data-dir DIR] [--out DIR]

Both start from nothing, in processes of their own, one after the other, and hold 10,000 images out of the training set.
`benchmarks/plain_optuna.py` is stopped at twelve times the time that nas took with that seed; the ratio is then a lower
bound. Runs that are done are kept in `--out` and not run again.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from nas import datasets
from nas.execution.opening import n_cores

MOST_TIMES_OURS = 12
GOAL = ["--budget", "20000", "--target", "0.994", "--epochs", "20"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/time-to-target"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    root = datasets.fetch("mnist", arguments.data_dir)
    print(f"{n_cores()} cores, {platform.machine()}", flush=True)
    print(
        "| seed | nas, minutes | accuracy | plain Optuna, minutes | accuracy | ratio |\n|---|---|---|---|---|---|",
        flush=True,
    )
    for seed in arguments.seeds:
        print(row(seed, root, arguments.out), flush=True)


def row(seed: int, root: Path, out: Path) -> str:
    ours = kept(out / f"nas-{seed}.json", lambda: with_nas(seed, root, out / f"nas-{seed}"))
    limit = MOST_TIMES_OURS * ours["seconds"]
    plain = kept(out / f"plain-{seed}.json", lambda: with_plain_optuna(seed, root, limit))
    bound = "" if plain["reached"] else "at least "
    ratio = plain["seconds"] / ours["seconds"]
    return (
        f"| {seed} | {ours['seconds'] / 60:.1f} | {ours['accuracy']:.2%} | "
        f"{'reached' if plain['reached'] else 'stopped'} after {plain['seconds'] / 60:.1f} | "
        f"{plain['accuracy']:.2%} | {bound}{ratio:.1f} |"
    )


def kept(file: Path, run: Any) -> dict[str, Any]:
    if not file.exists():
        file.write_text(json.dumps(run()))
    result: dict[str, Any] = json.loads(file.read_text())
    return result


def with_nas(seed: int, root: Path, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "nas", "search", *GOAL, "--seed", str(seed), "--data-dir", str(root)]
    folder.mkdir()
    start = time.monotonic()
    done = subprocess.run(
        [*command, "--storage", str(folder / "nas.db"), "--out", str(folder), "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds = time.monotonic() - start
    return {"seconds": seconds, "accuracy": json.loads(done.stdout)["best"][0]["validation_accuracy"], "reached": True}


def with_plain_optuna(seed: int, root: Path, limit: float) -> dict[str, Any]:
    script = Path(__file__).with_name("plain_optuna.py")
    command = [sys.executable, str(script), *GOAL, "--seed", str(seed), "--data-dir", str(root)]
    best = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event.get("reached"):
                return {"seconds": event["seconds"], "accuracy": event["accuracy"], "reached": True}
            best = max(best, event["accuracy"])
            if event["seconds"] > limit:
                process.terminate()
                break
    return {"seconds": limit, "accuracy": best, "reached": False}


if __name__ == "__main__":
    main()
