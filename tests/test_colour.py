"""Colours change as torchvision changes them, each image by its own draw, and only where images have colours."""

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest
import torch
from torch import Generator, Tensor

from nas.errors import InputError, SpaceError
from nas.network.architecture import Architecture
from nas.network.kinds import flatten_head
from nas.space.candidate import Candidate
from nas.space.finding import load
from nas.training import colour
from nas.training.augment import augment
from nas.training.recipe import Augmentation, Recipe

Change = Callable[[Tensor, Tensor], Tensor]
FACTORS = torch.tensor([0.0, 0.3, 0.9, 1.0, 1.2, 2.0])
TURNS = torch.tensor([-0.5, -0.31, 0.0, 1 / 6, 0.25, 0.5])
# A few operations of float32 on numbers up to 2, in another order; a hue is divided by a difference of channels and
# multiplied by it again.
TOLERANCE = {"rtol": 0.0, "atol": 2e-6}


def images(channels: int = 3, n: int = 6) -> Tensor:
    """Noise, with greys and pure colours among it, where a hue is a limit or none at all."""
    values = torch.rand(n, channels, 13, 10, generator=Generator().manual_seed(0))
    values[:, :, 0] = values[:, :1, 0]
    values[:, :, 1] = values[:, :, 1].round()
    values[:, 1:, 2] = values[:, 1:2, 2]
    return values


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["brightness", "contrast"])
def test_values_are_torchvisions(functional: ModuleType, name: str, channels: int) -> None:
    change, theirs = getattr(colour, name), getattr(functional, f"adjust_{name}")
    for image, factor, changed in zip(images(channels), FACTORS, change(images(channels), FACTORS), strict=True):
        torch.testing.assert_close(changed, theirs(image, factor.item()), **TOLERANCE)


@pytest.mark.parametrize(("name", "parameters"), [("saturation", FACTORS), ("hue", TURNS)])
def test_colours_are_torchvisions(functional: ModuleType, name: str, parameters: Tensor) -> None:
    change, theirs = getattr(colour, name), getattr(functional, f"adjust_{name}")
    for image, parameter, changed in zip(images(), parameters, change(images(), parameters), strict=True):
        torch.testing.assert_close(changed, theirs(image, parameter.item()), **TOLERANCE)


def test_contrast_of_other_channels_is_around_the_mean_of_all() -> None:
    values = images(4) * 0.2 + 0.4
    changed = colour.contrast(values, torch.full((6,), 0.5))
    mean = values.mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(changed - mean, 0.5 * (values - mean), **TOLERANCE)


@pytest.mark.parametrize(("name", "limit"), [("brightness", 0.5), ("contrast", 0.3), ("saturation", 1.0)])
def test_factors_are_uniform_around_one(name: str, limit: float) -> None:
    """A dark image with one coloured pixel shows its factor there; a mean of 20,000 is within five standard errors."""
    values = torch.full((20_000, 3, 8, 8), 0.2)
    values[:, 0, 0, 0] = 0.3
    changed = augment(values, Augmentation(**{name: limit}), Generator().manual_seed(0))
    still = augment(values, Augmentation(**{name: 1e-9}), Generator().manual_seed(0))
    distances = {"brightness": 0.3, "contrast": 0.3 - 0.2 - 0.2989 * 0.1 / 64, "saturation": 0.1 * (1 - 0.2989)}
    factors = 1 + (changed - still)[:, 0, 0, 0] / distances[name]
    assert factors.min() == pytest.approx(1 - limit, abs=0.01)
    assert factors.max() == pytest.approx(1 + limit, abs=0.01)
    assert factors.mean().item() == pytest.approx(1, abs=5 * limit / 3**0.5 / 20_000**0.5)
    assert factors.std().item() == pytest.approx(limit / 3**0.5, rel=0.05)


def test_hues_turn_both_ways_up_to_the_limit() -> None:
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(20_000, 3, 1, 1)
    changed = augment(red, Augmentation(hue=1 / 6), Generator().manual_seed(0))[:, :, 0, 0]
    assert (changed[:, 0] > 0.999).all(), "red up to yellow and magenta"
    assert (changed[:, 1:].amin(1) < 1e-5).all(), "one way or the other"
    turns = changed[:, 1] - changed[:, 2]
    assert turns.min() == pytest.approx(-1, abs=0.01)
    assert turns.max() == pytest.approx(1, abs=0.01)
    assert turns.mean().item() == pytest.approx(0, abs=5 / 3**0.5 / 20_000**0.5)


def test_everything_stays_between_0_and_1_and_depends_on_the_generator_alone() -> None:
    everything = Augmentation(brightness=1, contrast=1, saturation=1, hue=0.5)
    before = images()
    one, other = (augment(before, everything, Generator().manual_seed(seed)) for seed in (1, 2))
    assert torch.equal(before, images())
    assert torch.equal(one, augment(before, everything, Generator().manual_seed(1)))
    assert not torch.equal(one, other)
    assert one.min() >= 0
    assert one.max() <= 1


# Images without colours -----------------------------------------------------------------------------------------------


def architecture(channels: int) -> Architecture:
    return Architecture((channels, 8, 8), 3, flatten_head(3))


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("name", ["saturation", "hue"])
def test_colours_are_refused_where_there_are_none(name: str, channels: int) -> None:
    augmentation = Augmentation(**{name: 0.2})
    with pytest.raises(InputError, match=f"{name} needs images of 3 channels.*{name}=0.2 for images of {channels}"):
        Candidate(architecture(channels), Recipe(augmentation=augmentation))
    with pytest.raises(InputError, match=f"{name} needs"):
        augment(images(channels), augmentation, Generator())
    Candidate(architecture(3), Recipe(augmentation=augmentation))
    Candidate(architecture(channels), Recipe(augmentation=replace(augmentation, **{name: 0.0}, brightness=0.2)))


def test_a_space_that_asks_for_them_is_told_its_line() -> None:
    from optuna.trial import FixedTrial

    from nas.network.cost import Budget
    from nas.space.candidate import Task

    def suggest(trial: object, task: Task) -> Candidate:
        return Candidate(architecture(1), Recipe(augmentation=Augmentation(hue=0.1)))

    with pytest.raises(SpaceError, match=r"test_colour\.py:\d+: InputError: hue needs images of 3"):
        load(suggest).suggest(FixedTrial({}), Task((1, 8, 8), 3, 1, Budget()))
