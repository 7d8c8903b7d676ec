"""Random numbers with limits of each image's own, from a generator."""

import torch
from torch import Generator, Tensor


def below(limits: Tensor, generator: Generator) -> Tensor:
    """Whole numbers from 0 to below each of the whole `limits`."""
    return torch.randint(0, 2**31, limits.shape, generator=generator, device=limits.device) % limits


def between(low: float, high: float, shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Numbers that are uniform from `low` to `high`, on the generator's device."""
    return torch.rand(shape, generator=generator, device=generator.device) * (high - low) + low
