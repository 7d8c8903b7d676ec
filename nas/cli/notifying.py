"""`--notify`: a command of the user's that is run when a search is over, to send a message, or to end a machine."""

import json
import os
import subprocess
from collections.abc import Mapping
from typing import Any

import click

notify_option = click.option(
    "--notify",
    metavar="COMMAND",
    help="Run this in a shell when it is over, with the result as JSON on its input and in $NAS_STUDY, $NAS_ENDED, "
    "$NAS_BEST (a fraction), $NAS_MODEL.",
)


def notify(command: str | None, data: Mapping[str, Any]) -> None:
    """Runs the command, if there is one; what goes wrong with it is told and changes nothing else."""
    if command is None:
        return
    best: Mapping[str, Any] = next(iter(data.get("best") or ()), {})
    told = {"STUDY": data.get("study"), "ENDED": data.get("ended"), "MODEL": data.get("model")}
    told["BEST"] = best.get("validation_accuracy")
    variables = {f"NAS_{name}": "" if value is None else str(value) for name, value in told.items()}
    done = subprocess.run(command, shell=True, input=json.dumps(data), text=True, env={**os.environ, **variables})
    if done.returncode:
        click.echo(f"nas: the command of --notify ended with exit code {done.returncode}: {command}", err=True)
