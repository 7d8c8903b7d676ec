"""How long a search takes from scratch, for the seeds 0, 1 and 2, one after the other.

    python benchmarks/three_seeds.py [--config STUDY.toml] [--out DIR] [SEARCH OPTION ...]

Prints a row a seed: minutes until the search ended, candidates, epochs trained by all of them together, and the winner.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import optuna

from nas.execution.placement import n_cores
from nas.study.record import records

COLUMNS = ("seed", "minutes", "trained", "pruned", "rejected", "epochs", "accuracy", "parameters", "target reached")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="studies/mnist-20k.toml", help="the study file of the search")
    parser.add_argument("--out", type=Path, default=Path("runs/three-seeds"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments, options = parser.parse_known_args()
    print(f"{n_cores()} cores, {platform.machine()}, Python {platform.python_version()}", flush=True)
    print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS), flush=True)
    for seed in arguments.seeds:
        print(
            "| " + " | ".join(map(str, run(seed, arguments.out, ["--config", arguments.config, *options]))) + " |",
            flush=True,
        )


def run(seed: int, folder: Path, options: list[str]) -> list[object]:
    """One search from scratch, in a folder of its own; refuses to go on with an older one."""
    folder = folder / f"seed-{seed}"
    folder.mkdir(parents=True)
    storage = f"sqlite:///{folder / 'nas.db'}"
    command = [sys.executable, "-m", "nas", "search", "--seed", str(seed), "--storage", storage]
    start = time.monotonic()
    with (folder / "log.txt").open("w") as log:
        done = subprocess.run(
            [*command, "--out", str(folder), "--json", *options], stdout=subprocess.PIPE, stderr=log, text=True
        )
    minutes = (time.monotonic() - start) / 60
    result = json.loads(done.stdout)
    study = optuna.load_study(study_name=result["study"], storage=storage)
    counts, best = result["counts"], result["best"][:1]
    return [
        seed,
        f"{minutes:.1f}",
        counts.get("finished", 0) + counts.get("pruned", 0),
        counts.get("pruned", 0),
        counts.get("rejected", 0),
        sum(record.epochs for record in records(study)),
        *([f"{best[0]['validation_accuracy']:.2%}", f"{best[0]['params']:,}"] if best else ["-", "-"]),
        "yes" if result["target_reached"] else "no",
    ]


if __name__ == "__main__":
    main()
