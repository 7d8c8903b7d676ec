"""Wall-clock time until a network within the budget has the target accuracy on validation: nas in several ways, and
plain Optuna.

    python benchmarks/time_to_target.py [--seeds 0 1 2 3 4] [--settings NAME ...] [--data-dir DIR] [--out DIR]

All start from nothing, in processes of their own, one after the other, hold 10,000 images out of the training set, and
end with the first epoch of a training that has the target. What differs is named by the settings:

    nas                  `nas search` as it is: what a user types
    from nothing         the same without the lessons that come with nas
    random, halving      the same pipeline and space, random sampling, successive halving
    tpe, halving         the same with Optuna's TPE
    documented space     random sampling and successive halving in the space of the documented design axes
    plain Optuna         `benchmarks/plain_optuna.py`: how people write it. Stopped at twelve times the time nas took
                         with that seed; the ratio is then a lower bound

So the search is worth what lies between `nas` and `random, halving`, the space what lies between that and `documented
space`, and the pipeline what `benchmarks/throughput.py` measures. Runs that are done are kept in `--out` and not run
again; the ratio of a seed's seconds to those of `nas` is paired.
"""

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

from nas import datasets
from nas.execution.placement import n_cores

MOST_TIMES_OURS = 12
MOST_SECONDS = 1_200  # of a search of nas
GOAL = ["--budget", "20000", "--target", "0.994", "--epochs", "20"]
OURS = "nas"
HALVING = ["--pruner", "halving"]
OPTIONS: Mapping[str, list[str]] = {
    OURS: [],
    "from nothing": ["--start-from", "nothing"],
    "random, halving": ["--sampler", "random", *HALVING],
    "tpe, halving": ["--sampler", "tpe", *HALVING],
    "documented space": ["--space", "documented", "--sampler", "random", *HALVING],
}
PLAIN = "plain Optuna"
Result = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    settings = [*OPTIONS, PLAIN]
    parser.add_argument("--settings", nargs="+", choices=settings, default=[OURS, PLAIN])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/time-to-target"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    root = datasets.fetch("mnist", arguments.data_dir)
    print(f"{n_cores()} cores, {platform.machine()}", flush=True)
    names = list(dict.fromkeys([OURS, *arguments.settings]))
    print(f"| seed | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}", flush=True)
    results: dict[str, list[Result]] = {name: [] for name in names}
    for seed in arguments.seeds:
        for name in names:
            results[name].append(result(name, seed, root, arguments.out))
        print(f"| {seed} | {' | '.join(cell(results[name][-1]) for name in names)} |", flush=True)
    print("\n".join(summary(name, results[name], results[OURS]) for name in names))


def result(name: str, seed: int, root: Path, out: Path) -> Result:
    stem = f"{name.replace(', ', '-').replace(' ', '-').lower()}-{seed}"
    if name != PLAIN:
        return kept(out / f"{stem}.json", lambda: with_nas(OPTIONS[name], seed, root, out / stem))
    ours = result(OURS, seed, root, out)
    return kept(out / f"{stem}.json", lambda: with_plain_optuna(seed, root, MOST_TIMES_OURS * ours["seconds"]))


def cell(one: Result) -> str:
    reached = "" if one["reached"] else "not reached in "
    return f"{reached}{one['seconds']:.0f} s, {one['accuracy']:.2%}"


def summary(name: str, results: list[Result], ours: list[Result]) -> str:
    """The median time, and how much longer it takes than nas does with the same seed."""
    seconds, ratios = [each["seconds"] for each in results], ratios_of(results, ours)
    reached = sum(each["reached"] for each in results)
    bound = "" if reached == len(results) else "at least "
    return (
        f"{name}: {reached} of {len(results)} reached it, median {bound}{median(seconds):.0f} s; {bound}"
        f"{geometric_mean(ratios):.2f} times as long as nas ({min(ratios):.2f} to {max(ratios):.2f})"
    )


def ratios_of(results: list[Result], ours: list[Result]) -> list[float]:
    return [each["seconds"] / own["seconds"] for each, own in zip(results, ours, strict=True)]


def kept(file: Path, run: Callable[[], Result]) -> Result:
    if not file.exists():
        file.write_text(json.dumps(run()))
    result: Result = json.loads(file.read_text())
    return result


def with_nas(options: list[str], seed: int, root: Path, folder: Path) -> Result:
    folder.mkdir(exist_ok=True)
    for file in folder.glob("nas.db*"):  # of a run that was interrupted: it would go on
        file.unlink()
    command = [sys.executable, "-m", "nas", "search", *GOAL, *options, "--seed", str(seed), "--data-dir", str(root)]
    start = time.monotonic()
    done = subprocess.run(
        [
            *command,
            "--timeout",
            f"{MOST_SECONDS}s",
            "--storage",
            str(folder / "nas.db"),
            "--out",
            str(folder),
            "--json",
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - start
    best = json.loads(done.stdout)["best"]
    return {
        "seconds": seconds,
        "accuracy": best[0]["validation_accuracy"] if best else 0.0,
        "reached": done.returncode == 0,
    }


def with_plain_optuna(seed: int, root: Path, limit: float) -> Result:
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
