"""What an exported file says about itself, and how any text of a user is made harmless in Python source."""

from collections.abc import Iterable, Iterator
from textwrap import indent, wrap

from nas.export.frozen import Definition, FrozenModel, Provenance
from nas.network.cost import cost_of
from nas.space.documented import Iteration
from nas.table import per_cent, plural
from nas.training.recipe import whole_numbers

WIDTH = 100
SHOWN_TEXT = 200  # characters of a user's text that a docstring shows


def quoted(text: str) -> str:
    """A string constant of this text, printable and in one line, in the quotes that need fewer escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join("\\" + c if c in ("\\", quote) else _printable(c) for c in text) + quote


def visible(text: str, most: int = SHOWN_TEXT) -> str:
    """The text as it is shown in a docstring: in one line, printable, not longer than `most`."""
    shown = "".join(map(_printable, text)).replace(">>", "> >")  # what follows a doctest prompt could be run
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def docstring(model: FrozenModel, name: str) -> str:
    """The text between the quotes: whatever the paragraphs hold, it cannot end the string."""
    return _joined(_paragraphs(model, name))


def documented_docstring(iteration: Iteration, definition: Definition, name: str) -> str:
    """The same for an iteration of the documents, which comes without weights."""
    return _joined(_documented_paragraphs(iteration, definition, name))


def _joined(paragraphs: Iterable[str]) -> str:
    lines = (part if part.startswith("    ") else wrapped(part) for part in paragraphs)
    return "\n\n".join(lines).replace("\\", "\\\\").replace('"', '\\"')


def wrapped(paragraph: str) -> str:
    """A paragraph in lines of `WIDTH`."""
    return "\n".join(wrap(paragraph, WIDTH, break_on_hyphens=False))


def _paragraphs(model: FrozenModel, name: str) -> Iterator[str]:
    cost = cost_of(model.architecture)
    yield f"{name}: a trained image classifier with {cost.params:,} parameters."
    yield (
        f"It needs {cost.macs:,} multiply-accumulates an image, and no package but torch. Its weights are in "
        f"{name}.safetensors, which belongs beside this file. To use it:"
    )
    yield indent(
        f"import torch\nimport {name}\n\n"
        f"model = {name}.load()  # in a notebook that this was pasted into: load()\n"
        f"with torch.no_grad():\n    scores = model(images)\n"
        f"names = [{name}.CLASSES[i] for i in scores.argmax(1)]",
        " " * 4,
    )
    yield _how_called(model)
    yield how_measured(model)
    yield f"Recipe: {model.recipe}."
    yield how_made(model)


def _documented_paragraphs(iteration: Iteration, definition: Definition, name: str) -> Iterator[str]:
    cost = cost_of(definition.architecture)
    yield f"{name}: the network of the documented iteration {iteration.name}, with {cost.params:,} parameters."
    yield (
        f"It needs {cost.macs:,} multiply-accumulates an image, and no package but torch. It is not trained: there are "
        "no weights. To train it:"
    )
    yield indent(f"import {name}\n\nmodel = {name}.Net()  # in a notebook that this was pasted into: Net()", " " * 4)
    yield _how_called(definition)
    first = (
        ""
        if iteration.first_epoch is None or iteration.epoch == 1
        else f", {per_cent(iteration.first_epoch)} after the first epoch"
    )
    yield (
        f"Documented: {iteration.parameters:,} parameters, and {per_cent(iteration.accuracy)} of the test images at "
        f"best, after epoch {iteration.epoch}{first}; one run. "
        + {
            "documented": "The document lists these layers.",
            "reconstructed": "The layers are reconstructed from its counts and changes.",
        }[iteration.structure]
    )
    yield f"What changed: {iteration.changed} What it taught: {iteration.lesson}"
    yield from iteration.notes
    yield f"Recipe: {definition.recipe}."


def how_made(model: FrozenModel) -> str:
    """By which trial, with which seed, versions and device, and by which teacher, if there was one."""
    made = model.provenance
    if made.fine_tuned:
        return (
            f"{visible(made.fine_tuned, len(made.fine_tuned))} With seed {made.seed} and {visible(made.versions)}; "
            f"trained in {visible(made.precision)} on {visible(made.device)} with {plural(made.threads, 'thread')}."
        )
    return (
        f"Made by trial {made.trial} of the study '{visible(made.study)}', with seed {made.seed} and "
        f"{visible(made.versions)}; trained in {visible(made.precision)} on {visible(made.device)} with {made.threads} "
        f"thread{'s' * (made.threads > 1)}. {how_taught(made)}"
    ).rstrip()


def how_taught(made: Provenance) -> str:
    """By which teacher; empty if there was none."""
    return visible(made.teacher, len(made.teacher))


def _how_called(definition: Definition) -> str:
    tuned = isinstance(definition, FrozenModel) and definition.provenance.fine_tuned
    seen = "the images that the model it goes on from was trained on" if tuned else "the images it was trained on"
    return (
        f"Images have the shape {image_shape(definition)} and are uint8 from 0 to 255 or floats from 0 to 1; the model "
        f"itself normalises them with MEAN and STD, one number a channel, which come from {seen}. "
        f"Scores have the shape (n, {definition.architecture.n_classes}): one a class, in the order of CLASSES."
    )


def how_measured(model: FrozenModel) -> str:
    """The accuracy, and what it is worth."""
    if model.provenance.confirmed:
        return visible(model.provenance.confirmed, len(model.provenance.confirmed))
    made, planned = model.provenance, model.recipe.epochs
    last = f"epoch {made.epochs}, the last" if made.epochs == planned else f"epoch {made.epochs} of {planned} planned"
    arithmetic = (
        "in float32"
        if made.quantised_accuracy is None
        else f"in {whole_numbers(model.recipe.weight_bits)}, as the exported C computes them "
        f"({per_cent(made.validation_accuracy)} in float32)"
    )
    chosen = "It was chosen by this very figure, which is therefore optimistic. "
    return (
        f"Accuracy: {per_cent(made.ranked_accuracy)} ({made.n_ranked:,} of {made.n_validation:,} images), "
        f"measured after {last}, {arithmetic}: one run with one seed. These images were held out of the training "
        f"images of '{visible(made.dataset)}' (split seed {made.split_seed}); the network was trained on "
        f"{made.n_train:,} others. {'' if made.fine_tuned else chosen}This network was not tested."
    )


def measured_images(made: Provenance) -> str:
    """Which images the stored accuracy is about: those that files are checked with."""
    return f"{made.n_validation:,} {'images that it was trained on' if made.confirmed else 'validation images'}"


def image_shape(model: Definition) -> str:
    return f"(n, {', '.join(map(str, model.architecture.input_shape))})"
