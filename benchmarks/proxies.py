"""What the beginning of a training says of its end, and when a search for a target may stop, read off tables.

    python benchmarks/proxies.py studies/tables/mnist-2000.jsonl studies/tables/mnist-20000.jsonl

For each table of `benchmarks/table.py`: how well candidates are ordered, by Spearman's correlation with the accuracy of
their last epoch, by accuracy and loss after some epochs of the same training and by complete short schedules of as many
epochs. Then, for targets that some share of the candidates has in its last epoch: how many epochs a search trains, of
random candidates one after the other, for each one that has it, if it
    (a) looks at last epochs alone, (b) stops with the first epoch that has the target,
    (c) trains short schedules alone, (d) begins with a short schedule and goes on as (b) where that was not enough;
and by how many points the three epochs behind the one at which (b) stops are better than it: below zero, stopping there
flatters.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

SHARES = (0.5, 0.3, 0.2, 0.1)
N_BEHIND = 3


@dataclass(frozen=True)
class Row:
    """A candidate: accuracies and losses of its whole training, and accuracies of its short ones by their length."""

    accuracies: Sequence[float]
    losses: Sequence[float]
    short: dict[int, Sequence[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path, nargs="+")
    for table in parser.parse_args().tables:
        rows = read(table)
        print(
            f"\n{table.name}: {len(rows)} candidates with short schedules\n"
            + "\n".join([*order(rows), *stopping(rows)])
        )


def read(table: Path) -> list[Row]:
    """The candidates that have all lengths."""
    settings, *lines = map(json.loads, table.read_text().splitlines())
    first = [line for line in lines if line["seed"] == 0 and line["epochs"]]
    lengths = {line["epochs"] for line in first}
    by_candidate: dict[int, dict[int, dict[str, Sequence[float]]]] = {}
    for line in first:
        by_candidate.setdefault(line["candidate"], {})[line["epochs"]] = line
    return [
        Row(
            of[settings["epochs"]]["validation_accuracy"],
            of[settings["epochs"]]["validation_loss"],
            {n: of[n]["validation_accuracy"] for n in sorted(lengths - {settings["epochs"]})},
        )
        for of in by_candidate.values()
        if of.keys() == lengths
    ]


def order(rows: Sequence[Row]) -> Iterator[str]:
    yield "| epochs | accuracy then | loss then | a complete schedule of as many |\n|---|---|---|---|"
    lasts = [row.accuracies[-1] for row in rows]
    for n in rows[0].short:
        accuracy = spearmanr([row.accuracies[n - 1] for row in rows], lasts)[0]
        loss = -spearmanr([row.losses[n - 1] for row in rows], lasts)[0]
        complete = spearmanr([row.short[n][-1] for row in rows], lasts)[0]
        yield f"| {n} | {accuracy:.2f} | {loss:.2f} | {complete:.2f} |"


def stopping(rows: Sequence[Row]) -> Iterator[str]:
    lengths = list(rows[0].short)
    names = [f"short, {n}" for n in lengths] + [f"short, {n}, then the first" for n in lengths]
    yield f"| target | last epoch | first epoch | {' | '.join(names)} | behind it, points |"
    yield f"{'|---' * (4 + 2 * len(lengths))}|"
    for share in SHARES:
        target = float(np.quantile([row.accuracies[-1] for row in rows], 1 - share))
        ways = [
            [(len(row.accuracies), row.accuracies[-1] >= target) for row in rows],
            [first(row, target) for row in rows],
            *([(n, row.short[n][-1] >= target) for row in rows] for n in lengths),
            *([short_then_first(row, n, target) for row in rows] for n in lengths),
        ]
        cells = " | ".join(map(epochs_per_success, ways))
        yield f"| {target:.2%}, which {share:.0%} have | {cells} | {behind(rows, target):+.2f} |"


def first(row: Row, target: float) -> tuple[int, bool]:
    """Epochs trained, and whether it has the target."""
    epoch = next((i for i, accuracy in enumerate(row.accuracies, start=1) if accuracy >= target), None)
    return (len(row.accuracies), False) if epoch is None else (epoch, True)


def short_then_first(row: Row, n: int, target: float) -> tuple[int, bool]:
    if row.short[n][-1] >= target:
        return n, True
    epochs, reached = first(row, target)
    return n + epochs, reached


def epochs_per_success(trained: Sequence[tuple[int, bool]]) -> str:
    n = sum(reached for _, reached in trained)
    return f"{sum(epochs for epochs, _ in trained) / n:.0f}" if n else "never"


def behind(rows: Sequence[Row], target: float) -> float:
    """How much better the next epochs are on average than the first that has the target, in points."""
    gains = []
    for row in rows:
        epoch, reached = first(row, target)
        following = row.accuracies[epoch : epoch + N_BEHIND]
        if reached and following:
            gains.append(float(np.mean(following)) - row.accuracies[epoch - 1])
    return 100 * float(np.mean(gains)) if gains else float("nan")


if __name__ == "__main__":
    main()
