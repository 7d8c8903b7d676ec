"""The model card: what a trained network is, how it was made and measured, and how each file is used, in Markdown."""

import re
from collections.abc import Iterator, Sequence

from nas.export.figures import Figure, figures_of, read, table
from nas.export.formats import FORMATS
from nas.export.frozen import FrozenModel
from nas.export.words import how_made, how_measured, image_shape, visible
from nas.network.cost import COSTS, cost_of
from nas.network.layer_table import layer_rows, layer_table
from nas.table import points


def card(model: FrozenModel, name: str, script: str | None, figures: Sequence[Figure] = ()) -> str:
    """The text of NAME.md; `script` is the file that trains the model again, `figures` are those of its formats.

    All else is the same whatever formats are there.
    """
    return "\n".join(part.rstrip() + "\n" for part in _parts(model, name, script, figures))


def renewed(before: str, model: FrozenModel, name: str, script: str | None, figures: Sequence[Figure]) -> str | None:
    """The card that is there with the figures of formats that are added; None if it is another one, or was changed."""
    known = read(before)
    return card(model, name, script, [*known, *figures]) if card(model, name, script, known) == before else None


def _parts(model: FrozenModel, name: str, script: str | None, figures: Sequence[Figure]) -> Iterator[str]:
    cost = cost_of(model.architecture)
    yield f"# {name}"
    yield (
        f"A trained classifier of images, {_shape(model)}, into {model.architecture.n_classes} classes, made by `nas`. "
        f"{', '.join(f'{cost.shown(name)} {COSTS[name].phrase}' for name in cost)}."
    )
    yield (
        f"It takes a batch of images, {image_shape(model)}, and gives one score a class, (n, "
        f"{model.architecture.n_classes}); it normalises the images itself. Classes, in the order of the scores: "
        f"{escaped(', '.join(map(visible, model.classes)))}."
    )
    yield table([*figures_of(model), *figures]).markdown()
    yield "## How to use it"
    options = " or ".join(f"`--format {format}`" for format in FORMATS)
    yield f"These are the formats there are; `nas export` with {options} writes one that is missing."
    yield from (format.usage(model, name) for format in FORMATS.values())
    yield layer_table(layer_rows(model.architecture)).markdown()
    yield "## How it was trained"
    yield escaped(f"{model.recipe}.")
    yield escaped(how_made(model))
    if script is not None:
        yield (
            f"`sh {script}` trains it again and compares the digits; its comments say what it needs. Without a POSIX "
            f"shell, as on Windows: `nas retrain --trial {model.provenance.trial}`, with its `--study` and `--storage`."
        )
    yield "## How it was measured"
    yield escaped(how_measured(model))
    if not model.provenance.confirmed:
        yield (
            "**Not confirmed.** The network has not been trained again with other seeds, and never been tested on "
            "images that had no part in choosing it."
        )
    yield "## Limits"
    yield _limits(model)


def _limits(model: FrozenModel) -> str:
    made = model.provenance
    error = (made.validation_accuracy * (1 - made.validation_accuracy) / made.n_validation) ** 0.5
    chosen = (
        f"- One binomial standard error of the accuracy on {made.n_validation:,} images is {points(error)}; that "
        "says nothing of the spread between seeds, and nothing of having been chosen by this figure.\n"
    )
    return (
        f"{'' if made.confirmed else chosen}"
        "- It knows its classes only: any image at all gets one of them. Scores are no probabilities before a softmax, "
        "and have not been calibrated as such after it.\n"
        f"- It was measured on images like those of '{escaped(visible(made.dataset))}', of this size and in this "
        "range. Others (another camera, inverted, not centred) were not tried."
    )


def _shape(model: FrozenModel) -> str:
    return "×".join(map(str, model.architecture.input_shape))


def escaped(text: str) -> str:
    """Plain text in Markdown: what a user wrote stays text, on GitHub and in a browser."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$&!])", r"\\\1", text)
