"""A study's figures for the dashboard, drawn by plotly.

Backgrounds are transparent, and colours can be read on white and on black. Text of studies is escaped, since plotly
reads some HTML in it.
"""

from html import escape
from math import log10
from textwrap import wrap
from typing import Any

import optuna
from plotly.graph_objects import Figure

from nas.report.chart import Axis, Chart, Trace
from nas.report.figures import bars, front_chart
from nas.report.front import front_of
from nas.report.importance import importances
from nas.study.confirmation import last_confirmed, winner_of
from nas.table import per_cent

__all__ = ["Figure", "front_figure", "importance_figure"]

BLUE, ORANGE, GREY = "#3585c6", "#cf7416", "#8b9099"
INK, RULE = "#7b818a", "rgba(128, 134, 144, 0.25)"
WIDTH = 44  # characters of a line in a hover text, for narrow screens
SIGNS = {  # of each meaning
    "winner": (ORANGE, "circle"),
    "finished": (BLUE, "circle"),
    "stopped": (GREY, "x-thin-open"),
    "documented": (INK, "diamond-open"),
}


def front_figure(study: optuna.Study, by: str = "params") -> Figure | None:
    """Accuracy against size, with the Pareto front; the documented iterations are drawn in where the data is theirs.

    None where no training has finished.
    """
    winner = winner_of(study, last_confirmed(study))
    return None if winner is None else _drawn(front_chart(front_of([study], by), winner.trial))


def importance_figure(study: optuna.Study) -> Figure | None:
    """A bar for each axis, the most important on top; None where too few candidates were trained."""
    if not (shown := bars(importances(study))):
        return None
    figure = _empty()
    rising = shown[::-1]
    figure.add_bar(
        orientation="h",
        x=[100 * each.share for each in rising],
        y=[escape(each.axis) for each in rising],
        text=[per_cent(each.share, 0) for each in rising],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
        marker={"color": INK},
    )
    figure.update_layout(height=110 + 24 * len(shown), bargap=0.35, showlegend=False)
    longest = 115 * max(each.share for each in shown)
    figure.update_xaxes(title_text="share of the importance", ticksuffix=" %", range=[0, longest])
    figure.update_yaxes(showgrid=False, ticks="")
    return figure


def _drawn(chart: Chart) -> Figure:
    figure = _empty()
    for trace in chart.traces:
        _add(figure, trace)
    if chart.limit is not None:
        figure.add_vline(chart.limit, line={"color": GREY, "dash": "dot", "width": 1})
    figure.update_xaxes(title_text=chart.x.title, tickformat="~s", **_range(chart.x))
    places, labels = zip(*chart.y.ticks, strict=True)
    figure.update_yaxes(tickvals=places, ticktext=labels, **_range(chart.y))
    return figure


def _add(figure: Figure, trace: Trace) -> None:
    colour, symbol = SIGNS[trace.means]
    for line in trace.lines:
        x, y = zip(*line.points, strict=True)
        look = {"color": colour, "width": 1.5, "shape": "hv" if line.stepped else "linear"}
        figure.add_scatter(x=x, y=y, mode="lines", line=look, hoverinfo="skip", showlegend=False)
    figure.add_scatter(
        name=escape(trace.name),
        x=[mark.x for mark in trace.marks],
        y=[mark.y for mark in trace.marks],
        text=[escape(mark.label) for mark in trace.marks],
        textposition="middle right",
        hovertext=[_wrapped(mark.text) for mark in trace.marks],
        hoverinfo="text",
        mode="markers+text",
        marker={"color": colour, "symbol": symbol, "size": 9},
    )


def _wrapped(text: str) -> str:
    heading, *lines = (escape(line) for whole in text.splitlines() for line in wrap(whole, WIDTH))
    return "<br>".join([f"<b>{heading}</b>", *lines])


def _range(axis: Axis) -> dict[str, Any]:
    if axis.logarithmic:
        return {"type": "log", "range": [log10(axis.low), log10(axis.high)]}
    return {"range": [axis.low, axis.high]}


def _empty() -> Figure:
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
    return figure
