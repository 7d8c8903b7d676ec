"""What came out of simulated searches: a printed table, and a page with figures."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np

from nas.study.axes import Numbers
from simulated.playing import Axis, Extent, History, regrets
from simulated.policies import ORACLE
from simulated.world import World

MARKS = (0.25, 0.5, 1.0)  # of what a search has
N_POINTS = 100  # of a line in a figure
SMALLEST = 0.01  # points: what is less is drawn there, since a logarithmic axis has no 0
COLOURS = "#1f77b4 #ff7f0e #2ca02c #d62728 #9467bd #8c564b #e377c2 #7f7f7f #bcbd22 #17becf #393b79 #637939 #843c39"

Histories = Mapping[str, Sequence[History]]  # by the policy's name


def rows(histories: Histories, against: str, world: World, extent: Extent, axis: Axis) -> Iterator[str]:
    """Lines of Markdown; the oracle, which is none of them, is not ranked among the searches."""
    whole = extent.along(axis)
    marks = [f"after {mark:.0%}" for mark in MARKS]
    workers = f"{extent.n_workers} worker{'s' * (extent.n_workers > 1)}"
    head = f"{workers}, {extent.epochs} epochs in all, {extent.seconds:.0f} s; regret over the {axis}"
    yield f"| {head} | {' | '.join(marks)} | mean rank | in half the {axis} | p |"
    yield "|---" * (len(MARKS) + 4) + "|"
    ends = {name: regrets(each, world, whole, axis) for name, each in histories.items() if name != ORACLE}
    ranks = mean_ranks(ends)
    p_values = holm({name: wilcoxon(ends[name], ends[against]) for name in ends if name != against})
    bar = world.best - float(np.median(ends[against])) / 100
    for name, of_name in histories.items():
        cells = [quartiles(regrets(of_name, world, mark * whole, axis), 100 * world.best) for mark in MARKS]
        halves = np.mean([each.reached(bar, axis) <= whole / 2 for each in of_name])
        rank = f"{ranks[name]:.2f}" if name in ranks else "-"
        p = f"{p_values[name]:.2g}" if name in p_values else "-"
        yield f"| {name} | {' | '.join(cells)} | {rank} | {halves:.0%} | {p} |"


def quartiles(values: Numbers, nothing: float) -> str:
    """The median and both quartiles; not where a quarter of the searches have `nothing` to hand over yet."""
    if np.mean(values >= nothing) >= 0.25:
        return "-"
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def mean_ranks(ends: Mapping[str, Numbers]) -> dict[str, float]:
    """1 is the best; equal ones share their ranks."""
    from scipy.stats import rankdata

    ranks = rankdata(np.array(list(ends.values())), axis=0)
    return dict(zip(ends, ranks.mean(1), strict=True))


def wilcoxon(one: Numbers, other: Numbers) -> float:
    """The p-value that two paired rows of regrets are alike."""
    from scipy.stats import wilcoxon as test

    return float(test(one, other).pvalue) if (one != other).any() else 1.0


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's correction for several tests."""
    corrected, largest = {}, 0.0
    for i, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, p * (len(p_values) - i)))
        corrected[name] = largest
    return corrected


# The page -------------------------------------------------------------------------------------------------------------


class Line(NamedTuple):
    """One policy's regrets along an axis, in points."""

    name: str
    along: Numbers
    low: Numbers
    middle: Numbers
    high: Numbers


def lines(histories: Histories, world: World, extent: Extent, axis: Axis) -> list[Line]:
    """Medians and quartiles, from when more than three quarters of the searches have something to hand over."""
    along = np.linspace(0, extent.along(axis), N_POINTS + 1)[1:]
    result = []
    for name, of_name in histories.items():
        values = np.array([regrets(of_name, world, point, axis) for point in along])
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], axis=1)
        there = np.mean(values < 100 * world.best, axis=1) > 0.75
        if there.any() and name != ORACLE:
            result.append(Line(name, along[there], *np.maximum([low, middle, high], SMALLEST)[:, there]))
    return result


def draw(played: Sequence[tuple[Extent, Histories]], world: World, file: Path) -> None:
    """Regret over the seconds and over the epochs, each a row; a column for each number of workers."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    axes: tuple[Axis, ...] = get_args(Axis)
    titles = [f"{extent.n_workers} worker{'s' * (extent.n_workers > 1)}" for extent, _ in played]
    figure = make_subplots(len(axes), len(played), subplot_titles=titles, shared_yaxes=True)
    colours = dict(zip(dict.fromkeys(name for _, each in played for name in each), COLOURS.split(), strict=False))
    legend = set[str]()
    for column, (extent, histories) in enumerate(played, start=1):
        for row, axis in enumerate(axes, start=1):
            for line in lines(histories, world, extent, axis):
                is_first = line.name not in legend
                legend.add(line.name)
                _add(figure, line, colours.get(line.name, "#000000"), is_first, {"row": row, "col": column})
            figure.update_xaxes(title=axis, row=row, col=column)
    figure.update_yaxes(type="log")
    figure.update_yaxes(title="regret in points", col=1)
    figure.update_layout(height=450 * len(axes))
    go.Figure(figure).write_html(file, include_plotlyjs="cdn")


def _add(figure: Any, line: Line, colour: str, in_legend: bool, place: Mapping[str, int]) -> None:
    """The median, and a band between the quartiles."""
    alike = {"x": line.along, "name": line.name, "legendgroup": line.name, "mode": "lines", **place}
    edge, fill = {"color": colour, "width": 0, "shape": "hv"}, {"fill": "tonexty", "fillcolor": _faint(colour)}
    figure.add_scatter(y=line.high, line=edge, showlegend=False, hoverinfo="skip", **alike)
    figure.add_scatter(y=line.low, line=edge, showlegend=False, hoverinfo="skip", **fill, **alike)
    figure.add_scatter(y=line.middle, line={**edge, "width": 2}, showlegend=in_legend, **alike)


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.12)"
