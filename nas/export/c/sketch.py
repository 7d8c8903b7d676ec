"""An architecture as the program that its export would be, with weights that mean nothing: what it takes is the same.

How many constants a program has, which functions it calls, with what, and where in memory its results lie, is decided
by the architecture. So a network with weights of no meaning is exported as any other is, with the ranges that its
results have on an image of noise: those that cannot be below 0 are not, which takes less code, and the others differ,
as those of a trained network do.
"""

import torch

from nas.export.c.operations import WEIGHT_BITS
from nas.export.c.program import Program
from nas.export.c.quantise import Normalisation, program_of
from nas.network.architecture import Architecture
from nas.network.build import Network

GREY = 0.25  # the mean and the deviation of grey images, whatever they are: a byte is a coding of its own
STEP = 2.0**-12  # by which the channels of others differ


def sketch(architecture: Architecture, weight_bits: int = WEIGHT_BITS) -> Program:
    """The program without its numbers; raises `ExportError` where C cannot have the network.

    Images of several channels are taken to have means that differ, as those of photographs do: they need a table each.
    """
    mean = tuple(GREY + STEP * channel for channel in range(architecture.input_shape[0]))
    generator = torch.Generator().manual_seed(0)  # one of its own: whoever asks has others to draw from
    image = torch.randint(256, (1, *architecture.input_shape), dtype=torch.uint8, generator=generator)
    network = _network(architecture, mean, generator)
    return program_of(network, architecture, Normalisation(mean, mean), image, weight_bits)


@torch.no_grad()
def _network(architecture: Architecture, mean: tuple[float, ...], generator: torch.Generator) -> Network:
    """With weights of either sign that keep the size of what they are given; variances are above 0, as factors are."""
    with torch.device("meta"):
        network = Network(architecture, mean, mean)
    network = network.to_empty(device="cpu")
    for name, values in network.state_dict().items():
        if not values.is_floating_point():
            values.zero_()
        elif values.ndim > 1 and "running" not in name:
            values.uniform_(-1, 1, generator=generator).div_(values[0].numel() ** 0.5)
        else:
            values.uniform_(0.2, 0.8, generator=generator)
    for values in (network.mean, network.std):
        values.copy_(torch.tensor(mean).view_as(values))
    return network
