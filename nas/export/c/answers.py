"""What the reference answers to images that anything can draw: to compare a device with it, to the last bit.

A header states a checksum for each of these images: what runs the C needs neither nas nor a data set to know whether it
computes what it should.
"""

import re
import zlib
from math import prod

import numpy as np
import torch
from torch import Tensor

N_IMAGES = 100
FACTOR, STEP = 1664525, 1013904223  # Press et al., "Numerical Recipes in C", second edition, section 7.1
A_LINE = 8
TEXT = """/*
 * What it must answer to {n} images, of which byte after byte is x >> 24 of uint32_t x = {step}, and
 * then of x = x * {factor} + {step}, and so on: of each the CRC-32 of the scores (float) and
 * the class (int32_t), little-endian.
 */
#define {name}_ANSWERS {{ \\
{numbers} }}
"""


def drawn_images(shape: tuple[int, ...], n: int = N_IMAGES) -> Tensor:
    """Noise that is the same everywhere: uint8, `(n, *shape)`."""
    powers = np.full(n * prod(shape), FACTOR, np.uint32)
    powers[0] = 1
    numbers = np.uint32(STEP) * np.cumsum(np.cumprod(powers, dtype=np.uint32), dtype=np.uint32)
    return torch.from_numpy((numbers >> 24).astype(np.uint8)).view(n, *shape)


def checksums(scores: Tensor, classes: Tensor) -> tuple[int, ...]:
    """CRC-32 of each answer: scores float32, `(n, n_classes)`, and classes, `(n,)`."""
    numbers = (scores + 0.0).numpy().astype("<f4")  # no -0, which is equal to 0 and has other bits
    each = zip(numbers, classes.numpy().astype("<i4"), strict=True)
    return tuple(zlib.crc32(ours.tobytes() + label.tobytes()) for ours, label in each)


def stated_answers(name: str, answers: tuple[int, ...]) -> str:
    """A macro of a header, which costs nothing unless it is used."""
    lines = [", ".join(f"0x{each:08x}" for each in answers[i : i + A_LINE]) for i in range(0, len(answers), A_LINE)]
    numbers = ", \\\n".join(lines)
    return TEXT.format(name=name.upper(), n=len(answers), factor=FACTOR, step=STEP, numbers=numbers)


def answers_in(text: str, name: str) -> tuple[int, ...]:
    """What `stated_answers` states in the text of a header; nothing for one of an earlier version."""
    match = re.search(rf"^#define {re.escape(name.upper())}_ANSWERS {{([^}}]*)}}$", text, re.MULTILINE)
    return () if match is None else tuple(int(each, 16) for each in re.findall(r"0x[0-9a-f]+", match[1]))
