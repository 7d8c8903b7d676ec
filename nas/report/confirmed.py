"""A confirmation in words and figures."""

import optuna

from nas.confirm import CLEARLY, Confirmed, last_race
from nas.report.table import Table
from nas.spread import Spread


def race_table(study: optuna.Study) -> Table:
    """Who raced whom, and how it ended."""
    rows = last_race(study)
    most = max(len(row.accuracies) for row in rows)
    return Table(
        "Race of the best candidates",
        ("trial", "validation accuracy (%)", "seeds", "verdict"),
        tuple(
            (
                str(row.trial),
                Spread(row.accuracies).per_cent(),
                str(len(row.accuracies)),
                "best mean" if row is rows[0] else "clearly worse" if row.lost else "not clearly worse",
            )
            for row in rows
        ),
        (
            f"Mean ± standard deviation over up to {most} fresh seeds, last epoch, trained on the training part. "
            "Clearly worse: one-sided Wilcoxon signed-rank test against the leader, seed by seed, p at most "
            f"{CLEARLY:g}.",
        ),
    )


def confirmed_table(found: Confirmed, target: float | None, n_readings: int) -> Table:
    """What is now known of the winner."""
    spread, reading = found.accuracy, found.readings[0]
    rows = [
        ("test accuracy, mean ± standard deviation", f"{spread.per_cent()} %"),
        ("each training", ", ".join(f"{100 * value:.2f}" for value in spread.values)),
    ]
    if found.interval is not None:
        rows.append(("95 % interval of the mean", "{:.2f} to {:.2f} %".format(*(100 * end for end in found.interval))))
    if target is not None and (chance := found.probability(target)) is not None:
        rows.append((f"chance that a fresh training has {target:.2%}", f"{chance:.0%}"))
    worst = sorted(found.class_accuracies.items(), key=lambda item: item[1])[:3]
    rows.append(("hardest classes", ", ".join(f"{name} {100 * accuracy:.2f} %" for name, accuracy in worst)))
    return Table(
        f"Confirmed: trial {found.trial}",
        ("figure", "value"),
        tuple(rows),
        (
            f"{plural(len(found.seeds), 'training')} from scratch on all {found.n_train:,} training images, "
            f"{plural(found.epochs, 'epoch')}; the last one, in float32, on {reading.n_images:,} test images. Another "
            f"sample of as many would change that by some {100 * found.sampling_error:.2f} points (one binomial "
            f"standard error). The test set was read {plural(n_readings, 'time')} in this study, once a network.",
        ),
    )


def plural(n: int, noun: str) -> str:
    """Such as `1 epoch` and `2 epochs`."""
    return f"{n:,} {noun}{'s' * (n != 1)}"
