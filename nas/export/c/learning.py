"""Training a network for the whole numbers that it will be used in: what `nas.training.quantised` asks for.

The simulation is made of the very stages that become C: the same layers folded, the same scales of weights, the same
ranges of activations, rounded at the same places. What it leaves out is smaller than a rounding: that factors have 31
bits, sums 32, and means 8 more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from nas.export.c.graph import stages_of
from nas.export.c.operations import LEVELS, WEIGHT_BITS
from nas.export.c.program import IMAGE
from nas.export.c.quantise import (
    Normalisation,
    byte_coding,
    calibrate,
    codings_of,
    program_of,
    table_coding,
    uses_of,
)
from nas.export.c.reference import scores_of
from nas.export.c.stage import Calibrated, Ends, Stage, on_levels
from nas.network.architecture import Architecture
from nas.network.build import Network
from nas.training.quantised import Calibration
from nas.training.recipe import Recipe

MOST_LOSS = 0.0005


@dataclass(frozen=True)
class WholeNumbers:
    """Those of the exported C, with weights of so many bits.

    A training minds them once they cost more than `most_loss` of the images.
    """

    weight_bits: int = WEIGHT_BITS
    most_loss: float = MOST_LOSS

    def scores(self, architecture: Architecture, network: Network, data: Calibration, images: Tensor) -> Tensor:
        """What the exported C gives for images (uint8), float32, `(n, n_classes)`, on the CPU."""
        normalisation = Normalisation(data.mean, data.std)
        program = program_of(network, architecture, normalisation, data.calibration_images, self.weight_bits)
        return scores_of(program, images)

    def simulation(self, architecture: Architecture, network: Network, data: Calibration) -> Callable[[Tensor], Tensor]:
        """The network as the C would compute it with the ranges that its activations have now; it can be trained so.

        Takes images as the network does, from 0 to 1, and gives scores `(n, n_classes)`.
        """
        seen = calibrate(network, stages_of(architecture), data.calibration_images, self.weight_bits)
        of = Calibrated(network, seen.ranges, self.weight_bits)
        return Simulation(stages_of(architecture, training=True), of, Normalisation(data.mean, data.std))


def flash_of(architecture: Architecture, data: Calibration, weight_bits: int = WEIGHT_BITS) -> int:
    """Bytes of weights and tables; they do not depend on how it is trained."""
    network, normalisation = Network(architecture, data.mean, data.std), Normalisation(data.mean, data.std)
    return program_of(network, architecture, normalisation, data.calibration_images[:2], weight_bits).flash


def whole_numbers_for(recipe: Recipe) -> WholeNumbers | None:
    """In which a training with this recipe is to be good; None where it is float32."""
    return WholeNumbers(recipe.weight_bits) if recipe.quantised else None


class Simulation:
    """Stages that are computed one after the other, each as its operation would."""

    def __init__(self, stages: Sequence[Stage], of: Calibrated, normalisation: Normalisation) -> None:
        self._stages, self._of, self._normalisation = stages, of, normalisation
        self._byte_coding = byte_coding(normalisation)
        codings = codings_of(stages, of, self._byte_coding or table_coding(normalisation))
        uses = uses_of(stages, codings)
        self._ends = [
            Ends(stage.path, *between, uses[stage.path]) for stage, between in zip(stages, codings, strict=True)
        ]
        self._last_read = {source: number for number, stage in enumerate(stages) for source in stage.sources}

    def __call__(self, images: Tensor) -> Tensor:
        results = {IMAGE: self._normalised(images)}
        for number, (stage, ends) in enumerate(zip(self._stages, self._ends, strict=True)):
            results[number] = stage.simulate(self._of, [results[source] for source in stage.sources], ends)
            for source in set(stage.sources):
                if self._last_read[source] == number:
                    del results[source]
        return results[len(self._stages) - 1].flatten(1)

    def _normalised(self, images: Tensor) -> Tensor:
        """As the C has bytes of an image."""
        if self._byte_coding is not None:
            bytes_of_images = (images * LEVELS).round().clamp(0, LEVELS)
            return (bytes_of_images - self._byte_coding.zero) * self._byte_coding.scale
        network = self._of.network
        return on_levels((images - network.mean) / network.std, table_coding(self._normalisation))
