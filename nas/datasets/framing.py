"""Whether the images of a data set all hold what they show in one way: as large, and with its mass in one place.

MNIST's are: each digit was scaled to 20 pixels on its longer side and moved until its centre of mass lay in the middle
(LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition", section III A). A network that has seen
nothing else takes a digit for another one where it is larger, or elsewhere.
"""

from typing import NamedTuple

import torch
from torch import Tensor

N_LOOKED_AT = 2000
N_NEEDED = 20  # images of which it can be told
SHARE = 0.95  # that are alike
NEAR = 1.0  # pixels between those that are alike
MARGIN = 2  # pixels of ground that must be left along the longer side
INK = 4  # a quarter of the most ink is where something begins


class Framing(NamedTuple):
    """`size`: pixels of the longer side. `row` and `column`: of the centre of mass, from 0, between pixels too."""

    size: int
    row: float
    column: float

    @property
    def words(self) -> str:
        """How images are held, in words."""
        return f"{self.size} pixels along the longer side, centred by mass"


def framing_of(images: Tensor) -> Framing | None:
    """How they hold what they show, if in one way; None if not, or if they are in colour.

    `images`: uint8, `(n, channels, height, width)`. Told by some of them, evenly chosen.
    """
    n, channels, height, width = images.shape
    if channels != 1 or n < N_NEEDED:
        return None
    some = images[:: max(1, n // N_LOOKED_AT), 0]
    ink = some if is_dark(images) else 255 - some
    held = torch.tensor([_held(each) for each in ink if each.any()])
    if len(held) < N_NEEDED:
        return None
    usual = held.median(0).values
    alike = ((held - usual).abs() <= NEAR).all(1).double().mean()
    size, row, column = usual.tolist()
    if alike < SHARE or size > min(height, width) - MARGIN:
        return None
    row, column = held[:, 1:].mean(0).tolist()
    return Framing(round(size), round(row, 2), round(column, 2))


def is_dark(images: Tensor) -> bool:
    """Whether they are light on a dark ground, on the whole."""
    return bool(images[:: max(1, len(images) // N_LOOKED_AT)].double().mean() < 127.5)


def _held(ink: Tensor) -> tuple[float, float, float]:
    top, bottom, left, right = box_of(ink)
    return (float(max(bottom - top, right - left)), *centre_of_mass(ink))


def box_of(ink: Tensor) -> tuple[int, int, int, int]:
    """The first and last row, and column, in which there is something, the last one exclusive; `(height, width)`."""
    there = INK * ink.long() > int(ink.max())
    rows, columns = there.any(1).nonzero(), there.any(0).nonzero()
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def centre_of_mass(ink: Tensor) -> tuple[float, float]:
    """Row and column, of `(height, width)` of which not all is 0."""
    mass, (height, width) = ink.double(), ink.shape
    row = (mass.sum(1) * torch.arange(height)).sum() / mass.sum()
    column = (mass.sum(0) * torch.arange(width)).sum() / mass.sum()
    return row.item(), column.item()
