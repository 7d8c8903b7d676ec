"""Plain data to plotly figures.

Colours can be told apart by the colour-blind (two hues beside grey, and different symbols), and read on white and on
black; backgrounds are transparent. Text of studies is escaped, since plotly reads some HTML in it.
"""

from collections.abc import Iterable, Sequence
from html import escape
from math import log10
from textwrap import wrap
from typing import Any

from nas.errors import NasError
from nas.network.cost import COSTS
from nas.report.curves import Curve
from nas.report.front import Front, Point, pareto
from nas.report.importance import Importance
from nas.report.progress import Moment
from nas.report.scale import Scale, scale_of

try:
    from plotly.graph_objects import Figure
    from plotly.offline import get_plotlyjs
except ImportError as error:
    raise NasError("figures need plotly, but it is not installed: pip install '.[report]'") from error

__all__ = ["Figure", "curves_figure", "front_figure", "importance_figure", "nothing", "plotly_js", "progress_figure"]

BLUE, ORANGE, GREY = "#3585c6", "#cf7416", "#8b9099"
INK, RULE = "#7b818a", "rgba(128, 134, 144, 0.25)"  # a page puts those of its theme in place of these
ON_CURVE = (
    "<b>trial %{customdata[0]}</b><br>epoch %{x}: %{customdata[1]:.2f} %<br>"
    + "%{customdata[2]:,} parameters<extra></extra>"
)
N_AXES = 15  # bars of the importance, before the rest become one
WIDTH = 44  # characters of a line in a hover text, for narrow screens
FAR = 3  # times the size or the errors
SPACE = 0.06  # of the axis at both ends
LOGARITHMIC_FROM = 20  # largest size to smallest


def front_figure(front: Front) -> Figure:
    """Accuracy against size: the front as a staircase, the other finished candidates, the documented iterations.

    At first documented ones that lie far off are out of view; a double click shows all.
    """
    near = [*front.points, *(point for point in front.documented if _is_near(point, front))]
    if not near:
        return nothing("No finished trial yet")
    on_front, best_documented = set(front.members), set(pareto(front.documented))
    scale = scale_of(point.accuracy for point in near)
    figure = _figure(scale)
    groups = (
        ("documented (best epoch, test set)", front.documented, "markers+text", ORANGE, "diamond-open"),
        ("finished", [point for point in front.points if point not in on_front], "markers", GREY, "circle"),
        ("front", front.members, "lines+markers", BLUE, "circle"),
    )
    for name, points, mode, colour, symbol in groups:
        if points:
            figure.add_scatter(
                name=name,
                x=[point.size for point in points],
                y=[scale.error(point.accuracy) for point in points],
                text=[point.label if point in best_documented else "" for point in points],
                textposition="middle right",
                hovertext=[_described(point, front) for point in points],
                hoverinfo="text",
                mode=mode,
                line={"shape": "hv", "width": 1.5},
                marker={"color": colour, "symbol": symbol, "size": 9},
            )
    sizes = [point.size for point in near]
    if front.limit is not None:
        sizes.append(front.limit)
        figure.add_vline(front.limit, line={"color": GREY, "dash": "dot", "width": 1})
    figure.update_xaxes(title_text=COSTS[front.by].noun, tickformat="~s", **_size_axis(sizes))
    return figure


def curves_figure(curves: Sequence[Curve], winner: int | None) -> Figure:
    """Accuracy after each epoch; pruned trainings are faint, the winner stands out."""
    if not curves:
        return nothing("No epoch trained yet")
    scale = scale_of(accuracy for curve in curves for accuracy in curve.accuracies)
    figure = _figure(scale)
    groups = (
        ("pruned", [c for c in curves if c.outcome == "pruned"], GREY, 0.45, 1.0),
        ("paused", [c for c in curves if c.outcome == "paused"], GREY, 0.6, 1.0),
        ("running", [c for c in curves if c.outcome == "running"], GREY, 0.8, 1.5),
        ("finished", [c for c in curves if c.outcome == "finished" and c.trial != winner], BLUE, 0.75, 1.5),
        (f"trial {winner}", [c for c in curves if c.trial == winner], ORANGE, 1.0, 3.0),
    )
    for name, group, colour, opacity, width in groups:
        if group:
            figure.add_scatter(
                name=name,
                **_joined(group, scale),
                hovertemplate=ON_CURVE,
                mode="lines+markers",
                opacity=opacity,
                line={"color": colour, "width": width},
                marker={"color": colour, "size": 4 + width},
            )
    longest = max(len(curve.accuracies) for curve in curves)
    figure.update_xaxes(title_text="epoch", dtick=max(1, longest // 10), range=[0.8, longest + 0.2])
    return figure


def progress_figure(moments: Sequence[Moment]) -> Figure:
    """The best accuracy so far over the time spent training, with every training where it ended."""
    if not any(moment.finished for moment in moments):
        return nothing("No finished trial yet")
    scale = scale_of(moment.accuracy for moment in moments)
    seconds, unit = _unit(moments[-1].seconds)
    figure = _figure(scale)
    groups = (
        ("pruned", [moment for moment in moments if not moment.finished], GREY, "x-thin-open", 0.7),
        ("finished", [moment for moment in moments if moment.finished], BLUE, "circle", 1.0),
    )
    for name, group, colour, symbol, opacity in groups:
        if group:
            figure.add_scatter(
                name=name,
                x=[moment.seconds / seconds for moment in group],
                y=[scale.error(moment.accuracy) for moment in group],
                hovertext=[_ended(moment, seconds, unit) for moment in group],
                hoverinfo="text",
                mode="markers",
                opacity=opacity,
                marker={"color": colour, "symbol": symbol, "size": 7},
            )
    best = [moment for moment in moments if moment.best is not None]
    figure.add_scatter(
        name="best finished so far",
        x=[moment.seconds / seconds for moment in best],
        y=[scale.error(moment.best or 0.0) for moment in best],
        hoverinfo="skip",
        mode="lines",
        line={"color": ORANGE, "shape": "hv", "width": 2},
    )
    figure.update_xaxes(title_text=unit, rangemode="tozero")
    return figure


def importance_figure(importances: Sequence[Importance], too_few: str = "Too few trained candidates") -> Figure:
    """A bar for each axis, the most important on top."""
    if not importances:
        return nothing(too_few)
    shown = [*importances[:N_AXES]]
    if rest := importances[N_AXES:]:
        shown.append(Importance(f"{len(rest)} others", sum(each.share for each in rest)))
    figure = _figure()
    rising = shown[::-1]
    figure.add_bar(
        orientation="h",
        x=[each.share for each in rising],
        y=[escape(each.axis) for each in rising],
        text=[f"{each.share:.0%}" for each in rising],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
        marker={"color": BLUE},
    )
    figure.update_layout(height=110 + 24 * len(shown), bargap=0.35, showlegend=False)
    figure.update_xaxes(
        title_text="share of the importance", tickformat=".0%", range=[0, 1.15 * max(each.share for each in shown)]
    )
    figure.update_yaxes(showgrid=False, ticks="")
    return figure


def plotly_js() -> str:
    """The library that draws the figures in a browser."""
    js: str = get_plotlyjs()
    return js


def nothing(why: str) -> Figure:
    """An empty figure that says why it is empty."""
    figure = _figure()
    figure.add_annotation(text=escape(why), showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper")
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def _figure(scale: Scale | None = None) -> Figure:
    figure = Figure(
        layout={
            "template": "none",  # plotly's own one is larger than all of our data
            "paper_bgcolor": "rgba(0, 0, 0, 0)",
            "plot_bgcolor": "rgba(0, 0, 0, 0)",
            "font": {"color": INK, "family": "system-ui, sans-serif", "size": 13},
            "margin": {"l": 8, "r": 12, "t": 12, "b": 8},
            # Plotly would choose them by the paper's colour, and there is none.
            "modebar": {"bgcolor": "rgba(0, 0, 0, 0)", "color": INK, "activecolor": BLUE},
            "hovermode": "closest",
            "hoverlabel": {"align": "left"},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            "showlegend": True,
        }
    )
    figure.update_xaxes(automargin=True, gridcolor=RULE, zeroline=False, linecolor=RULE)
    figure.update_yaxes(automargin=True, gridcolor=RULE, zeroline=False)
    if scale is not None:
        figure.update_yaxes(
            type="log",
            range=[log10(scale.largest), log10(scale.smallest)],
            tickvals=scale.ticks,
            ticktext=scale.labels,
        )
    return figure


def _is_near(point: Point, front: Front) -> bool:
    """Whether a documented iteration is not much larger or worse than what the studies have."""
    if not front.points:
        return True
    largest = max(*(each.size for each in front.points), front.limit or 0)
    most_errors = max(1 - each.accuracy for each in front.points)
    return point.size <= FAR * largest and 1 - point.accuracy <= FAR * most_errors


def _size_axis(sizes: Sequence[float]) -> dict[str, Any]:
    low, high = min(sizes), max(sizes)
    if high < LOGARITHMIC_FROM * max(1, low):
        space = SPACE * (high - low or high)
        return {"range": [low - space, high + space]}
    space = SPACE * log10(high / max(1, low))
    return {"type": "log", "dtick": "D2", "range": [log10(max(1, low)) - space, log10(high) + space]}


def _described(point: Point, front: Front) -> str:
    which = "test set, best epoch" if point in front.documented else "validation part"
    lines = [
        f"<b>{escape(point.label)}</b>",
        f"{100 * point.accuracy:.2f} % ({which})",
        f"{COSTS[front.by].shown(point.size)} {COSTS[front.by].noun}",
        *map(escape, wrap(point.network, WIDTH)),
    ]
    if len({each.study for each in front.points}) > 1:
        lines.insert(1, escape(point.study))
    return "<br>".join(lines)


def _joined(curves: Iterable[Curve], scale: Scale) -> dict[str, list[Any]]:
    """Many curves as one line with gaps: a trace for each of thousands would be slow."""
    x: list[int | None] = []
    y: list[float | None] = []
    said: list[tuple[int, float, int] | None] = []
    for curve in curves:
        x += [*range(1, len(curve.accuracies) + 1), None]
        y += [*map(scale.error, curve.accuracies), None]
        said += [*((curve.trial, round(100 * accuracy, 4), curve.params) for accuracy in curve.accuracies), None]
    return {"x": x, "y": y, "customdata": said}


def _ended(moment: Moment, seconds: float, unit: str) -> str:
    outcome = "finished" if moment.finished else "pruned"
    when = f"after {moment.seconds / seconds:.1f} {unit}"
    return f"<b>trial {moment.trial}</b> ({outcome})<br>{100 * moment.accuracy:.2f} %<br>{when}"


def _unit(longest: float) -> tuple[float, str]:
    """A unit of time that suits so many seconds."""
    return next(((s, name) for s, name in ((3600.0, "hours"), (60.0, "minutes")) if longest >= 3 * s), (1.0, "seconds"))
