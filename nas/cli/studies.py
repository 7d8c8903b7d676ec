"""`nas studies`: list, compare, delete, rename, copy, export, import."""

import json
from pathlib import Path

import click

from nas.cli.completion import complete_study
from nas.cli.options import storage_option
from nas.network.cost import COSTS
from nas.progress import working
from nas.shell import quoted
from nas.table import file_size, per_cent

HEADER = ("study", "data set", "limits", "trials", "best", "parameters", "state")


@click.group()
def studies() -> None:
    """List, compare, delete, rename and copy studies, and take them along in a file.

    \b
    Example:
        nas studies list
        nas studies export mnist-20000-params-budget_fill-20-epochs-seed-0 digits.nas
    """


@studies.command("list")
@storage_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_(storage: str, as_json: bool) -> None:
    """List the studies of a database, the one begun last first.

    \b
    Example:
        nas studies list
    """
    from nas.study.status import statuses
    from nas.study.storage import open_storage
    from nas.table import Table
    from nas.terminal.console import console, show

    found = statuses(open_storage(storage, must_exist=True), url=storage)
    if as_json:
        click.echo(json.dumps([each.to_dict() for each in found], indent=2))
        return
    rows = tuple(
        (
            each.study,
            "-" if each.terms is None else each.terms.dataset,
            "-" if each.terms is None else str(each.terms.limits) if each.terms.budget else "none",
            f"{sum(each.counts.values()):,}",
            "-" if each.best is None or each.best.accuracy is None else per_cent(each.best.accuracy),
            "-" if each.best is None or each.best.cost is None else f"{each.best.cost.params:,}",
            "searching now" if each.searching else each.left or "done",
        )
        for each in found
    )
    show(console(), [Table("Studies", HEADER, rows)])


@studies.command()
@click.argument("first", shell_complete=complete_study)
@click.argument("second", shell_complete=complete_study)
@storage_option
@click.option("--by", type=click.Choice(list(COSTS)), default="params", show_default=True, help="What the size is.")
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a page, too.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def compare(first: str, second: str, storage: str, by: str, out: Path | None, as_json: bool) -> None:
    """Show the studies FIRST and SECOND side by side: what each found, what it took, and which settings differ.

    Then the front of both together, as nas pareto has it; in the page each has its own line. They must have the same
    data and validation part.

    \b
    Example:
        nas studies compare digits digits-longer -o both.html
    """
    from nas.report import comparison, front
    from nas.study.storage import open_storage
    from nas.terminal.console import console, show

    compared = comparison.compare(open_storage(storage, must_exist=True), [first, second], by)
    if out is not None:
        from nas.report.page import comparison_page, write

        write(comparison_page(compared), out)
    if as_json:
        click.echo(json.dumps(compared.to_dict(), indent=2))
        return
    fronts = [front.table(compared.front)] if compared.front.points else []
    show(console(), [comparison.table(compared), *fronts])
    if out is not None:
        click.echo(f"Page: {out}")


@studies.command()
@click.argument("name", shell_complete=complete_study)
@storage_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(name: str, storage: str, yes: bool) -> None:
    """Delete the study NAME, its trials, checkpoints and weights; exported models stay.

    \b
    Example:
        nas studies delete first-try
    """
    from nas.study.managing import delete as run_delete
    from nas.study.opening import find_study
    from nas.study.storage import open_storage
    from nas.table import plural

    database = open_storage(storage, must_exist=True)
    study = find_study(database, name)
    n = plural(len(study.get_trials(deepcopy=False)), "trial")
    if not yes:
        click.confirm(f"Delete study {name!r} with {n}, its checkpoints and weights?", abort=True, err=True)
    run_delete(database, name)
    click.echo(f"Study {name!r} is deleted.")


@studies.command()
@click.argument("name", shell_complete=complete_study)
@click.argument("new")
@storage_option
def rename(name: str, new: str, storage: str) -> None:
    """Give the study NAME the NEW name. Models that were exported before still tell the old one.

    \b
    Example:
        nas studies rename mnist-20000-params-budget_fill-20-epochs-seed-0 digits
    """
    from nas.study.managing import rename as run_rename
    from nas.study.storage import open_storage

    run_rename(open_storage(storage, must_exist=True), name, new)
    click.echo(f"Study {name!r} is called {new!r} now. It goes on with: nas search --study {quoted(new)}")


@studies.command()
@click.argument("name", shell_complete=complete_study)
@click.argument("new")
@storage_option
def copy(name: str, new: str, storage: str) -> None:
    """Copy the study NAME, with its checkpoints and weights, to a NEW one, which goes on by itself.

    \b
    Example:
        nas studies copy digits digits-longer
    """
    from nas.study.storage import open_storage

    with working(f"Copying {name}"):
        from nas.study.managing import copy as run_copy

        run_copy(open_storage(storage, must_exist=True), name, new)
    click.echo(f"Study {new!r} is a copy of {name!r}. It goes on with: nas search --study {quoted(new)}")


@studies.command("export")
@click.argument("name", shell_complete=complete_study)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@storage_option
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def export_(name: str, file: Path, storage: str, force: bool) -> None:
    """Write the study NAME, with its checkpoints and weights, into one FILE.

    \b
    Example:
        nas studies export digits digits.nas
    """
    from nas.errors import FileInTheWay
    from nas.study.storage import open_storage

    if file.exists() and not force:
        raise FileInTheWay(f"{file} is there already: use --force, or another name")
    with working(f"Writing {file}"):
        from nas.study.managing import export_to

        export_to(open_storage(storage, must_exist=True), name, file)
    click.echo(f"{file}: {file_size(file.stat().st_size)}. Elsewhere: nas studies import {quoted(str(file))}")


@studies.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@storage_option
@click.option("--as", "name", metavar="NAME", help="Another name for it.")
def import_(file: Path, storage: str, name: str | None) -> None:
    """Take a study out of a FILE that `nas studies export` wrote.

    \b
    Example:
        nas studies import digits.nas --as digits-of-yesterday
    """
    from nas.study.storage import open_storage

    with working(f"Reading {file}"):
        from nas.study.managing import import_from

        new = import_from(open_storage(storage), file, name)
    click.echo(f"Study {new!r} is here. It goes on with: nas search --study {quoted(new)}")
