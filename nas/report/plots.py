"""Figures of a study: what they show as plain tuples first, then drawn with plotly."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

from nas.records import Record, records

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class FrontPoint:
    """A trained candidate; `on_front` if it finished, and no other that did is as accurate and no larger."""

    trial: int
    params: int
    accuracy: float
    outcome: str
    on_front: bool


def front_points(study: optuna.Study) -> tuple[FrontPoint, ...]:
    """All candidates that were trained at least for one epoch, by parameters."""
    trained = [
        (record, record.cost.params, record.accuracy)
        for record in records(study)
        if record.cost is not None and record.accuracy is not None and record.outcome != "repeated"
    ]
    trained.sort(key=lambda each: (each[1], -each[2], each[0].trial))
    points: list[FrontPoint] = []
    best = -1.0
    for record, params, accuracy in trained:
        on_front = record.finished and accuracy > best
        best = accuracy if on_front else best
        points.append(FrontPoint(record.trial, params, accuracy, _kind(record), on_front))
    return tuple(points)


def importances(study: optuna.Study) -> tuple[tuple[str, float], ...]:
    """How much each axis matters for the accuracy of finished candidates (PED-ANOVA, Watanabe et al. 2023).

    The most important first; the shares sum to 1. Nothing while fewer than two candidates are finished.
    """
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len({trial.value for trial in finished}) < 2:
        return ()
    found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return tuple(sorted(found.items(), key=lambda item: -item[1]))


def front_figure(study: optuna.Study) -> "Figure":
    """Accuracy against parameters: trained candidates, and the front of the finished ones."""
    import plotly.graph_objects as go

    points = front_points(study)
    figure = go.Figure()
    front = [point for point in points if point.on_front]
    figure.add_scatter(
        x=[point.params for point in front],
        y=[point.accuracy for point in front],
        mode="lines",
        line={"shape": "hv", "color": "#1f6fb4"},
        name="best for its size",
        hoverinfo="skip",
    )
    for outcome, colour in (("finished", "#1f6fb4"), ("stopped early", "#b0b0b0")):
        chosen = [point for point in points if point.outcome == outcome]
        figure.add_scatter(
            x=[point.params for point in chosen],
            y=[point.accuracy for point in chosen],
            text=[f"trial {point.trial}" for point in chosen],
            mode="markers",
            marker={"color": colour, "size": 8},
            name=outcome,
            hovertemplate="%{text}: %{y:.2%} with %{x:,} parameters<extra></extra>",
        )
    figure.update_layout(
        title="Accuracy and parameters",
        xaxis={"title": "parameters", "tickformat": ","},
        yaxis={"title": "validation accuracy", "tickformat": ".2~%", "automargin": True},
        template="none",
    )
    return figure


def importance_figure(study: optuna.Study) -> "Figure":
    """The importance of each axis of the space as bars, the most important on top."""
    import plotly.graph_objects as go

    found = importances(study)[::-1]
    figure = go.Figure(
        go.Bar(
            x=[share for _, share in found],
            y=[name for name, _ in found],
            orientation="h",
            marker={"color": "#1f6fb4"},
            hovertemplate="%{y}: %{x:.1%}<extra></extra>",
        )
    )
    figure.update_layout(
        title="Importance of the axes for the accuracy of finished candidates",
        xaxis={"title": "share of the importance (PED-ANOVA)", "tickformat": ".0%"},
        yaxis={"automargin": True},
        template="none",
    )
    return figure


def _kind(record: Record) -> str:
    return "finished" if record.finished else "stopped early"
