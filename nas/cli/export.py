"""`nas export`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nas.cli.completion import complete_iteration, complete_trial
from nas.cli.options import data_dir_option, storage_option, study_option
from nas.export.formats import DEFAULT, FORMATS
from nas.files import RUNS
from nas.progress import working
from nas.space import documented

if TYPE_CHECKING:
    import optuna

    from nas.study.record import Record


@click.command()
@study_option
@click.option("--trial", type=int, shell_complete=complete_trial, help="Number of the trial.")
@click.option("--top", type=click.IntRange(min=1), help="Export so many of the best.")
@click.option(
    "--documented",
    "iteration",
    shell_complete=complete_iteration,
    metavar="ID",
    help="Export a documented iteration, which has no weights.",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(list(FORMATS)),
    multiple=True,
    default=DEFAULT,
    show_default=True,
    help="What to write; can be given several times.",
)
@click.option("--out", type=click.Path(path_type=Path), default=RUNS, show_default=True, help="Folder for the models.")
@storage_option
@data_dir_option
@click.option("--name", help="Name of the model; made from the data set, the size and the trial unless told.")
@click.option("--force", is_flag=True, help="Overwrite files that differ.")
def export(
    study_name: str | None,
    trial: int | None,
    top: int | None,
    iteration: str | None,
    formats: tuple[str, ...],
    out: Path,
    storage: str,
    data_dir: Path | None,
    name: str | None,
    force: bool,
) -> None:
    """Write trained candidates as frozen models, in one or more formats.

    Without --trial and --top it is the network that was confirmed last, else the winner of the search. Each is checked
    on the validation images before it is handed over (a confirmed one, which has none, on some of the images that it
    was trained on), and all files appear or none.

    \b
    py     NAME.py, which needs torch alone, and NAME.safetensors
    onnx   NAME.onnx, for onnxruntime; needs the extra 'onnx'
    torch  NAME.pt2, a program of torch.export
    c      NAME.h and NAME.c: 8 bits, for microcontrollers

    \b
    Example:
        nas export --top 3 --out models
        nas export --documented B5
        nas export --format onnx --format c
    """
    if iteration is not None:
        if (study_name, trial, top) != (None, None, None):
            raise click.UsageError("--documented names a network by itself: leave out --study, --trial and --top")
        if set(formats) != {"py"}:
            raise click.UsageError(
                f"a documented iteration has no weights, so it can be written as py alone, but got --format "
                f"{' --format '.join(formats)}: leave it out"
            )
        from nas.export.documented import export_iteration

        click.echo(export_iteration(documented.load(iteration), out, name=name, force=force))
        return
    if trial is not None and top is not None:
        raise click.UsageError("give either --trial or --top, but got both")
    if name is not None and (top or 1) > 1:
        raise click.UsageError(f"--name names one model, but got --top {top}: leave one of them out")
    with working("Loading torch and the study"):
        from nas.errors import StudyError
        from nas.export.trials import export_trial
        from nas.study.confirmation import last_confirmed
        from nas.study.data import data_of
        from nas.study.opening import find_study
        from nas.study.storage import checkpoint_folder, open_storage

        database = open_storage(storage, must_exist=True)
        study = find_study(database, study_name)
        dataset, split = data_of(study, data_dir)
    checkpoints = checkpoint_folder(database, study.study_name)
    chosen = _chosen(study, trial, top)
    if not chosen:
        raise StudyError(
            f"there must be a finished trial to export, but study {study.study_name!r} has none: search on"
        )
    for record in chosen:
        with working(f"Writing trial {record.trial} as {', '.join(formats)} and checking the files"):
            written = export_trial(
                study,
                record,
                dataset,
                split,
                checkpoints,
                out,
                storage=storage,
                formats=formats,
                name=name,
                force=force,
            )
        for line in (*written.files, *written.notes):
            click.echo(line)
    if trial is None and top is None and last_confirmed(study) is not None:
        click.echo(
            f"Trial {chosen[0].trial} was confirmed last, so this is its confirmed network: name others with --trial "
            "or --top"
        )


def _chosen(study: "optuna.Study", trial: int | None, top: int | None) -> "list[Record]":
    from nas.study.confirmation import last_confirmed, winner_of
    from nas.study.record import ranked, record_of
    from nas.study.trial import trial_of

    if trial is not None:
        return [record_of(trial_of(study, trial))]
    if top is not None:
        return ranked(study)[:top]
    winner = winner_of(study, last_confirmed(study))
    return [] if winner is None else [winner]
