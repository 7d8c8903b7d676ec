"""`nas init`."""

from pathlib import Path

import click

from nas.shell import quoted


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def init(file: Path, *, force: bool) -> None:
    """Write a search space of your own to begin with, annotated, to FILE.

    It runs as it is: a first convolution, residual blocks whose widths follow from the budget, and a recipe. What else
    there is to build with is in docs/reference.

    \b
    Example:
        nas init my_space.py
    """
    from nas.space.template import write

    write(file, force=force)
    click.echo(f"{file} is written. Read it, change it, and try it:")
    space = f"--space {quoted(str(file))}"
    click.echo(f"    nas check {space} --budget 20k     # what it leaves, and how long a search takes")
    click.echo(f"    nas search {space} --budget 20k --epochs 5 --trials 10")
