"""Charts as SVG within a page, drawn here once: no script, and no library for it in every page.

Places are per cent of the plot and signs, lines and letters have sizes of their own, so that a figure fills whatever
width there is and stays readable on a phone. Colours are classes of the page's style. What a mark stands for is its
title, which browsers show to whoever points at it, and the page's script to whoever taps.
"""

from collections.abc import Iterable, Iterator

from nas.report.chart import Axis, Chart, Line, Mark, Trace
from nas.report.markup import Html, joined, tag

SIDE = 1000  # of the plot, in the coordinates of lines
NEAR_THE_END = 0.85  # of the width: labels from here on stand on the left of their mark
SIGNS = {
    "stopped": "M-3.5 -3.5L3.5 3.5M-3.5 3.5L3.5 -3.5",
    "documented": "M0 -5.5L5.5 0L0 5.5L-5.5 0Z",
    "other": "M-3.5 -3.5H3.5V3.5H-3.5Z",
}
RADIUS = {"winner": "6"}
DOT = "4"


def drawing(chart: Chart, alt: str) -> Html:
    """The chart with its legend; `alt` is its name for whoever does not see it."""
    content = [
        tag("title", alt),
        *_grid(chart),
        *_limit(chart),
        tag(
            "svg",
            *(_line(line, trace.means, chart) for trace in chart.traces for line in trace.lines),
            viewBox=f"0 0 {SIDE} {SIDE}",
            preserveAspectRatio="none",
            width="100%",
            height="100%",
            overflow="visible",
        ),
        *(_mark(mark, trace.means, chart) for trace in chart.traces for mark in trace.marks),
    ]
    plot = tag("svg", *content, role="img", aria_label=alt, width="100%", height="100%", overflow="visible")
    return joined([_legend(chart.traces, chart.limit is not None), tag("div", plot, class_="plot")])


def _legend(traces: Iterable[Trace], limited: bool) -> Html:
    entries = [*((trace.name, trace.means) for trace in traces), *([("budget", "limit")] if limited else [])]
    return tag("ul", *(tag("li", _key(means), name) for name, means in entries), class_="legend")


def _key(means: str) -> Html:
    sign = tag("path", d="M-8 0L8 0", class_="line limit") if means == "limit" else _sign(means)
    return tag("svg", sign, viewBox="-8 -8 16 16", width="16", height="16", aria_hidden="true")


def _grid(chart: Chart) -> Iterator[Html]:
    for value, label in chart.y.ticks:
        y = _down(chart.y, value)
        yield tag("line", x1="0", x2="100%", y1=y, y2=y, class_="grid")
        yield tag("text", label, x="0", y=y, dx="-8", dy="0.35em", text_anchor="end")
    for value, label in chart.x.ticks:
        x = _right(chart.x, value)
        yield tag("text", label, x=x, y="100%", dy="1.6em", text_anchor="middle")
    yield tag("text", chart.y.title, x="0", y="0", dx="-56", dy="-0.9em", class_="axis")
    yield tag("text", chart.x.title, x="100%", y="100%", dy="3.1em", text_anchor="end", class_="axis")


def _limit(chart: Chart) -> Iterator[Html]:
    if chart.limit is not None:
        x = _right(chart.x, chart.limit)
        yield tag("line", x1=x, x2=x, y1="0", y2="100%", class_="line limit")


def _line(line: Line, means: str, chart: Chart) -> Html:
    places = [(SIDE * chart.x.place(x), SIDE * (1 - chart.y.place(y))) for x, y in line.points]
    path = "".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(places))
    if line.stepped:
        first = "M{:.1f} {:.1f}".format(*places[0])
        path = first + "".join(f"H{x:.1f}V{y:.1f}" for x, y in places[1:])
    told = [tag("title", line.text)] if line.text else []
    return tag("path", *told, d=path, class_=f"line {means}", vector_effect="non-scaling-stroke")


def _mark(mark: Mark, means: str, chart: Chart) -> Html:
    x, y = _right(chart.x, mark.x), _down(chart.y, mark.y)
    sign = tag("svg", _sign(means, mark.text), x=x, y=y, overflow="visible")
    if not mark.label:
        return sign
    last = chart.x.place(mark.x) > NEAR_THE_END
    dx, anchor = ("-9", "end") if last else ("9", "start")
    return joined([sign, tag("text", mark.label, x=x, y=y, dx=dx, dy="0.35em", text_anchor=anchor, class_="label")])


def _sign(means: str, text: str = "") -> Html:
    told = [tag("title", text)] if text else []
    if means in SIGNS:
        return tag("path", *told, d=SIGNS[means], class_=f"mark {means}")
    return tag("circle", *told, r=RADIUS.get(means, DOT), class_=f"mark {means}")


def _right(axis: Axis, value: float) -> str:
    return f"{100 * axis.place(value):.2f}%"


def _down(axis: Axis, value: float) -> str:
    return f"{100 * (1 - axis.place(value)):.2f}%"
