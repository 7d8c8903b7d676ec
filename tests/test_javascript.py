"""The network in a browser: the scores of the trained one, for any network that a space can make."""

from collections.abc import Sequence
from itertools import islice

import numpy as np
import pytest
import torch
from frozen_models import B5, EVERYTHING, TINY, frozen, network_of
from hypothesis import example, given, settings
from javascript import needs_node, run
from PIL import Image, ImageDraw
from shipped_spaces import SPACES
from strategies import architectures
from test_blocks import branching
from test_export_c_blocks import DEEP, GROWING
from test_predict import photograph

from nas.datasets.dataset import Dataset
from nas.datasets.framing import Framing
from nas.errors import ExportError
from nas.export.c.stages import STAGES, Added, Concatenated, Elementwise
from nas.export.javascript import SOURCE, STEPS, network_data, refuses
from nas.network.architecture import Architecture
from nas.network.blocks import Repeat
from nas.network.cost import Budget, cost_of
from nas.network.kinds import Activation, BatchNorm, Conv, gap_head
from nas.network.pools import GemPool
from nas.prediction.pictures import SOURCE as PICTURE_SOURCE
from nas.prediction.pictures import picture
from nas.space import finding
from nas.space.candidate import Task
from nas.space.probing import random_candidates

TOLERANCE = 5e-6  # of the largest score; what random weights make of two images may differ by little more
SCORES = """return given.map(({data, images}) => {
    const network = networkOf(data);
    return images.map((image) => [...network(image)]);
});"""
pytestmark = needs_node


def check(tried: Sequence[Architecture], n: int) -> None:
    """The page's scores of random images are those of the trained networks, and so are the classes."""
    generator = torch.Generator().manual_seed(0)
    models = [frozen(architecture) for architecture in tried]
    images = [torch.randint(0, 256, (n, *a.input_shape), generator=generator, dtype=torch.uint8) for a in tried]
    asked = [
        {"data": network_data(model), "images": some.flatten(1).tolist()}
        for model, some in zip(models, images, strict=True)
    ]
    for model, some, answer in zip(models, images, run([SOURCE], SCORES, asked), strict=True):
        with torch.no_grad():
            wanted = network_of(model).double()(some.double() / 255)
        scores = torch.tensor(answer, dtype=torch.float64)
        tolerance = TOLERANCE * max(1.0, wanted.abs().max().item())
        torch.testing.assert_close(scores, wanted, rtol=0, atol=tolerance, msg=str(model.architecture))
        first, second = wanted.topk(2).values.T
        clear = first - second > 2 * tolerance
        assert torch.equal(scores.argmax(1)[clear], wanted.argmax(1)[clear])


def test_shipped_and_odd_networks_have_the_scores_of_the_trained_ones() -> None:
    check([TINY, EVERYTHING, DEEP, GROWING], 100)
    check([B5], 20)


@pytest.mark.parametrize("name", SPACES)
def test_networks_of_every_space_have_the_scores_of_the_trained_ones(name: str) -> None:
    task = Task((1, 28, 28), 10, 5, Budget(4_000))
    candidates = (candidate.architecture for candidate, _ in random_candidates(finding.load(name), task))
    small = (each for each in candidates if cost_of(each).macs < 1_000_000 and refuses(each) is None)
    check(list(islice(small, 3)), 100)


@settings(max_examples=25)
@example(DEEP)
@given(architectures() | branching())
def test_any_network_has_the_scores_of_the_trained_one(architecture: Architecture) -> None:
    if refuses(architecture) is None:
        check([architecture], 3)


def test_what_c_computes_is_computed_and_nothing_is_said_to_be_that_is_not() -> None:
    assert set(STAGES.values()) | {Added, Concatenated, Elementwise} == set(STEPS)
    without = Architecture((1, 9, 9), 3, (Conv(4), *gap_head(3, pool=GemPool())))
    reason = refuses(without)
    assert reason is not None
    assert "gem_pool" in reason
    with pytest.raises(ExportError, match="gem_pool"):
        network_data(frozen(without))


def test_weights_that_are_used_several_times_are_there_once() -> None:
    body = (Conv(4, 3, padding=1, bias=False), BatchNorm(), Activation("silu"))

    def size(times: int) -> int:
        layers = (Conv(4), Repeat(body, times), *gap_head(3))
        return len(network_data(frozen(Architecture((1, 9, 9), 3, layers)))["numbers"])

    of_norm = 4 * (4 + 4) * 4 / 3  # a factor and a shift a channel, as text
    assert size(3) - size(2) == pytest.approx(of_norm, abs=4)


# Pictures -------------------------------------------------------------------------------------------------------------

PICTURES = "return given.map(({takes, pixels}) => pictureFor(takes, pixels))"


def drawings(mnist: Dataset) -> list[Image.Image]:
    """Of all sizes and kinds: photographs of digits, drawn ones, in colour, transparent, empty, of one pixel."""
    random = np.random.default_rng(0)
    colours = Image.fromarray(random.integers(0, 256, (40, 61, 3), dtype=np.uint8))
    drawn = Image.new("RGB", (280, 280), "white")
    ImageDraw.Draw(drawn).line([(60, 50), (200, 60), (120, 240)], fill="black", width=12)
    clear = Image.new("RGBA", (90, 70))
    ImageDraw.Draw(clear).ellipse([10, 10, 40, 60], outline=(0, 0, 0, 255), width=5)
    digits = [Image.fromarray(image) for image in mnist.images[4000:4003, 0].numpy()]
    photos = [photograph(image, seed) for seed, image in enumerate(mnist.images[4000:4003, 0].numpy())]
    large = [each.resize((300, 200), Image.Resampling.BICUBIC) for each in digits]
    return [*photos, *large, *digits, colours, drawn, clear, Image.new("L", (50, 20), 255), Image.new("L", (1, 1), 9)]


@pytest.mark.parametrize("framing", [None, Framing(20, 14.0, 14.0)])
@pytest.mark.parametrize(
    ("shape", "mean"), [((1, 28, 28), (0.13,)), ((1, 24, 30), (0.8,)), ((1, 28, 28), (0.5,)), ((3, 28, 20), (0.5,) * 3)]
)
def test_a_picture_becomes_in_a_browser_what_it_becomes_here(
    mnist: Dataset, shape: tuple[int, int, int], mean: tuple[float, ...], framing: Framing | None
) -> None:
    pictures = drawings(mnist)
    channels, height, width = shape
    takes = {"channels": channels, "height": height, "width": width, "mean": mean, "framing": framing}
    asked = [
        {
            "takes": takes,
            "pixels": {"width": each.width, "height": each.height, "data": list(each.convert("RGBA").tobytes())},
        }
        for each in pictures
    ]
    for each, answer in zip(pictures, run([PICTURE_SOURCE], PICTURES, asked), strict=True):
        wanted = picture(each, shape, mean, framing=framing)
        found = np.array(answer["bytes"]).reshape(shape)
        assert (answer["inverted"], answer["centred"]) == (wanted.inverted, wanted.centred)
        # Bytes are rounded in between: after a contrast is stretched such a one may be two or three.
        assert np.abs(found - wanted.pixels.numpy().astype(int)).max() <= 3, each
