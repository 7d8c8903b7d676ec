"""An architecture as the program that its export would be, with numbers that mean nothing: what it takes is the same.

How many constants a program has, which functions it calls, with what, and where in memory its results lie, is decided
by the architecture. So the stages are asked for their operations as in an export, of a network whose weights are all 1,
and with a range of its own for each result, since equal codings of different results would be taken for one.
"""

from collections.abc import Sequence

import torch

from nas.export.c.graph import stages_of
from nas.export.c.program import Program
from nas.export.c.quantise import Normalisation, assembled
from nas.export.c.stage import Calibrated, Stage
from nas.export.c.weights import LARGEST_WEIGHT
from nas.network.architecture import Architecture
from nas.network.build import Network
from nas.network.kinds import Activation

GREY = 0.25  # the mean and the deviation of grey images, whatever they are: a byte is a coding of its own
STEP = 2.0**-12  # by which the ranges of results differ


class _Ranges(dict[str, tuple[float, float]]):
    """A range for whatever is asked for, from 0 on behind a ReLU: 0 takes less code than other numbers."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        super().__init__()
        last = (stage.layers[-1] for stage in stages)
        self._never_below_0 = {path for path, layer in last if layer.spec == Activation("relu")}

    def __missing__(self, name: str) -> tuple[float, float]:
        self[name] = 0.0 if name in self._never_below_0 else -1.0, 5.0 + STEP * len(self)
        return self[name]


def sketch(architecture: Architecture) -> Program:
    """The program without its numbers; raises `ExportError` where C cannot have the network.

    Images of several channels are taken to have means that differ, as those of photographs do: they need a table each.
    """
    n_channels = architecture.input_shape[0]
    mean = tuple(GREY + STEP * channel for channel in range(n_channels))
    with torch.no_grad():
        network = _network(architecture, mean)
        stages = stages_of(architecture)
        calibrated = Calibrated(network, _Ranges(stages), LARGEST_WEIGHT)
        return assembled(architecture, Normalisation(mean, mean), stages, calibrated)


def _network(architecture: Architecture, mean: tuple[float, ...]) -> Network:
    """Without drawing its weights, which would take long and disturb other draws."""
    with torch.device("meta"):
        network = Network(architecture, mean, mean)
    network = network.to_empty(device="cpu").double().eval()
    for values in (*network.parameters(), *network.buffers()):
        values.fill_(1)
    return network
