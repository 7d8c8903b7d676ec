"""Makes of tables of `benchmarks/table.py` what a search can start from.

    python benchmarks/lessons.py studies/tables/mnist-2000.jsonl ... --out studies/lessons/budget_fill.json

A lesson holds the parameters of a table's candidates, the logit of the accuracy that each came to, the mean over its
seeds where it was trained with several, and the logarithm of its multiply-accumulates. Tables that others are compared
on must not be among them.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from optuna.distributions import json_to_distribution

from nas.study.curves import logit
from nas.study.experience import Lesson


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path, nargs="+")
    parser.add_argument("--candidates", type=int, default=300, help="how many of each table, the first ones")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    lessons = [lesson(table, arguments.candidates) for table in arguments.tables]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps([each.to_dict() for each in lessons], separators=(",", ":")) + "\n")
    print(", ".join(f"{each.origin}: {len(each.params)} candidates" for each in lessons))


def lesson(table: Path, n: int) -> Lesson:
    settings, *lines = map(json.loads, table.read_text().splitlines())
    params: dict[int, Any] = {}
    values: dict[int, list[float]] = {}
    macs: dict[int, float] = {}
    for line in lines:
        if line["epochs"] == settings["epochs"] and line["candidate"] < n:
            params[line["candidate"]] = line["params"]
            macs[line["candidate"]] = math.log(line["cost"]["macs"])
            values.setdefault(line["candidate"], []).append(float(logit(line["validation_accuracy"][-1:])[0]))
    axes = {name: json_to_distribution(json.dumps(each)) for name, each in settings["distributions"].items()}
    dataset, budget, epochs, images = (settings[name] for name in ("dataset", "budget", "epochs", "images"))
    origin = f"{dataset}, {budget:,} parameters, {epochs} epochs of {images:,} images"
    means = [float(np.mean(values[number])) for number in params]
    return Lesson(origin, axes, list(params.values()), means, list(macs.values()))


if __name__ == "__main__":
    main()
