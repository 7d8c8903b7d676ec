"""What the first epochs of a training say of its last one."""

from collections.abc import Mapping, Sequence

import numpy as np

from nas.study.axes import Numbers

# Along the logit of an early accuracy that of the last one rises more slowly: networks that begin badly catch up. The
# slopes by the share of the training that is done, and what is left to chance, as in tables of benchmarks/table.py.
SHARES, SLOPES, SPREADS = (0.0, 0.1, 0.3, 0.5, 1.0), (0.3, 0.4, 0.65, 0.85, 1.0), (0.4, 0.3, 0.15, 0.1, 0.0)
SLOPE_SPREAD = 0.15  # of a slope, before it is seen in the study itself
SEED_SPREAD = 0.1  # between two trainings of one candidate


def logit(accuracies: "Numbers | Sequence[float]") -> Numbers:
    """In it 90 and 95 % are as far apart as 99 and 99.5 %."""
    inside = np.clip(np.asarray(accuracies, dtype=float), 1e-3, 1 - 1e-5)
    result: Numbers = np.log(inside / (1 - inside))
    return result


def finals(curves: Sequence[Mapping[int, float]], n_epochs: int) -> tuple[Numbers, Numbers]:
    """Expected logits of the accuracies after `n_epochs`, and their variances, of trainings that may be under way.

    `curves`: accuracy by epoch, at least one each. From each epoch a line leads to the last one: the level is that of
    the trainings that came to the end, the slope is learned from them too.
    """
    values, variances = np.zeros(len(curves)), np.full(len(curves), SEED_SPREAD**2)
    lasts = [max(curve) for curve in curves]
    for epoch in set(lasts):
        here = [i for i, last in enumerate(lasts) if last == epoch]
        now = logit([curves[i][epoch] for i in here])
        if epoch >= n_epochs:
            values[here] = now
            continue
        share = epoch / n_epochs
        slope, spread = float(np.interp(share, SHARES, SLOPES)), float(np.interp(share, SHARES, SPREADS))
        ended = [curve for curve in curves if n_epochs in curve and epoch in curve]
        before, after = logit([c[epoch] for c in ended]), logit([c[n_epochs] for c in ended])
        values[here] = _line(before, after, slope, spread, now)
        variances[here] += spread**2
    return values, variances


def _line(before: Numbers, after: Numbers, slope: float, spread: float, now: Numbers) -> Numbers:
    """Where a line through `before` and `after`, with a slope near the usual one, leads from `now`."""
    if not len(before):
        result: Numbers = slope * (now - now.mean()) + now.mean()
        return result
    centred, gains = before - before.mean(), after - after.mean()
    precision = (spread / SLOPE_SPREAD) ** 2
    slope = (slope * precision + float(centred @ gains)) / (precision + float(centred @ centred))
    result = after.mean() + slope * (now - before.mean())
    return result
