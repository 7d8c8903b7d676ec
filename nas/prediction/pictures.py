"""Pictures of any size and kind, made into what a network takes. The report's page does the same: `picture.js`."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from nas.datasets.framing import Framing, box_of, centre_of_mass
from nas.errors import InputError

SOURCE = Path(__file__).with_name("picture.js")  # the same for browsers
# Training images whose mean is beyond these are on a dark or a light ground; between them nothing can be told.
DARK, LIGHT = 0.35, 0.65
DEEP = ("I", "F", "I;16", "I;16L", "I;16B")  # modes with more than 8 bits a channel
NOISE = 0.05  # of the edge's pixels are darker, or lighter, than all ground is
FAINT = 24  # of 255: less ink than that is none
Pixels = np.ndarray[Any, Any]


class Picture(NamedTuple):
    """`pixels`: uint8, `(channels, height, width)`, as the network takes them; `size`: width and height of the file.

    `centred`: cropped, scaled and moved to where the training images have what they show.
    """

    pixels: Tensor
    size: tuple[int, int]
    inverted: bool
    centred: bool = False


def picture(
    source: Path | Image.Image,
    shape: tuple[int, int, int],
    mean: tuple[float, ...],
    invert: bool | None = None,
    framing: Framing | None = None,
) -> Picture:
    """A picture as `(channels, height, width)` uint8.

    One that has the network's size is taken as it is, as a data set in a folder is read. Another one is turned as its
    camera says, laid on white where it is transparent, filled up at its edges to the network's proportions, and made
    smaller or larger. Where the training images all hold what they show in one way, by their `framing`, it is cropped,
    scaled and moved until its centre of mass lies where theirs does instead. A grey one is inverted where the training
    images, whose `mean` of 1 a channel is known, are on a dark ground and its edge is light, or the other way round;
    `invert` decides instead. Raises `InputError` for a file that is none.
    """
    channels, height, width = shape
    image = _opened(source)
    size = image.size
    if size != (width, height):
        image = _laid_on_white(ImageOps.exif_transpose(image))
        if framing is not None and channels == 1 and mean:
            return _centred(np.asarray(image.convert("L")), shape, mean[0], invert, framing)._replace(size=size)
        image = _filled_up(image, width / height).resize((width, height), Image.Resampling.LANCZOS)
    through = image.convert("RGBA") if image.mode == "P" else image
    pixels = np.array(through.convert("L" if channels == 1 else "RGB")).reshape(height, width, channels)
    inverted = _is_other_way_round(pixels, mean) if invert is None else invert
    return Picture(torch.from_numpy(255 - pixels if inverted else pixels).permute(2, 0, 1), size, inverted)


def _opened(source: Path | Image.Image) -> Image.Image:
    if isinstance(source, Image.Image):
        return _with_8_bits(source)
    if not source.exists():
        raise InputError(f"a picture must be a file that exists, but there is no {source}: check the path")
    try:
        with Image.open(source) as image:
            image.load()
            image.getexif()  # which is kept, while the file is open
            return _with_8_bits(image)
    except Exception as error:  # PIL's readers raise nearly anything on damaged files
        raise InputError(f"a picture must be an image file, but {source} cannot be read as one ({error})") from error


def _with_8_bits(image: Image.Image) -> Image.Image:
    if image.mode not in DEEP:
        return image
    values = np.asarray(image, dtype=np.float64)
    most = 255.0 if values.max(initial=0) <= 255 else 65535.0
    return Image.fromarray((values.clip(0, most) * (255 / most)).round().astype(np.uint8))


def _laid_on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB") if image.mode not in ("L", "RGB") else image
    whole = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")


def _filled_up(image: Image.Image, proportion: float) -> Image.Image:
    """With a margin, of the colour that its edge has mostly, so that width / height is the proportion."""
    width, height = image.size
    wanted = (max(width, round(height * proportion)), max(height, round(width / proportion)))
    if wanted == image.size:
        return image
    edge = np.median(_edge(np.asarray(image).reshape(height, width, -1)), axis=0).astype(int)
    colour: Any = tuple(edge.tolist()) if len(edge) > 1 else int(edge[0])
    whole = Image.new(image.mode, wanted, colour)
    whole.paste(image, ((wanted[0] - width) // 2, (wanted[1] - height) // 2))
    return whole


def _centred(grey: Pixels, shape: tuple[int, int, int], mean: float, invert: bool | None, framing: Framing) -> Picture:
    """What is in a grey picture as the training images would have it; an empty one as ground."""
    _, height, width = shape
    inverted = _is_other_way_round(grey[:, :, None], (mean,)) if invert is None else invert
    values = 255 - grey if inverted else grey
    dark = mean < 0.5
    ink = _ink(values if dark else 255 - values)
    whole = np.zeros((height, width), np.uint8)
    if ink.any():
        held = _scaled_to(ink, framing.size, (height, width))
        row, column = centre_of_mass(torch.from_numpy(held))
        top = _between(round_half_up(framing.row - row), height - held.shape[0])
        left = _between(round_half_up(framing.column - column), width - held.shape[1])
        whole[top : top + held.shape[0], left : left + held.shape[1]] = held
    return Picture(torch.from_numpy(whole if dark else 255 - whole)[None], (0, 0), inverted, centred=True)


def _ink(values: Pixels) -> Pixels:
    """What is lighter than the ground, which is as light as the edge mostly is, and as uneven; 255 at most.

    How uneven is told by its darker half alone: at the edge of a picture that is cut close there is ink, too.
    """
    edge = np.sort(_edge(values[:, :, None])[:, 0]).astype(np.int64)
    usual, darkest = (int(edge[int(share * (len(edge) - 1))]) for share in (0.5, NOISE))
    ink = np.maximum(values.astype(np.int64) - (2 * usual - darkest), 0)
    most = int(ink.max())
    return (ink * 255 // most if most >= FAINT else 0 * ink).astype(np.uint8)


def _scaled_to(ink: Pixels, size: int, most: tuple[int, int]) -> Pixels:
    """What is there, and nothing around it, with that longer side; thin lines become as dark as thick ones."""
    top, bottom, left, right = box_of(torch.from_numpy(ink))
    factor = size / max(bottom - top, right - left)
    height, width = (
        _between(round_half_up(length * factor) - 1, limit - 1) + 1
        for length, limit in zip((bottom - top, right - left), most, strict=True)
    )
    held = Image.fromarray(np.ascontiguousarray(ink[top:bottom, left:right]))
    scaled = np.asarray(held.resize((width, height), Image.Resampling.LANCZOS)).astype(np.int64)
    return (scaled * 255 // max(1, int(scaled.max()))).astype(np.uint8)


def round_half_up(value: float) -> int:
    """As in JavaScript."""
    return int(np.floor(value + 0.5))


def _between(value: int, most: int) -> int:
    return max(0, min(value, most))


def _edge(pixels: Pixels) -> Pixels:
    """The outermost pixels, `(n, channels)`."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def _is_other_way_round(pixels: Pixels, mean: tuple[float, ...]) -> bool:
    if len(mean) != 1:
        return False
    is_light = float(np.median(_edge(pixels))) >= 128
    return is_light if mean[0] < DARK else not is_light if mean[0] > LIGHT else False
