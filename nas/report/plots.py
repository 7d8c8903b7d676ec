"""A study's figures, from its trials to plotly."""

import optuna

from nas.report import figures
from nas.report.curves import curves
from nas.report.figures import Figure
from nas.report.front import front_of
from nas.report.importance import N_NEEDED, importances, n_trained
from nas.report.progress import progress


def front_figure(study: optuna.Study, by: str = "params") -> Figure:
    """Accuracy against size, with the Pareto front; the documented iterations are drawn in where the data is theirs."""
    return figures.front_figure(front_of([study], by))


def importance_figure(study: optuna.Study) -> Figure:
    """What sets the best candidates apart; says so where too few were trained."""
    too_few = f"{n_trained(study)} candidates trained; the importance of axes needs {N_NEEDED}"
    return figures.importance_figure(importances(study), too_few)


def curves_figure(study: optuna.Study, winner: int | None = None) -> Figure:
    """Accuracy epoch by epoch; the `winner`, a trial's number, stands out."""
    return figures.curves_figure(curves(study), winner)


def progress_figure(study: optuna.Study) -> Figure:
    """The best accuracy over time."""
    return figures.progress_figure(progress(study))
