"""The parts of a report: each one a title, and what stands below it."""

from pathlib import Path
from typing import NamedTuple

import optuna

from nas.errors import DataError, NasError
from nas.network.cost import COSTS
from nas.network.layer_table import folded, layer_rows, layer_table
from nas.report import figures, importance, summary, trials, trying
from nas.report.chart import Chart
from nas.report.curves import curves
from nas.report.front import Front, documented_table, front_of
from nas.report.front import table as front_table
from nas.report.markup import Html, bars, facts, gallery, matrix, table, tag
from nas.report.mistakes import Matrix, Mistakes, most_frequent, on_validation_part
from nas.report.progress import progress
from nas.report.summary import Fact
from nas.report.svg import drawing
from nas.report.winner import arithmetic_of, winner_table
from nas.study.confirmation import Confirmed, confirmation_of, last_confirmed, winner_of
from nas.study.record import Record, records
from nas.study.terms import terms_of
from nas.table import Table, plural

MOST_CLASSES = 20  # of a matrix; of more, the most frequent confusions are shown
TRY = "Try it"
SCALE = "The scale of accuracies is logarithmic in the error: half as many errors are as far up everywhere."
TOLD = "Point at a mark, or tap it, to read what it is."
DIAMONDS = (
    "Diamonds are the documented iterations. Their accuracies are best epochs on the test set, not last epochs on the "
    "validation part. Those far off are left out of the figure."
)


class Section(NamedTuple):
    """`parts` stand below one another; a `wide` one is as wide as the window."""

    title: str
    parts: list[Html]
    wide: bool = False


class LeftOut(NamedTuple):
    """A section that has nothing to say, and why."""

    title: str
    why: str


class Report(NamedTuple):
    """A title in words, what stands at the top, and the sections that have something to say."""

    title: str
    lead: list[Html]
    sections: list[Section]


def report_of(study: optuna.Study, checkpoints: Path, data_dir: Path | None, target: float | None) -> Report:
    """The whole report on a study. Of the test set only its files' checksums are read: a confirmation stored the rest.

    `checkpoints` is the folder with the study's weights, `data_dir` that of data sets; without either the sections that
    need them are left out, and the last section says why. `target` is a fraction of the test set: where there is a
    confirmation, the chance is told that a fresh training has it; None for what the search was to reach. Raises
    `StudyError` for a study that nas did not make, `DataError` where a `data_dir` has not the data set.
    """
    terms_of(study)  # before anything looks for a single accuracy where there may be several values
    confirmed = last_confirmed(study)
    winner = winner_of(study, confirmed)
    number = None if winner is None else winner.trial
    tried = [
        _front(study, number),
        *([_trying(study, winner, checkpoints, data_dir)] if winner is not None else []),
        _curves(study, number),
        _progress(study, number),
        _importance(study),
        *([_bought(winner)] if winner is not None else []),
        *([_confirmed(confirmed, target)] if confirmed is not None else []),
        *_mistakes(study, winner, confirmed, checkpoints, data_dir),
        _trials(study),
    ]
    shown = [part for part in tried if isinstance(part, Section)]
    missing = [Fact(f"left out: {part.title}", part.why) for part in tried if isinstance(part, LeftOut)]
    lead = _lead(study, winner, confirmed, target)
    return Report(summary.heading(study, winner, confirmed), lead, [*shown, _measured(study, missing)])


def _lead(study: optuna.Study, winner: Record | None, confirmed: Confirmed | None, target: float | None) -> list[Html]:
    parts = []
    if winner is not None and winner.cost is not None:
        parts.append(tag("ul", *map(_key_figure, summary.key_figures(study, winner, confirmed)), class_="key"))
    parts.append(tag("p", " ".join(summary.story(study, winner, confirmed, target)), class_="story"))
    if winner is not None and (taught := summary.distilled(study, winner)):
        parts.append(tag("p", taught, class_="note"))
    return parts


def _key_figure(figure: summary.KeyFigure) -> Html:
    notes = (tag("span", note, class_="note") for note in figure.notes)
    return tag("li", tag("strong", figure.value), tag("span", figure.name), *notes)


def front_section(front: Front, winner: int | None = None) -> Section:
    """The front of one study or several. `winner`: a trial of the only one. Raises `StudyError` if none is finished."""
    members = table(front_table(front))
    title = f"Accuracy against {COSTS[front.by].noun}"
    alt = f"{title}: {plural(len(front.points), 'finished candidate')}, {len(front.members)} of them on the front."
    parts = [_figure(figures.front_chart(front, winner), alt, f"{SCALE} {TOLD}"), members]
    if front.documented:
        parts += [tag("p", DIAMONDS, class_="note"), table(documented_table(front))]
    return Section(title, parts)


def _front(study: optuna.Study, winner: int | None) -> Section | LeftOut:
    front = front_of([study])
    return front_section(front, winner) if front.points else LeftOut("The front", "no training has finished.")


def _trying(study: optuna.Study, winner: Record, checkpoints: Path, data_dir: Path | None) -> Section | LeftOut:
    try:
        confirmed = confirmation_of(study, winner.trial)
        return Section(TRY, trying.parts(trying.model_to_try(study, winner, confirmed, checkpoints, data_dir)))
    except NasError as error:
        _check_remark(error, data_dir)
        return LeftOut(TRY, f"{error}.")


def _curves(study: optuna.Study, winner: int | None) -> Section | LeftOut:
    title = "Learning curves"
    chart = figures.curves_chart(curves(study), winner)
    if chart is None:
        return LeftOut(title, "no candidate was trained for two epochs.")
    alt = "Validation accuracy of each candidate after each epoch it was trained."
    text = "Validation accuracy, epoch by epoch. A training that was stopped ends at its cross."
    return Section(title, [_figure(chart, alt, f"{text} {SCALE}")])


def _progress(study: optuna.Study, winner: int | None) -> Section | LeftOut:
    title = "Accuracy over time"
    chart = figures.progress_chart(progress(study), winner)
    if chart is None:
        return LeftOut(title, "fewer than two trainings have ended.")
    alt = "The best validation accuracy of a finished candidate over the time in which something was trained."
    text = (
        "Every training where it ended; the line is the best finished one so far. Time counts while something was "
        "trained. Rejected candidates have no accuracy and are not there."
    )
    return Section(title, [_figure(chart, alt, text)])


def _importance(study: optuna.Study) -> Section | LeftOut:
    title, n = "What decides", importance.n_trained(study)
    shares = importance.importances(study)
    if not shares:
        return LeftOut(title, f"{plural(n, 'candidate')} trained, and {importance.N_NEEDED} are needed.")
    text = (
        f"How far the best of {n:,} trained candidates lie apart from all of them, axis by axis (PED-ANOVA); "
        "candidates trained longer count as better, then accuracy decides. It tells where the sampler found the good "
        "ones, not what causes them, and with so few candidates small shares are chance."
    )
    return Section(title, [bars("Share of the importance", figures.bars(shares)), tag("p", text, class_="note")])


def _bought(winner: Record) -> Section:
    assert winner.candidate is not None
    layers = layer_table(folded(layer_rows(winner.candidate.architecture)))
    text = "Norms, activations and pooling multiply nothing and stand with the layer before them."
    return Section(
        "What the budget bought", [table(winner_table(winner)), table(layers), tag("p", text, class_="note")]
    )


def _confirmed(confirmed: Confirmed, target: float | None) -> Section:
    return Section("How it was confirmed", [*map(table, confirmed.tables(target))])


def _mistakes(
    study: optuna.Study, winner: Record | None, confirmed: Confirmed | None, checkpoints: Path, data_dir: Path | None
) -> list[Section | LeftOut]:
    if winner is None:
        return []
    seen = _seen(study, winner, checkpoints, data_dir)
    return [_confusions(winner, confirmed, seen), _hardest(winner, seen)]


def _seen(study: optuna.Study, winner: Record, checkpoints: Path, data_dir: Path | None) -> Mistakes | str:
    """What the winner's network takes for what, or why that is not known."""
    try:
        return on_validation_part(study, winner, checkpoints, data_dir)
    except NasError as error:
        _check_remark(error, data_dir)
        return f"{error}."


def _check_remark(error: NasError, data_dir: Path | None) -> None:
    """Raises it where a remark is not enough: somebody said where the data set is."""
    if isinstance(error, DataError) and data_dir is not None:
        raise error


def _confusions(winner: Record, confirmed: Confirmed | None, seen: Mistakes | str) -> Section | LeftOut:
    title = "What is confused with what"
    if confirmed is not None:
        n = len(confirmed.seeds)
        where = f"On the test set: trial {confirmed.trial}, {plural(n, 'confirmed network')}" + " together" * (n > 1)
        where = f"{where}, {confirmed.arithmetic}."
        return Section(title, [tag("p", where), _confusion(confirmed.classes, confirmed.confusion, "Test set")])
    if isinstance(seen, str):
        return LeftOut(title, seen)
    where = (
        f"On the validation part, not the test set: the network of trial {winner.trial} that the search trained, "
        f"{arithmetic_of(winner)}."
    )
    return Section(title, [tag("p", where), _confusion(seen.classes, seen.confusion, "Validation part")])


def _confusion(classes: tuple[str, ...], confusion: Matrix, title: str) -> Html:
    if len(classes) <= MOST_CLASSES:
        return matrix(classes, confusion, title)
    frequent = most_frequent(classes, confusion, MOST_CLASSES)
    rows = tuple((each.true, each.predicted, f"{each.images:,}") for each in frequent)
    return table(Table(f"{title}: the most frequent confusions", ("true class", "taken for", "images"), rows))


def _hardest(winner: Record, seen: Mistakes | str) -> Section | LeftOut:
    title = "The hardest images"
    if isinstance(seen, str):
        return LeftOut(title, seen)
    text = (
        f"Images of the validation part to which the network of trial {winner.trial} gave the least probability for "
        "their true class, the hardest first: true class, what it was taken for, and how certainly, "
        f"{arithmetic_of(winner)}."
    )
    return Section(title, [tag("p", text), gallery(seen.hardest)])


def _trials(study: optuna.Study) -> Section | LeftOut:
    all_records = records(study)
    trained, others = trials.trained_table(all_records), trials.untrained_table(all_records)
    if not all_records:
        return LeftOut("Trials", "there are none yet.")
    parts = [table(trained, sortable=True)] if trained.rows else []
    if others.rows:
        title = tag("summary", f"{plural(len(others.rows), 'trial')} that were not trained")
        parts.append(tag("details", title, table(others, sortable=True)))
    return Section("Trials", parts, wide=True)


def _measured(study: optuna.Study, missing: list[Fact]) -> Section:
    meanings = summary.meanings(terms_of(study).goal)
    parts = [facts([*summary.measured(study), *missing]), tag("h3", "Words"), facts(meanings)]
    return Section("How everything was measured", parts)


def _figure(chart: Chart, alt: str, caption: str) -> Html:
    return tag("figure", drawing(chart, alt), tag("figcaption", caption))
