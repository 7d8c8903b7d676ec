"""The notes that explain a study and its trials, in Markdown."""

from math import sqrt
from shlex import quote

from nas.cost import Budget
from nas.details import Details, cost_table, curve_table, facts
from nas.layers import layer_table
from nas.report import Table
from nas.status import Status
from nas.study import Terms


def trial_note(details: Details) -> str:
    """What a trial was, what came out, and how it was made."""
    headline = _headline(details)
    about = [f"- **{label}**: {text}" for label, text in facts(details) if label != "outcome"]
    tables = (layer_table(details.layers), cost_table(details), curve_table(details))
    return "\n\n".join([headline, "\n".join(about), *(_markdown(table) for table in tables if table.rows)])


def study_note(status: Status) -> str:
    """What was asked, where the search stands, and how to read what is shown."""
    if status.terms is None:
        return ""
    terms = status.terms
    return "\n\n".join(
        [
            f"**nas** looks for the image classifier with at most {Budget(**terms.budget)} that is most accurate on "
            f"`{terms.dataset}`, in the search space `{terms.space}`. {_so_far(status)}",
            _how_to_read(terms, status.best.accuracy if status.best is not None else None),
            f"In a terminal: `nas status --study {quote(status.study)}` tells where it stands, `nas show TRIAL` what a "
            "trial was, `nas export --trial TRIAL` writes its model.",
        ]
    )


def _headline(details: Details) -> str:
    record, params = details.record, details.budget.params
    if record.outcome == "rejected" and record.cost is not None and params is not None and record.cost.params > params:
        over = record.cost.params / params - 1
        return (
            f"**Rejected, never trained**: {record.cost.params:,} parameters are {100 * over:.1f} % more than the "
            f"budget of {params:,}."
        )
    reason = f": {record.reason}" if record.reason else ""
    return f"**{record.outcome.capitalize()}**{reason}."


def _so_far(status: Status) -> str:
    counts, best = status.counts, status.best
    trained = counts.get("finished", 0) + counts.get("pruned", 0)
    so_far = (
        f"{'A search is running. ' if status.searching else ''}{trained:,} candidates were trained so far "
        f"({counts.get('pruned', 0):,} pruned), {counts.get('rejected', 0):,} rejected."
    )
    if best is None or best.accuracy is None or best.cost is None:
        return so_far
    return (
        f"{so_far} The best is trial {best.trial}: **{_percent(best.accuracy)}** with {best.cost.params:,} parameters."
    )


def _how_to_read(terms: Terms, best: float | None) -> str:
    error = (
        ""
        if best is None
        else f" One standard error at {_percent(best)} is {100 * sqrt(best * (1 - best) / terms.n_validation):.2f} "
        "points: candidates that differ by less do not differ."
    )
    return "\n".join(
        [
            f"- **Objective value**: accuracy after the last epoch, a fraction of {terms.n_validation:,} images held "
            f"out of the training set. The test set is not read. The best value is optimistic, since it was chosen by "
            f"these images.{error}",
            f"- **Complete**: trained for all {terms.epochs} epochs, or the same candidate as one that was.",
            "- **Pruned**: stopped early, where others did better with less training.",
            "- **Infeasible**: rejected, since the network is over the budget. It was counted and dropped before "
            "anything was built, so it has no value and took no time; the sampler was told by how much it is over.",
            "- **Fail**: cut short. A search that goes on continues it in a new trial.",
        ]
    )


def _markdown(table: Table) -> str:
    return table.markdown().replace("## ", "### ", 1)


def _percent(accuracy: float) -> str:
    return f"{100 * accuracy:.2f} %"
