"""`nas status`."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from nas.cli.completion import complete_study
from nas.cli.options import storage_option
from nas.table import clock, per_cent, plural

if TYPE_CHECKING:
    from nas.study.status import Status

ALWAYS_SHOWN = ("finished", "pruned", "rejected")
OUTCOMES = (*ALWAYS_SHOWN, "repeated", "failed", "interrupted", "running", "paused", "waiting")


@click.command()
@click.option(
    "--study", "study_name", shell_complete=complete_study, help="Name of the study; all of them unless told."
)
@storage_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def status(study_name: str | None, storage: str, as_json: bool) -> None:
    """Tell where studies stand, also while they are being searched from elsewhere.

    The study that was begun last comes first. Nothing is changed, and no search is disturbed.

    \b
    Example:
        nas status --study mnist-20000-params-documented-20-epochs-seed-0
    """
    from nas.study.status import statuses
    from nas.study.storage import open_storage
    from nas.terminal.console import console, tell

    shown = statuses(open_storage(storage, must_exist=True), study_name, storage)
    if as_json:
        click.echo(json.dumps([each.to_dict() for each in shown], indent=2))
        return
    if not shown:
        click.echo("The database has no study yet: run nas search.")
    screen = console()
    for number, each in enumerate(shown):
        tell(screen, ("\n" if number else "") + each.study)
        for label, text in lines(each):
            tell(screen, text, f"  {label:<7}")
        if each.command is not None and each.left and not each.searching:
            tell(screen, each.left, "  left   ")
            screen.print(f"  go on  {each.command}", soft_wrap=True)


def lines(status: "Status") -> Iterator[tuple[str, str]]:
    """What is shown of a study, as labels and texts."""
    yield "asked", _asked(status)
    yield "state", "searching now" if status.searching else "no search is running"
    yield "trials", _tally(status.counts)
    if status.best is not None and status.best.accuracy is not None and status.best.cost is not None:
        params, trial = status.best.cost.params, status.best.trial
        yield "best", f"{per_cent(status.best.accuracy)} with {params:,} parameters (trial {trial})"
    yield "time", f"{clock(status.seconds)} in trials, {plural(status.epochs, 'epoch')} trained"
    if status.teacher is not None:
        yield "taught", f"by {status.teacher.figures}; {status.teacher.cost}"
    elif status.terms is not None and status.terms.teacher is not None:
        yield "taught", f"by the teacher {status.terms.teacher!r}, which is not trained yet"


def _asked(status: "Status") -> str:
    if status.terms is None:
        return "not a study of nas"
    terms, target = status.terms, (status.options or {}).get("target")
    goal = f", until {per_cent(target)}" if target is not None else ""
    if terms.minimize is not None:
        goal = f", for the fewest {terms.goal.noun} with {per_cent(terms.target or 0.0)}"
    limits = f"at most {terms.limits}" if terms.budget else "without a limit"
    return (
        f"space {terms.space!r} on {terms.dataset}, {limits}, {plural(terms.epochs, 'epoch')}{goal}; "
        f"{terms.n_train:,} images to train, {terms.n_validation:,} to validate"
    )


def _tally(counts: dict[str, int]) -> str:
    texts = [f"{counts.get(name, 0):,} {name}" for name in OUTCOMES if name in ALWAYS_SHOWN or name in counts]
    return ", ".join(texts + [f"{n:,} {name}" for name, n in counts.items() if name not in OUTCOMES])
