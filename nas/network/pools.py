"""Kinds of pooling besides the plain ones of `nas.network.kinds`: with a blur before striding, and other global ones.

What they become is a torch module of `nas.network.modules`, whose source an exported file gets.
"""

from dataclasses import dataclass

from nas.errors import ArchitectureError
from nas.network.kinds import Constructor, Free, Shape, at_least, image


@dataclass(frozen=True)
class _OwnPool(Free):
    label = "pool"
    opens_a_line = True


@dataclass(frozen=True)
class BlurPool(_OwnPool):
    """A blur over 3×3 pixels, of which every `stride`-th is kept (Zhang 2019, "Making Convolutional Networks
    Shift-Invariant Again").

    The weights are (1, 2, 1) / 4 along each side; beyond the edge the last pixel goes on. `maximum`: the blur is of the
    maxima of all windows of 2×2, as in a max pool, which makes the image a pixel smaller before it is strided.
    """

    kind = "blur_pool"
    stride: int = 2  # pixels from one that is kept to the next
    maximum: bool = True  # whether maxima over 2×2 pixels are blurred, or the pixels themselves

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "stride")

    def output_shape(self, shape: Shape) -> Shape:
        channels, *sizes = image(self, shape)
        if self.maximum and min(sizes) < 2:
            raise ArchitectureError(
                f"a window must fit into its input, but {self.describe()} got {sizes[0]}×{sizes[1]}: pool less"
            )
        return channels, *((size - self.maximum - 1) // self.stride + 1 for size in sizes)

    def constructor(self, shape: Shape) -> Constructor:
        return Constructor("BlurPool", (self.stride,), {"maximum": self.maximum}, of_torch=False)

    def describe(self) -> str:
        return f"{'max ' * self.maximum}blur pool" + f" s{self.stride}" * (self.stride != 2)


@dataclass(frozen=True)
class MaxAvgPool(_OwnPool):
    """The mean of a channel's largest number and its average: one number a channel."""

    kind = "max_avg_pool"

    def output_shape(self, shape: Shape) -> Shape:
        return (image(self, shape)[0], 1, 1)

    def constructor(self, shape: Shape) -> Constructor:
        return Constructor("MaxAvgPool", of_torch=False)

    def describe(self) -> str:
        return "global max and average pool"


@dataclass(frozen=True)
class GemPool(_OwnPool):
    """The generalised mean with a learned power, between the average (1) and the maximum: one number a channel.

    Radenović, Tolias and Chum 2018, "Fine-tuning CNN Image Retrieval with No Human Annotation". Numbers below a
    millionth count as that; the power is at least 1.
    """

    kind = "gem_pool"
    start: float = 3.0  # the power before the training, at least 1

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "start")

    def output_shape(self, shape: Shape) -> Shape:
        return (image(self, shape)[0], 1, 1)

    def params(self, shape: Shape) -> int:
        return 1

    def constructor(self, shape: Shape) -> Constructor:
        return Constructor("GemPool", (), {"start": self.start}, of_torch=False)

    def describe(self) -> str:
        return "global GeM pool"
