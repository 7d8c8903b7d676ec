"""`nas dashboard`."""

import webbrowser
from importlib.util import find_spec
from pathlib import Path

import click

from nas.cli.options import storage_option
from nas.errors import InputError

NEEDED = ("optuna_dashboard", "plotly")


@click.command()
@storage_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port; 0 takes any.")
@click.option("--allow-remote", is_flag=True, help="Let other machines see it: there is no password.")
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
@click.option(
    "--models",
    type=click.Path(path_type=Path, file_okay=False),
    multiple=True,
    help="A further folder of exported models; can be given several times.",
)
def dashboard(
    storage: str, host: str, port: int, allow_remote: bool, no_browser: bool, models: tuple[Path, ...]
) -> None:
    """Show studies in the browser with optuna-dashboard, until Ctrl-C.

    Each trial has a note with its layers, cost and learning curve, rejected ones are marked as infeasible, and exported
    models can be downloaded. A search may be running: the database is only read, but for notes that you edit.

    \b
    Example:
        nas dashboard --port 8081
    """
    _check_installed()
    from nas.dashboard.server import can_show_a_browser, open_view, serve

    server = serve(open_view(storage, models), host, port, allow_remote)
    if allow_remote:
        click.echo(f"Warning: whoever reaches {host} sees the studies and can edit notes; no password asks.", err=True)
    shown_host = f"[{host}]" if ":" in host else host
    url = f"http://{shown_host}:{server.server_port}/dashboard"
    click.echo(f"Dashboard: {url}  (Ctrl-C ends it)")
    if not no_browser and can_show_a_browser():
        webbrowser.open(url)
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("")


def _check_installed() -> None:
    missing = [name.replace("_", "-") for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(
            f"the dashboard needs packages of its own, but {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not installed: pip install 'budget-nas[dashboard]', or "
            "'.[dashboard]' in a checkout"
        )
