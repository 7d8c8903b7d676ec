"""`nas predict`."""

import json
from pathlib import Path

import click

from nas.progress import working


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("pictures", nargs=-1, required=True, metavar="IMAGE ...", type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="Show so many of the classes.")
@click.option("--invert/--no-invert", default=None, help="Make light dark; done by itself where the data say so.")
@click.option(
    "--centre/--no-centre", default=True, help="Crop, scale and move as the training images were, if they all were."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, with the probability of every class.")
def predict(
    model: Path, pictures: tuple[Path, ...], top: int, invert: bool | None, centre: bool, as_json: bool
) -> None:
    """Tell which class each IMAGE is of, by an exported MODEL: its .py, .onnx or .c file.

    Pictures may have any size, be grey or in colour, dark on light or light on dark. Where the training images are all
    centred by mass and as large, as MNIST's are, a picture of another size becomes so too. The C source is compiled
    with the system's compiler, or the one that CC names. Probabilities are the network's own.

    \b
    Example:
        nas predict runs/mnist_18791_trial_1.py seven.png three.jpg
    """
    with working(f"Asking {model.name}"):
        from nas.prediction.predicting import predict as run_predict
        from nas.prediction.predicting import table
        from nas.terminal.console import console, show

        predictions = run_predict(model, pictures, invert=invert, centre=centre)
    if as_json:
        click.echo(json.dumps([each.to_dict() for each in predictions], indent=2))
        return
    show(console(), [table(predictions, top)])
