"""`nas report`."""

from pathlib import Path

import click

from nas.cli.options import data_dir_option, storage_option, study_option
from nas.files import make_parent
from nas.progress import working


@click.command()
@study_option
@storage_option
@data_dir_option
@click.option(
    "--target",
    type=click.FloatRange(0, 1, min_open=True),
    help="If there is a confirmation: tell the chance of this test accuracy; that of the search unless told.",
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE", help="The page."
)
def report(study_name: str | None, storage: str, data_dir: Path | None, target: float | None, out: Path) -> None:
    """Write a study as one HTML page that needs no network: what was found, figures, every trial.

    The hardest images are shown where the winner's weights and the data set are still there. Of the test set, its
    files are checked to be there and whole; no image of it is looked at.

    \b
    Example:
        nas report -o report.html
    """
    make_parent(out)
    with working("Drawing the report"):
        from nas.report.page import report_page, write
        from nas.study.opening import find_study
        from nas.study.storage import checkpoint_folder, open_storage
        from nas.study.terms import target_of

        database = open_storage(storage, must_exist=True)
        study = find_study(database, study_name)
        target = target or target_of(study)
        write(report_page(study, checkpoint_folder(database, study.study_name), data_dir, target), out)
    click.echo(f"Report: {out}")
