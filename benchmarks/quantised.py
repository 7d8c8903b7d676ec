"""What whole numbers cost, and what training for them wins back: one network of each size, with the same seeds.

    python benchmarks/quantised.py [--images 20000] [--epochs 10] [--seeds 5] [--data-dir DIR] [--out FILE.jsonl]

The networks are those of `studies/tables` with the best validation accuracy after ten epochs with the first seed, at
2,000 and at 20,000 parameters, each with its recipe. They are trained on the first `--images` images of the training
part; figures are those of the last epoch on the 10,000 validation images. The test set is not read.

Up to the last epochs, the share of `nas.training.quantised`, all rows have the same training. Then: in float; the same
network in whole numbers ("after training"); the last epochs trained as if in whole numbers ("trained for"); and what
`nas search --quantised` does, which trains so only where more than 0.05 points are lost. Weights of 4 bits must do
better than the same network with fewer channels, whose C takes as few bytes of flash in whole numbers of 8 bits, code
included, as the compiler named in CC makes it, else cc. Each seed is a line of `--out`; interrupted, it goes on with
the next one.
"""

import argparse
import json
import platform
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from optuna.trial import FixedTrial
from table import fewer

from nas import Budget, Candidate, Task, cost_of, datasets, shipped
from nas.datasets.splitting import Split
from nas.execution.choosing import choose
from nas.execution.placement import n_cores
from nas.export.c.footprint import footprint_of
from nas.export.c.learning import MOST_LOSS, WholeNumbers, flash_of
from nas.export.c.objects import Toolchain, toolchain
from nas.export.formats import refused_by
from nas.network.architecture import Architecture
from nas.space import finding
from nas.statistics import Spread, paired_difference
from nas.training.device import multiplies_bfloat16, resolve_precision
from nas.training.quantised import n_last_epochs
from nas.training.run import TrainingRun

BUDGETS = (2_000, 20_000)
TABLE_EPOCHS = 10
ROWS = {
    "float": "float32",
    "int8": "int8, after training",
    "int8_trained": "int8, trained for",
    "int8_nas": "int8, trained for where it loses more than 0.05 points",
    "int4": "int4 weights, after training",
    "int4_trained": "int4 weights, trained for",
    "as_few_bytes": "int8, after training, of a narrower network",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/quantised.jsonl"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    split = fewer(datasets.split(datasets.load("mnist", arguments.data_dir)), arguments.images)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in arguments.out.read_text().splitlines()] if arguments.out.exists() else []
    candidates = {budget: chosen(budget, split, arguments.epochs) for budget in BUDGETS}
    narrower = {budget: as_few_bytes(budget, split, arguments.epochs) for budget in BUDGETS}
    for seed in range(arguments.seeds):
        for budget, candidate in candidates.items():
            key = {"budget": budget, "seed": seed, "images": arguments.images, "epochs": arguments.epochs}
            for row, measure in (
                ("int8", lambda of=candidate: accuracies(of, split, seed)),  # noqa: B023 - called at once
                ("as_few_bytes", lambda of=narrower[budget]: {"as_few_bytes": in_eight_bits(of, split, seed)}),  # noqa: B023
            ):
                if any(key.items() <= line.items() and row in line for line in done):
                    continue
                done.append(key | measure())
                with arguments.out.open("a") as file:
                    file.write(json.dumps(done[-1]) + "\n")
                print(json.dumps(done[-1]), flush=True)
    for budget, candidate in candidates.items():
        like = {"budget": budget, "images": arguments.images, "epochs": arguments.epochs}
        lines: dict[int, dict[str, Any]] = {}
        for line in done:
            if like.items() <= line.items() and line["seed"] < arguments.seeds:
                lines.setdefault(line["seed"], {}).update(line)
        show(candidate, narrower[budget], split, [lines[seed] for seed in sorted(lines)])


def chosen(budget: int, split: Split, epochs: int, at_most: int | None = None) -> Candidate:
    """The best of the table that C can have; with the same choices under another limit, if there is one."""
    first, *lines = map(json.loads, (shipped.studies() / "tables" / f"mnist-{budget}.jsonl").read_text().splitlines())
    task = Task(split.image_shape, split.n_classes, epochs, Budget(at_most or budget))
    space = finding.load(first["space"])
    whole = [line for line in lines if line["epochs"] == TABLE_EPOCHS and line["seed"] == 0 and "params" in line]
    for line in sorted(whole, key=lambda line: -line["validation_accuracy"][-1]):
        candidate = space.suggest(FixedTrial(line["params"]), task)
        if refused_by(candidate.architecture, ("c",)) is None:
            return replace(candidate, recipe=replace(candidate.recipe, epochs=epochs, quantised=True))
    raise SystemExit(f"C can have no network of the table for {budget}")


def as_few_bytes(budget: int, split: Split, epochs: int) -> Candidate:
    """The same choices with so few parameters that 8 bits take no more than 4 bits do of those of the budget."""
    most = with_code(chosen(budget, split, epochs).architecture, 4)
    for at_most in range(budget, 0, -budget // 100):
        narrower = chosen(budget, split, epochs, at_most)
        if with_code(narrower.architecture, 8) <= most:
            return narrower
    raise SystemExit(f"no network of so few bytes as {most}")


def with_code(architecture: Architecture, weight_bits: int) -> int:
    """Bytes of flash that the C takes."""
    return footprint_of(architecture, compiler(), weight_bits).flash


def compiler() -> Toolchain:
    """By which bytes of code are counted."""
    found = toolchain()
    if found is None:
        raise SystemExit(
            "bytes of code are counted by a compiler, but there is none here: install one, or name it in CC"
        )
    return found


def in_eight_bits(candidate: Candidate, split: Split, seed: int) -> float:
    """The accuracy in whole numbers, after training in float."""
    return list(begun(candidate, split, seed, WholeNumbers(most_loss=1.0)))[-1].validation_accuracy


def accuracies(candidate: Candidate, split: Split, seed: int) -> dict[str, Any]:
    """Of each row, and whether nas would have trained for whole numbers from the first of the last epochs on."""
    n_before = candidate.recipe.epochs - n_last_epochs(candidate.recipe)
    run = begun(candidate, split, seed, WholeNumbers(most_loss=1.0))
    for _ in range(n_before):
        next(run)
    state, lost = deepcopy(run.state_dict()), [run.history[-1]]
    lost += list(run)
    last = lost[-1]
    found = {"float": last.float_accuracy, "int8": last.validation_accuracy, "int4": in_four_bits(run, split)}
    for name, quantiser in (
        ("int8_trained", WholeNumbers(most_loss=-1.0)),
        ("int4_trained", WholeNumbers(4, most_loss=-1.0)),
    ):
        found[name] = goes_on(candidate, split, seed, quantiser, state)
    losses = [(result.float_accuracy or 0.0) - result.validation_accuracy for result in lost[:-1]]
    if losses[0] > MOST_LOSS:
        found["int8_nas"] = found["int8_trained"]
    elif max(losses) > MOST_LOSS:
        found["int8_nas"] = goes_on(candidate, split, seed, WholeNumbers(), state)
    else:
        found["int8_nas"] = found["int8"]
    return {**found, "minded": max(losses) > MOST_LOSS}


def begun(candidate: Candidate, split: Split, seed: int, quantiser: WholeNumbers) -> TrainingRun:
    """As `nas search` would train it in a worker of one thread."""
    precision = resolve_precision("auto", "cpu")
    able = precision == "bfloat16" and multiplies_bfloat16()
    return TrainingRun(
        candidate.architecture,
        candidate.recipe,
        split,
        seed=seed,
        precision=precision,
        kernels="numba",
        convolutions=choose(candidate.architecture, candidate.recipe.batch_size) if able else (),
        quantiser=quantiser,
    )


def goes_on(candidate: Candidate, split: Split, seed: int, quantiser: WholeNumbers, state: dict[str, Any]) -> float:
    """The accuracy in whole numbers where the last epochs are trained for them."""
    run = begun(candidate, split, seed, quantiser)
    run.load_state_dict(deepcopy(state))
    return list(run)[-1].validation_accuracy


def in_four_bits(run: TrainingRun, split: Split) -> float:
    """The accuracy of a trained network with weights of 4 bits."""
    scores = WholeNumbers(4).scores(run.architecture, run.evaluated_network, split, split.validation_images)
    return float((scores.argmax(1) == split.validation_labels).double().mean())


def show(candidate: Candidate, narrower: Candidate, split: Split, lines: Sequence[dict[str, Any]]) -> None:
    """A table of all rows; differences are paired by seed."""
    params = cost_of(candidate.architecture).params
    eight, four, as_few = (
        f"{flash_of(of.architecture, split, bits):,} | {with_code(of.architecture, bits):,}"
        for of, bits in ((candidate, 8), (candidate, 4), (narrower, 8))
    )
    sizes = {"float": f"{4 * params:,} | ", "int4": four, "int4_trained": four, "as_few_bytes": as_few}
    print(
        f"\n{n_cores()} cores, {platform.machine()}, torch {torch.__version__}; {params:,} parameters "
        f"({candidate.architecture}); {candidate.recipe}; {len(split.train_images):,} images to train, "
        f"{len(split.validation_images):,} to validate, {len(lines)} seeds; more than 0.05 points were lost with "
        f"{sum(line['minded'] for line in lines)} of them; code as compiled with {compiler()}\n\n"
        "| | bytes of weights and tables | with code | accuracy (%) | difference to float (points) |\n"
        "|---|---|---|---|---|"
    )
    plain = [line["float"] for line in lines]
    for name, row in ROWS.items():
        values = [line[name] for line in lines]
        difference = paired_difference(values, plain).points() if name != "float" and len(values) > 1 else ""
        print(f"| {row} | {sizes.get(name, eight)} | {Spread(tuple(values)).per_cent()} | {difference} |", flush=True)


if __name__ == "__main__":
    main()
