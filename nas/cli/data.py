"""`nas data`: what data sets there are, where they lie, and fetching them."""

from pathlib import Path

import click

from nas import datasets
from nas.datasets.catalogue import BUILTINS, Builtin
from nas.datasets.schemes import FORMS, SCHEMES
from nas.table import Table
from nas.terminal.console import console, show

HEADER = ("name", "images", "shape", "classes", "where")

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder of data sets. Default: the folder in NAS_DATA_DIR, else the user's cache folder.",
)


@click.group()
def data() -> None:
    """List and fetch data sets.

    \b
    Example:
        nas data list
    """


@data.command()
@click.argument("name")
@data_dir_option
def fetch(name: str, data_dir: Path | None) -> None:
    """Fetch the data set NAME, verify it, and print where it lies.

    \b
    Example:
        nas data fetch mnist
    """
    root = datasets.fetch(name, data_dir)
    for note in datasets.load(name, root).notes:
        click.echo(note, err=True)
    click.echo(datasets.where(name, root))


@data.command("list")
@data_dir_option
def list_(data_dir: Path | None) -> None:
    """List the built-in data sets and where they are found.

    \b
    Example:
        nas data list --data-dir ~/data
    """
    own = (f"{form} ({scheme.content})" for form, scheme in zip(FORMS, SCHEMES.values(), strict=True))
    rows = tuple(_row(builtin, data_dir) for builtin in BUILTINS.values())
    show(console(), [Table("Data sets", HEADER, rows, (f"And your own: {', '.join(own)}.",))])


def _row(builtin: Builtin, data_dir: Path | None) -> tuple[str, ...]:
    images = " + ".join(f"{n:,}" for n in builtin.n_images.values())
    shape = "×".join(map(str, builtin.image_shape))
    place = datasets.where(builtin.name, data_dir) or f"not here: nas data fetch {builtin.name}"
    return builtin.name, images, shape, str(len(builtin.classes)), str(place)
