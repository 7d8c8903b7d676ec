"""Which axes of a space decide anything, read off tables of `benchmarks/table.py`.

    python benchmarks/axes.py studies/tables/mnist-2000.jsonl studies/tables/mnist-20000.jsonl

A random forest learns the last accuracy of candidates (in logits) from their axes, and is asked about candidates that
it has not seen (five parts, ten times). An axis is worth what is lost of the explained share of the variance where its
numbers are dealt out anew among these (permutation importance: Breiman 2001, "Random Forests", section 10). Five axes
of noise that are given to it, too, show what is nothing: an axis decides something if it is worth more than the best
of them in at least 95 of 100 rounds. Needs scikit-learn.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from optuna.distributions import CategoricalDistribution
from simulated.world import Table
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import RepeatedKFold

from nas.study.curves import logit

N_PARTS, N_TIMES, N_NOISE, N_TREES = 5, 10, 5, 200
CERTAIN = 0.95


class Worth(NamedTuple):
    """Of an axis: what is lost on average without it, and in which share of the rounds that was more than noise."""

    loss: float
    above_noise: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path, nargs="+")
    tables = {file.name: Table.read(file) for file in parser.parse_args().tables}
    found = {name: worth_of(table) for name, table in tables.items()}
    explained = ", ".join(
        f"{name}: {len(tables[name].params)} candidates, {share:.2f} explained" for name, (share, _) in found.items()
    )
    print(f"{explained}\n\n| axis | {' | '.join(found)} |\n|---|{'---|' * len(found)}")
    axes = sorted(
        dict.fromkeys(axis for _, worth in found.values() for axis in worth),
        key=lambda axis: -max(worth[axis].loss for _, worth in found.values() if axis in worth),
    )
    for axis in axes:
        print(f"| `{axis}` | {' | '.join(_shown(worth.get(axis)) for _, worth in found.values())} |")


def worth_of(table: Table) -> tuple[float, dict[str, Worth]]:
    """The share of the variance that is explained, and what each axis is worth of it."""
    names = list(table.distributions)
    random = np.random.default_rng(0)
    noise = random.random((len(table.params), N_NOISE))
    inputs = np.column_stack([*(_numbers(table, name) for name in names), noise])
    wanted = logit(table.accuracies[:, -1])
    losses, shares = [], []
    for learned, asked in RepeatedKFold(n_splits=N_PARTS, n_repeats=N_TIMES, random_state=0).split(inputs):
        forest = RandomForestRegressor(N_TREES, min_samples_leaf=2, max_features=0.5, random_state=0, n_jobs=-1)
        forest.fit(inputs[learned], wanted[learned])
        shares.append(_explained(forest, inputs[asked], wanted[asked]))
        for _ in range(2):
            losses.append(
                [
                    shares[-1] - _explained(forest, _dealt_anew(inputs[asked], axis, random), wanted[asked])
                    for axis in range(inputs.shape[1])
                ]
            )
    lost = np.array(losses)
    above = lost[:, : len(names)] > lost[:, len(names) :].max(1, keepdims=True)
    return float(np.mean(shares)), {
        name: Worth(float(lost[:, axis].mean()), float(above[:, axis].mean())) for axis, name in enumerate(names)
    }


def _numbers(table: Table, name: str) -> Sequence[float]:
    """Of all candidates; -1 where the axis is idle."""
    distribution = table.distributions[name]

    def number(value: Any) -> float:
        if isinstance(distribution, CategoricalDistribution):
            return distribution.choices.index(value)
        return float(np.log(value)) if getattr(distribution, "log", False) else float(value)

    return [number(params[name]) if name in params else -1.0 for params in table.params]


def _dealt_anew(inputs: np.ndarray, axis: int, random: np.random.Generator) -> np.ndarray:
    changed = inputs.copy()
    changed[:, axis] = random.permutation(changed[:, axis])
    return changed


def _explained(forest: RandomForestRegressor, inputs: np.ndarray, wanted: np.ndarray) -> float:
    return float(forest.score(inputs, wanted))


def _shown(worth: Worth | None) -> str:
    if worth is None:
        return "-"
    return f"{worth.loss:.3f}" if worth.above_noise >= CERTAIN else f"({worth.loss:.3f})"


if __name__ == "__main__":
    main()
