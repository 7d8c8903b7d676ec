"""The parts of a report: each one a title, and what stands below it."""

from pathlib import Path
from typing import NamedTuple

import optuna

from nas.errors import NasError
from nas.network.cost import COSTS
from nas.network.layer_table import layer_rows, layer_table
from nas.report import figures, importance, plots, summary, trials
from nas.report.figures import Figure
from nas.report.front import Front, documented_table, front_of
from nas.report.front import table as front_table
from nas.report.markup import Html, facts, gallery, matrix, table, tag
from nas.report.mistakes import Matrix, Mistakes, most_frequent, on_validation_part
from nas.study.confirmation import Confirmed, last_confirmed, winner_of
from nas.study.record import Record, records
from nas.study.terms import terms_of
from nas.table import Table, plural

MOST_CLASSES = 20  # of a matrix; of more, the most frequent confusions are shown
SCALE = "The scale of accuracies is logarithmic in the error: half as many errors are as far up everywhere."
DIAMONDS = (
    "Diamonds are the documented iterations. Their accuracies are best epochs on the test set, not last epochs on the "
    "validation part. Those far off are out of view: a double click on the figure shows them too."
)


class Section(NamedTuple):
    """`parts` stand below one another."""

    title: str
    parts: list[Html]


def sections(study: optuna.Study, checkpoints: Path, data_dir: Path | None, target: float | None) -> list[Section]:
    """The whole report on a study. The test set is not read: what is known of it was stored by the confirmation.

    `checkpoints` is the folder with the study's weights, `data_dir` that of data sets; without either the sections that
    need them say what is missing. `target` is a fraction of the test set: where there is a confirmation, the chance is
    told that a fresh training has it; None for what the search was to reach. Raises `StudyError` for a study that nas
    did not make.
    """
    terms_of(study)  # before anything looks for a single accuracy where there may be several values
    confirmed = last_confirmed(study)
    winner = winner_of(study, confirmed)
    return [
        _answer(study, winner, confirmed, target),
        front_section(front_of([study])),
        _curves(study, winner),
        _progress(study),
        _importance(study),
        *([_layers(winner)] if winner is not None else []),
        *_mistakes(study, winner, confirmed, checkpoints, data_dir),
        _trials(study),
        _measured(study),
    ]


def _answer(study: optuna.Study, winner: Record | None, confirmed: Confirmed | None, target: float | None) -> Section:
    parts = [tag("p", summary.question(study)), *(tag("p", text) for text in summary.answer(study, winner, confirmed))]
    if winner is not None:
        parts.append(table(summary.winner_table(winner)))
    if confirmed is not None:
        parts += map(table, confirmed.tables(target))
    return Section("Asked and found", parts)


def front_section(front: Front) -> Section:
    title = f"Accuracy against {COSTS[front.by].noun}"
    alt = f"{title}: {plural(len(front.points), 'finished candidate')}, {len(front.members)} of them on the front."
    caption = f"{SCALE} Point at a network to see its layers."
    parts = [_figure("front", figures.front_figure(front), alt, caption)]
    if front.limit is not None:
        parts.append(tag("p", f"The dotted line is the budget, {COSTS[front.by].shown(front.limit)}.", class_="note"))
    if front.points:
        parts.append(table(front_table(front)))
    if front.documented:
        parts.append(tag("p", DIAMONDS, class_="note"))
        parts.append(table(documented_table(front)))
    return Section(title, parts)


def _curves(study: optuna.Study, winner: Record | None) -> Section:
    plot = plots.curves_figure(study, None if winner is None else winner.trial)
    alt = "Validation accuracy of each candidate after each epoch it was trained."
    text = "Validation accuracy, epoch by epoch. Pruned and paused trainings are faint and end where they were stopped."
    return Section("Learning curves", [_figure("curves", plot, alt, f"{text} {SCALE}")])


def _progress(study: optuna.Study) -> Section:
    alt = "The best validation accuracy of a finished candidate over the time in which something was trained."
    text = (
        "Every training where it ended; the line is the best finished one so far. Time counts while something was "
        "trained. Rejected candidates have no accuracy and are not there."
    )
    return Section("Accuracy over time", [_figure("progress", plots.progress_figure(study), alt, text)])


def _importance(study: optuna.Study) -> Section:
    n = importance.n_trained(study)
    if n < importance.N_NEEDED:
        text = f"{plural(n, 'candidate')} trained: too few, {importance.N_NEEDED} are needed."
        return Section("What decides", [tag("p", text)])
    importances = importance.importances(study)
    alt = "The most important axes: " + ", ".join(f"{each.axis} {each.share:.0%}" for each in importances[:5]) + "."
    text = (
        f"How far the best of {n:,} trained candidates lie apart from all of them, axis by axis (PED-ANOVA); "
        "candidates trained longer count as better, then accuracy decides. It tells where the sampler found the good "
        "ones, not what causes them, and with so few candidates small shares are chance."
    )
    return Section("What decides", [_figure("importance", figures.importance_figure(importances), alt, text)])


def _layers(winner: Record) -> Section:
    assert winner.candidate is not None
    text = f"Trial {winner.trial}, layer by layer."
    return Section(
        "What the budget bought", [tag("p", text), table(layer_table(layer_rows(winner.candidate.architecture)))]
    )


def _mistakes(
    study: optuna.Study, winner: Record | None, confirmed: Confirmed | None, checkpoints: Path, data_dir: Path | None
) -> list[Section]:
    if winner is None:
        return []
    seen, missing = _seen(study, winner, checkpoints, data_dir)
    return [
        Section("What is confused with what", _confusions(winner, confirmed, seen, missing)),
        Section("The hardest images", _hardest(winner, seen, missing)),
    ]


def _seen(study: optuna.Study, winner: Record, checkpoints: Path, data_dir: Path | None) -> tuple[Mistakes | None, str]:
    try:
        return on_validation_part(study, winner, checkpoints, data_dir), ""
    except NasError as error:
        return None, f"Not shown, since {error}."


def _confusions(winner: Record, confirmed: Confirmed | None, seen: Mistakes | None, missing: str) -> list[Html]:
    if confirmed is not None:
        n = len(confirmed.seeds)
        where = f"On the test set: trial {confirmed.trial}, {plural(n, 'confirmed network')}" + " together" * (n > 1)
        return [tag("p", f"{where}."), _confusion(confirmed.classes, confirmed.confusion, "Test set")]
    if seen is None:
        return [tag("p", missing)]
    where = f"On the validation part, not the test set: the network of trial {winner.trial} that the search trained."
    return [tag("p", where), _confusion(seen.classes, seen.confusion, "Validation part")]


def _confusion(classes: tuple[str, ...], confusion: Matrix, title: str) -> Html:
    if len(classes) <= MOST_CLASSES:
        return matrix(classes, confusion, title)
    frequent = most_frequent(classes, confusion, MOST_CLASSES)
    rows = tuple((each.true, each.predicted, f"{each.images:,}") for each in frequent)
    return table(Table(f"{title}: the most frequent confusions", ("true class", "taken for", "images"), rows))


def _hardest(winner: Record, seen: Mistakes | None, missing: str) -> list[Html]:
    if seen is None:
        return [tag("p", missing)]
    text = (
        f"Images of the validation part to which the network of trial {winner.trial} gave the least probability for "
        "their true class, the hardest first: true class, what it was taken for, and how certainly."
    )
    return [tag("p", text), gallery(seen.hardest)]


def _trials(study: optuna.Study) -> Section:
    all_records = records(study)
    trained, others = trials.trained_table(all_records), trials.untrained_table(all_records)
    parts = [table(trained, sortable=True) if trained.rows else tag("p", "No training has begun.")]
    if others.rows:
        title = tag("summary", f"{plural(len(others.rows), 'trial')} that were not trained")
        parts.append(tag("details", title, table(others, sortable=True)))
    return Section("Trials", parts)


def _measured(study: optuna.Study) -> Section:
    meanings = summary.meanings(terms_of(study).goal)
    parts = [facts(summary.measured(study)), tag("h3", "Words"), facts(meanings)]
    return Section("How everything was measured", parts)


def _figure(name: str, plot: Figure, alt: str, caption: str) -> Html:
    height = {"style": f"height: {plot.layout.height}px"} if plot.layout.height else {}
    return tag(
        "figure",
        tag("div", id=f"{name}-figure", class_="plot", role="img", aria_label=alt, **height),
        tag("figcaption", caption),
        Html(f'<script type="application/json" data-figure="{name}-figure">{plot.to_json()}</script>'),
    )
