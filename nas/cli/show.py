"""`nas show`."""

import json

import click

from nas.cli.completion import complete_trial
from nas.cli.options import storage_option, study_option


@click.command()
@click.argument("trial", type=int, shell_complete=complete_trial)
@study_option
@storage_option
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def show(trial: int, study_name: str | None, storage: str, as_json: bool) -> None:
    """Show one TRIAL: its layers, its cost against the budget, its learning curve, and how it was made.

    \b
    Example:
        nas show 1
        nas show 1 --json
    """
    from nas.network.layer_table import layer_table
    from nas.study.details import cost_table, curve_table, details_of, facts
    from nas.study.locks import is_searched
    from nas.study.opening import find_study
    from nas.study.storage import open_storage
    from nas.terminal.console import console, tell
    from nas.terminal.console import show as show_tables

    database = open_storage(storage, must_exist=True)
    study = find_study(database, study_name)
    details = details_of(study, trial, is_searched(database, study.study_name))
    if as_json:
        click.echo(json.dumps(details.to_dict(), indent=2))
        return
    screen = console()
    tell(screen, f"Trial {trial} of study {details.study!r}")
    for label, text in facts(details):
        tell(screen, text, f"  {label:<11}")
    tables = (layer_table(details.layers), cost_table(details), curve_table(details))
    show_tables(screen, [table for table in tables if table.rows])
