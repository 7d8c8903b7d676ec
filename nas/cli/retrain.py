"""`nas retrain`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.completion import complete_dataset, complete_trial
from nas.cli.options import (
    Count,
    data_dir_option,
    device_option,
    executor_options,
    placement_of,
    precision_option,
    storage_option,
    study_option,
    teacher_file_option,
)
from nas.execution.placement import Placement
from nas.export.formats import FORMATS
from nas.files import RUNS
from nas.progress import working
from nas.table import per_cent, plural

if TYPE_CHECKING:
    from nas.replication.retraining import Compared

DIFFERENT = 1


@click.command()
@click.option("--trial", type=int, shell_complete=complete_trial, help="Number of the trial.")
@study_option
@storage_option
@data_dir_option
@teacher_file_option
@executor_options
@click.option("--confirmed", is_flag=True, help="The network that was exported from the trial's confirmation.")
@click.option(
    "--from",
    "model",
    type=click.Path(path_type=Path),
    metavar="MODEL.py",
    help="Go on from an exported model's weights instead, on --dataset.",
)
@click.option(
    "--dataset", shell_complete=complete_dataset, metavar="NAME", help="With --from: the images to go on with."
)
@click.option("--epochs", type=Count(), help="With --from: as many as in the model's recipe unless told.")
@click.option("--lr", type=float, help="With --from: the learning rate; a tenth of the recipe's unless told.")
@click.option("--seed", type=Count(), help="With --from: of the training; 0 unless told.")
@click.option("--validation", type=Count(), help="With --from: images to hold out; a sixth unless told.")
@click.option(
    "--format",
    "formats",
    type=click.Choice(list(FORMATS)),
    multiple=True,
    help="With --from: what else to write the model as, once or several times.",
)
@click.option("--out", type=click.Path(path_type=Path), help=f"With --from: folder for the model; {RUNS} unless told.")
@click.option("--name", help="With --from: name of the model; made from both names unless told.")
@device_option
@precision_option
@click.pass_context
def retrain(
    ctx: click.Context,
    /,
    trial: int | None,
    study_name: str | None,
    storage: str,
    data_dir: Path | None,
    teacher: Path | None,
    confirmed: bool,
    model: Path | None,
    device: str,
    precision: str,
    **settings: Any,
) -> None:
    """Train a study's trial again and compare the digits, or go on from an exported model on other pictures.

    With --trial it is trained from its stored seed, with the precision, the device and the number of threads it was
    trained with, and each epoch's accuracy and losses are compared with the stored. The losses are stored with the
    trial's weights; where these are gone, accuracies alone are compared. Where there was a teacher it is asked again,
    from its file. Nothing is written. Ends with exit code 0 if all digits are equal, with 1 if not.

    With --from the training starts with the model's weights, and a new head where the classes are others in number. A
    validation part is held out, no test image is looked at, and the result is exported like any model. An interrupted
    training goes on when the same command is given again.

    \b
    Example:
        nas retrain --trial 1
        nas retrain --from runs/mnist_19880_trial_7.py --dataset folder:new
    """
    placement = placement_of(settings)
    told = {name: value for name, value in settings.items() if value not in (None, ())}
    if model is not None:
        others = {"--trial": trial, "--study": study_name, "--teacher": teacher, "--confirmed": confirmed or None}
        _refuse_with("--from", others)
        _go_on_from(model, data_dir, placement, device, precision, **told)
        return
    if trial is None:
        raise click.UsageError("name what is trained: --trial NUMBER, or --from MODEL.py with --dataset NAME")
    _refuse_with("--trial", {f"--{'format' if name == 'formats' else name}": value for name, value in told.items()})
    with working("Loading torch"):
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


def _refuse_with(option: str, others: dict[str, Any]) -> None:
    """Options of the other use of the command."""
    given = [name for name, value in others.items() if value is not None]
    if given:
        raise click.UsageError(f"{option} goes without {given[0]}, but got both: leave one of them out")


def _go_on_from(
    model: Path, data_dir: Path | None, placement: Placement, device: str, precision: str, **settings: Any
) -> None:
    if "dataset" not in settings:
        raise click.UsageError("--from needs the pictures to go on with: give --dataset, such as folder:new")
    with working(f"Loading torch and {settings['dataset']}"):
        from nas.replication.batch import Means
        from nas.replication.fine_tuning import fine_tune
        from nas.terminal.console import console
        from nas.terminal.trainings_display import Stages

    screen = console()
    with Stages(screen) as stages:
        tuned = fine_tune(
            model,
            settings.pop("dataset"),
            data_dir=data_dir,
            means=Means(workers=1, device=device, precision=precision, placement=placement),
            on_stage=stages.stage,
            on_epoch=stages.epoch,
            **settings,
        )
    for line in tuned.notes:
        screen.print(line, soft_wrap=True)
    screen.print(f"Model: {tuned.model}", soft_wrap=True)
