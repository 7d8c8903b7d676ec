"""The notes that explain a study and its trials, in Markdown."""

from math import sqrt
from textwrap import indent

from nas.network.layer_table import layer_table
from nas.shell import quoted
from nas.study.confirmation import Confirmed
from nas.study.details import Details, cost_table, curve_table, facts
from nas.study.folders import DEFAULT_STORAGE
from nas.study.status import Status
from nas.study.terms import Terms
from nas.table import Table, per_cent, plural, points


def trial_note(details: Details) -> str:
    """What a trial was, what came out, and how it was made."""
    headline = _headline(details)
    about = [f"- **{label}**: {text}" for label, text in facts(details) if label != "outcome"]
    tables = (layer_table(details.layers), cost_table(details), curve_table(details))
    return "\n\n".join([headline, "\n".join(about), *(_markdown(table) for table in tables if table.rows)])


def study_note(
    status: Status, url: str = DEFAULT_STORAGE, confirmed: Confirmed | None = None, n_readings: int = 0
) -> str:
    """What was asked, where the search stands, and how to read what is shown.

    `url` names the storage in commands. `n_readings` of the test set were taken, `confirmed` came out last.
    """
    if status.terms is None:
        return ""
    terms = status.terms
    return "\n\n".join(
        [
            f"**nas** looks for {terms.goal.wanted}, for `{terms.dataset}`, with at most {terms.limits}, in "
            f"the search space `{terms.space}`. {_so_far(status)}",
            *([] if status.teacher is None else [f"Its teacher is {status.teacher.figures}: {status.teacher.cost}."]),
            _tested(confirmed, n_readings),
            _how_to_read(terms, status.best.accuracy if status.best is not None else None),
            *_commands(status, url),
        ]
    )


def _headline(details: Details) -> str:
    record, params = details.record, details.budget.params
    if record.outcome == "rejected" and record.cost is not None and params is not None and record.cost.params > params:
        over = record.cost.params / params - 1
        return (
            f"**Rejected, never trained**: {record.cost.params:,} parameters are {per_cent(over, 1)} more than the "
            f"budget of {params:,}."
        )
    reason = f": {record.reason}" if record.reason else ""
    return f"**{record.outcome.capitalize()}**{reason}."


def _so_far(status: Status) -> str:
    counts, best = status.counts, status.best
    trained = counts.get("finished", 0) + counts.get("pruned", 0) + counts.get("paused", 0)
    so_far = (
        f"{'A search is running. ' if status.searching else ''}{trained:,} candidates were trained so far "
        f"({counts.get('pruned', 0):,} pruned), {counts.get('rejected', 0):,} rejected."
    )
    if best is None or best.accuracy is None or best.cost is None:
        return so_far
    return (
        f"{so_far} The best is trial {best.trial}: **{_percent(best.accuracy)}** with {best.cost.params:,} parameters."
    )


def _tested(confirmed: Confirmed | None, n_readings: int) -> str:
    if n_readings == 0:
        return "The test set has not been read."
    read = f"The test set was read {plural(n_readings, 'time')}"
    if confirmed is None:
        return f"{read}, by a confirmation that has not ended."
    return (
        f"Confirmed: trial {confirmed.trial}, trained {plural(len(confirmed.seeds), 'time')} from scratch on all "
        f"{confirmed.n_train:,} training images, recognises **{confirmed.accuracy.per_cent()} %** of the test set. "
        f"{read} in this study, and chose nothing."
    )


def _how_to_read(terms: Terms, best: float | None) -> str:
    cut_off = "" if terms.minimize is None else ", or not smaller than a network found by then that has the target"
    return "\n".join(
        [
            f"- **Objective value**: {_value(terms)} The winner's accuracy is optimistic, since these images chose "
            f"it.{_error(terms, best)}",
            f"- **Complete**: trained to its end, {plural(terms.epochs, 'epoch')}, or until it had its search's "
            "target, or the same candidate as one that was.",
            "- **Pruned**: stopped early, since others did better with as much training, or its loss was not finite.",
            f"- **Infeasible**: rejected, since the network is over the budget{cut_off}. It was counted and dropped "
            "before anything was built, so it has no value and took no time; the sampler was told by how much it is "
            "over.",
            "- **Waiting**: interrupted, and a search that goes on continues its training; **Running**, too, while it "
            "is paused because others did better.",
            "- **Fail**: failed, with an error that its note tells, and not continued.",
        ]
    )


def _value(terms: Terms) -> str:
    accuracy = (
        f"accuracy after the last epoch, a fraction of {terms.n_validation:,} images held out of the training set"
    )
    goal = terms.goal
    if goal.target is None:
        return f"{accuracy}."
    return (
        f"below the target of {_percent(goal.target)}, {accuracy}. From the target on it is no accuracy, but the "
        f"higher, the fewer {goal.noun} the network has: {goal.formula(terms.limits)}. Its accuracy stands "
        "in the trial's note."
    )


def _error(terms: Terms, best: float | None) -> str:
    if best is None:
        return ""
    size = points(sqrt(best * (1 - best) / terms.n_validation))
    error = f" One standard error at {_percent(best)} is {size}: "
    if terms.minimize is not None:
        return f"{error}whether a network nearer to the target than that has it cannot be told."
    return f"{error}candidates that differ by less cannot be told apart."


def _commands(status: Status, url: str) -> list[str]:
    """What to type, as code: whatever a study is called, it does not become Markdown."""
    best = "TRIAL" if status.best is None else str(status.best.trial)
    named = f"--study {quoted(status.study)}" + (f" --storage {quoted(url)}" if url != DEFAULT_STORAGE else "")
    commands = (f"nas status {named}", f"nas show {best} {named}", f"nas export --trial {best} {named}")
    whose = "TRIAL is a number" if status.best is None else f"trial {best} or any other"
    about = f"In a terminal: where the search stands, what a trial was, and how to have its model ({whose})."
    return [about, indent("\n".join(commands), "    ")]


def _markdown(table: Table) -> str:
    return table.markdown().replace("## ", "### ", 1)


def _percent(accuracy: float) -> str:
    return per_cent(accuracy)
