"""The part of a report's page in which one draws, or gives a picture, and the network says what it is."""

from pathlib import Path
from typing import Any

import optuna

from nas import datasets
from nas.errors import ExportError
from nas.export.frozen import FrozenModel
from nas.export.javascript import SOURCE as NETWORK
from nas.export.javascript import as_json, network_data
from nas.export.trials import frozen_model
from nas.network.cost import cost_of
from nas.prediction.pictures import SOURCE as PICTURE
from nas.report.markup import Html, joined, tag
from nas.study.confirmation import Confirmed
from nas.study.data import data_of
from nas.study.record import Record
from nas.training.recipe import whole_numbers

MOST_PARAMETERS = 150_000  # whose weights take 0.8 MB of the page
SIDE = 280  # pixels of the square to draw in


def scripts() -> list[Path]:
    """What the page runs besides its own script."""
    return [NETWORK, PICTURE, Path(__file__).with_name("try.js")]


def model_to_try(
    study: optuna.Study, winner: Record, confirmed: Confirmed | None, checkpoints: Path, data_dir: Path | None
) -> FrozenModel:
    """The winner as it is handed over: where it is confirmed, the confirmed network of the first seed.

    Raises `ExportError`, `DataError` or `StudyError` with why there is none, or none for a page.
    """
    assert winner.candidate is not None
    n = cost_of(winner.candidate.architecture).params
    if n > MOST_PARAMETERS:
        raise ExportError(f"the weights of {n:,} parameters would make the page too large; nas predict takes pictures")
    dataset, split = data_of(study, data_dir, fetch=False)
    part = split if confirmed is None else datasets.everything(dataset)
    return frozen_model(study, winner, confirmed, dataset, part, checkpoints)


def _arithmetic(model: FrozenModel) -> str:
    """What is to be said where figures are of other numbers than the page's."""
    if model.provenance.quantised_accuracy is None:
        return ""
    return f", in float and not in the {whole_numbers(model.recipe.weight_bits)}"


def parts(model: FrozenModel) -> list[Html]:
    """What stands in the section. Raises `ExportError` for a network that a browser cannot have."""
    data = network_data(model)
    channels, height, width = model.architecture.input_shape
    draws = channels == 1
    takes = {"channels": channels, "height": height, "width": width, "mean": model.mean, "framing": model.framing}
    content: dict[str, Any] = {"network": data, "takes": takes, "classes": model.classes}
    text = "Draw, or choose a picture, or drop one here." if draws else "Choose a picture, or drop one here."
    which = "the confirmed network of the first seed" if model.provenance.confirmed else "the network that was trained"
    told = f"{text} It is classified in this page, by {which}{_arithmetic(model)}; nothing is sent anywhere."
    canvas = tag("canvas", id="drawing", width=str(SIDE), height=str(SIDE), role="img", aria_label="Draw here")
    clear = tag("button", "Clear", type="button", id="clear")
    choose = tag(
        "label", "Choose a picture", tag("input", type="file", accept="image/*", id="picture"), class_="button"
    )
    seen = tag("canvas", id="seen", width=str(width), height=str(height), role="img", aria_label="What it was given")
    before = joined([canvas, tag("p", clear, " ", choose)]) if draws else tag("p", choose)
    given = tag("figure", seen, tag("figcaption", "Given to the network", id="done"))
    answer = joined([tag("p", id="answer", aria_live="polite"), tag("table", tag("tbody", id="shares"), class_="bars")])
    return [
        tag("p", told),
        tag("noscript", tag("p", "This needs JavaScript.", class_="note")),
        tag("div", tag("div", before), given, tag("div", answer), id="try", class_="try"),
        tag("p", "Probabilities are the network's own, not calibrated. It knows its classes only.", class_="note"),
        tag("script", Html(as_json(content)), type="application/json", id="network"),
    ]
