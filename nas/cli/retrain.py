"""`nas retrain`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.completion import complete_trial
from nas.cli.options import (
    data_dir_option,
    executor_options,
    placement_of,
    storage_option,
    study_option,
    teacher_file_option,
)
from nas.progress import working
from nas.table import per_cent, plural

if TYPE_CHECKING:
    from nas.replication.retraining import Compared

DIFFERENT = 1


@click.command()
@click.option("--trial", type=int, required=True, shell_complete=complete_trial, help="Number of the trial.")
@study_option
@storage_option
@data_dir_option
@teacher_file_option
@executor_options
@click.option("--confirmed", is_flag=True, help="The network that was exported from the trial's confirmation.")
@click.pass_context
def retrain(
    ctx: click.Context,
    /,
    trial: int,
    study_name: str | None,
    storage: str,
    data_dir: Path | None,
    teacher: Path | None,
    confirmed: bool,
    **where: Any,
) -> None:
    """Train a study's trial again from its stored seed, and compare each epoch's accuracy and losses with the stored.

    It is trained with the precision, the device and the number of threads it was trained with. The losses are stored
    with the trial's weights; where these are gone, accuracies alone are compared. Where there was a teacher it is asked
    again, from its file. Nothing is written. Ends with exit code 0 if all digits are equal, with 1 if not.

    \b
    Example:
        nas retrain --trial 1
    """
    placement = placement_of(where)
    from nas.replication.retraining import retrain as run_again
    from nas.study.data import data_of
    from nas.study.opening import find_study
    from nas.study.storage import checkpoint_folder, open_storage, runs_folder
    from nas.study.teacher import find_teacher

    database = open_storage(storage, must_exist=True)
    study = find_study(database, study_name)
    checkpoints = checkpoint_folder(database, study.study_name)
    with working(f"Training trial {trial} again, an epoch a line"):
        again = run_again(
            study,
            trial,
            *data_of(study, data_dir),
            checkpoints=checkpoints,
            confirmed=confirmed,
            teacher=find_teacher(study, runs_folder(database), teacher),
            placement=placement,
            on_epoch=_show,
        )
    if again.difference is not None:
        click.echo(f"nas: {again.difference}", err=True)
        ctx.exit(DIFFERENT)
    click.echo(
        f"Trial {trial} of study {study.study_name!r} gave the same digits again: {plural(len(again.epochs), 'epoch')} "
        f"({', '.join(again.compared)})."
    )


def _show(epoch: "Compared") -> None:
    from nas.replication.retraining import ACCURACY

    verdict = "as stored"
    if epoch.differing == ACCURACY:
        verdict = f"stored: {per_cent(epoch.stored[ACCURACY])}"
    elif epoch.differing is not None:
        verdict = f"another {epoch.differing}"
    click.echo(f"epoch {epoch.epoch:3d}  {per_cent(epoch.again[ACCURACY]):>8}  {verdict}")
