"""The header of a quantised network: what it is, what it takes, how good it is, and how that is known."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from string import Template
from textwrap import wrap

from nas.export.c.answers import checksums, drawn_images, stated_answers
from nas.export.c.names import stated
from nas.export.c.objects import Takes
from nas.export.c.program import Program
from nas.export.c.reference import scores_of
from nas.export.frozen import FrozenModel
from nas.export.words import how_made, how_measured, measured_images, visible
from nas.network.cost import cost_of
from nas.table import per_cent
from nas.training.recipe import whole_numbers

WIDTH = 100
TESTED_IN_FLOAT = "What was tested is the trained network in float, not these whole numbers."
TESTED = "What was tested are these whole numbers."

HEADER = Template("""/*
$comment
 */
#ifndef ${guard}_H
#define ${guard}_H

#include <stdint.h>

#define ${guard}_CHANNELS $channels
#define ${guard}_HEIGHT $height
#define ${guard}_WIDTH $width
#define ${guard}_CLASSES $n_classes
$stated
#ifdef __cplusplus
extern "C" {
#endif

/*
 * The class of an image, from 0, and a score for each class. The image is $n_bytes bytes, 0 to 255:
 * channel by channel, row by row. Not to be called again before it has returned: the buffer is static.
 */
int ${name}_predict(const uint8_t image[$n_bytes], float scores[$n_classes]);

#ifdef __cplusplus
}
#endif

$answers
#endif
""")


@dataclass(frozen=True)
class Measured:
    """How the whole numbers did on the images of the model's accuracy, and on how many others they were calibrated.

    `ran`: whether what the compiler makes can be run here.
    """

    n_correct: int
    n_equal: int  # predictions that are those of the trained network
    n_validation: int
    n_calibration: int
    compiler: str | None
    ran: bool = True
    takes: Takes | None = None  # as it was compiled for size; None where that cannot be told
    tools: str = ""  # with what, and how

    @property
    def accuracy(self) -> float:
        return self.n_correct / self.n_validation


def header(model: FrozenModel, program: Program, name: str, measured: Measured) -> str:
    """The text of NAME.h."""
    channels, height, width = model.architecture.input_shape
    comment = "\n".join(chain.from_iterable(_commented(part) for part in _paragraphs(model, program, name, measured)))
    return HEADER.substitute(
        comment=comment,
        name=name,
        guard=name.upper(),
        channels=channels,
        height=height,
        width=width,
        n_bytes=channels * height * width,
        n_classes=program.n_classes,
        stated=stated(name, model.classes, model.mean, model.framing),
        answers=stated_answers(name, reference_answers(program, model.architecture.input_shape)),
    )


def reference_answers(program: Program, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Of the images that anything can draw."""
    scores = scores_of(program, drawn_images(shape))
    return checksums(scores, scores.argmax(1))


def _paragraphs(model: FrozenModel, program: Program, name: str, measured: Measured) -> Iterator[str]:
    cost, made = cost_of(model.architecture), model.provenance
    loss, weight_bits = 100 * (made.validation_accuracy - measured.accuracy), model.recipe.effective().weight_bits
    numbers = whole_numbers(weight_bits)
    yield f"{name}: a trained image classifier with {cost.params:,} parameters, in {numbers}."
    yield (
        f"{taken(program, measured)} The layers share one static buffer; the image and the scores are the caller's. "
        f"{cost.macs:,} multiply-accumulates an image."
    )
    yield (
        f"Accuracy on {measured_images(made)}: {per_cent(made.validation_accuracy)} in float "
        f"({made.n_correct:,} right), {per_cent(measured.accuracy)} as it is here ({measured.n_correct:,} right): a "
        f"loss of {loss:.2f} points. {measured.n_equal:,} predictions are those of the trained network."
    )
    yield (
        f"Calibrated on {measured.n_calibration:,} of the images it was trained on: the range of each layer's output "
        "is the smallest and the largest number seen there. None of the images above had a part in that, and no test "
        "image."
    )
    yield checked(measured)
    yield (
        f"Batch norm and the normalisation of the images are folded in. Weights are {weight_bits} bits, with one scale "
        "an output channel; sums are 32 bits; scores are not softmaxed."
    )
    yield f"Classes: {', '.join(map(visible, model.classes))}."
    tested = TESTED_IN_FLOAT if made.quantised_accuracy is None else TESTED
    yield f"{tested} {how_measured(model)}" if made.confirmed else how_measured(model)
    yield f"Recipe: {model.recipe}."
    yield how_made(model)


def taken(program: Program, measured: Measured) -> str:
    """Flash and RAM, in a sentence."""
    takes = measured.takes
    if takes is None:
        return (
            f"{program.flash:,} bytes of flash for weights and tables, and what its code takes; {program.ram:,} bytes "
            "of RAM, and its stack."
        )
    return (
        f"{takes.flash:,} bytes of flash, of which {program.flash:,} are weights and tables, and "
        f"{takes.ram + takes.stack:,} bytes of RAM, of which {takes.stack:,} are stack, as compiled with "
        f"{visible(measured.tools)}."
    )


def checked(measured: Measured) -> str:
    """How it is known that the C source does what is said of it."""
    if measured.compiler is None:
        return (
            "NOT COMPILED when it was written, since no C compiler was there. The accuracy is that of the same "
            "arithmetic computed elsewhere, which the compiled source was not compared with."
        )
    if not measured.ran:
        return (
            f"Compiled as C99 with {visible(measured.compiler)}, but NOT RUN when it was written, since what that "
            "compiler makes could not be run there. The accuracy is that of the same arithmetic computed elsewhere, "
            "which the compiled source was not compared with."
        )
    return (
        f"Compiled as C99 with {visible(measured.compiler)} and run on all of these images when it was written: each "
        "score was the expected one, to the last bit."
    )


def _commented(text: str) -> list[str]:
    """Lines of a block comment; whatever the text holds, it ends no comment, begins none, and joins no lines."""
    for sign in ("*/", "/*", "??"):
        text = text.replace(sign, " ".join(sign))
    lines = wrap(text.replace("\\", "|"), WIDTH - 3, break_on_hyphens=False)
    return [f" * {line}" for line in lines] + [" *"]
