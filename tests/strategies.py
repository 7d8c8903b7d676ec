"""Hypothesis strategies: any architecture, augmentation and recipe that can be written down."""

from hypothesis import strategies as st

from nas.network.architecture import Architecture
from nas.network.blocks import ChannelScale, ChannelShuffle, PReLU, SqueezeExcite
from nas.network.kinds import (
    KINDS,
    Activation,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Conv,
    DepthwiseConv,
    Dropout,
    Dropout2d,
    Flatten,
    LayerSpec,
    Linear,
    MaxPool,
    Shape,
    Size,
    conv_head,
    depthwise_separable,
    flatten_head,
    gap_head,
    pair,
)
from nas.network.pools import BlurPool, GemPool, MaxAvgPool
from nas.training.recipe import Augmentation, Recipe

ACTIVATIONS = ("relu", "leaky_relu", "elu", "gelu", "silu", "hardswish")

Layers = tuple[LayerSpec, ...]
CHAINED = {name: kind for name, kind in KINDS.items() if kind.__module__ == LayerSpec.__module__}  # not blocks
rates = st.floats(0, 0.9)
small = st.integers(1, 4)
activations = st.builds(Activation, st.sampled_from(ACTIVATIONS))


@st.composite
def windows(draw: st.DrawFn, shape: Shape, most_padding: int = 2) -> tuple[int, int]:
    """A kernel that fits into the image, and its padding."""
    padding = draw(st.integers(0, most_padding))
    return draw(st.integers(1, min(5, min(shape[1:]) + 2 * padding))), padding


@st.composite
def convolutions(draw: st.DrawFn, shape: Shape) -> Layers:
    kernel, padding = draw(windows(shape))
    groups = draw(st.sampled_from([n for n in range(1, shape[0] + 1) if shape[0] % n == 0]))
    return (Conv(groups * draw(small), kernel, draw(st.integers(1, 3)), padding, groups, draw(st.booleans())),)


@st.composite
def depthwise_convolutions(draw: st.DrawFn, shape: Shape) -> Layers:
    kernel, padding = draw(windows(shape))
    stride, bias = draw(st.integers(1, 3)), draw(st.booleans())
    if draw(st.booleans()):
        return depthwise_separable(draw(small), kernel, stride, padding, bias=bias)
    return (DepthwiseConv(kernel, stride, padding, bias),)


@st.composite
def pools(draw: st.DrawFn, shape: Shape) -> Layers:
    kernel = draw(st.integers(1, min(4, min(shape[1:]))))
    padding = draw(st.integers(0, kernel // 2))
    return (draw(st.sampled_from([MaxPool, AvgPool]))(kernel, draw(st.integers(0, 3)), padding),)


def single(*strategies: st.SearchStrategy[LayerSpec]) -> st.SearchStrategy[Layers]:
    return st.one_of(strategies).map(lambda spec: (spec,))


@st.composite
def sizes(draw: st.DrawFn, low: int, high: int) -> Size:
    return draw(st.one_of(st.integers(low, high), st.tuples(st.integers(low, high), st.integers(low, high))))


@st.composite
def unusual_convolutions(draw: st.DrawFn, shape: Shape) -> Layers:
    """Rectangular and dilated ones."""
    dilation, padding = draw(st.integers(1, 3)), draw(sizes(0, 3))
    most = [min(5, (size + 2 * by - 1) // dilation + 1) for size, by in zip(shape[1:], pair(padding), strict=True)]
    kernel = draw(st.tuples(*(st.integers(1, each) for each in most)))
    stride, bias = draw(st.integers(1, 2)), draw(st.booleans())
    if draw(st.booleans()):
        return (DepthwiseConv(kernel, stride, padding, bias, dilation),)
    return (Conv(draw(small), kernel, stride, padding, 1, bias, dilation),)


def own_layers(shape: Shape) -> st.SearchStrategy[Layers]:
    """Layers that torch does not have, or has in another form."""
    own: list[LayerSpec] = [SqueezeExcite(2), ChannelScale(0.5), PReLU(0.1), BlurPool(maximum=False)]
    own += [MaxAvgPool(), GemPool(2.0)]
    if min(shape[1:]) > 1:
        own += [BlurPool(), BlurPool(1)]
    if shape[0] % 2 == 0:
        own.append(ChannelShuffle(2))
    return st.one_of(single(st.sampled_from(own)), unusual_convolutions(shape))


def image_layers(shape: Shape) -> st.SearchStrategy[Layers]:
    """One layer, or a depthwise-separable pair, that can stand behind an image of this shape."""
    return st.one_of(
        convolutions(shape),
        depthwise_convolutions(shape),
        pools(shape),
        single(
            st.builds(BatchNorm, st.booleans()),
            activations,
            st.builds(AdaptiveAvgPool, st.integers(1, 6)),
            st.builds(Dropout, rates),
            st.builds(Dropout2d, rates),
        ),
    )


@st.composite
def own_heads(draw: st.DrawFn, n_classes: int) -> Layers:
    """A head with anything that can stand behind a flattening, batch norm too."""
    flat = st.one_of(
        st.builds(Linear, st.integers(1, 8), st.booleans()),
        st.builds(BatchNorm, st.booleans()),
        activations,
        st.builds(Dropout, rates),
    )
    return Flatten(), *draw(st.lists(flat, max_size=4)), Linear(n_classes, draw(st.booleans()))


@st.composite
def heads(draw: st.DrawFn, n_classes: int) -> Layers:
    hidden = draw(st.lists(st.integers(1, 8), max_size=2))
    return draw(
        st.sampled_from(
            [
                flatten_head(n_classes, hidden),
                gap_head(n_classes, hidden, draw(st.integers(1, 6)), draw(rates)),
                conv_head(n_classes),
                draw(own_heads(n_classes)),
            ]
        )
    )


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    """Any chain of up to eight layers or pairs of them, with any head."""
    shape: Shape = (draw(small), draw(st.integers(3, 16)), draw(st.integers(3, 16)))
    n_classes = draw(st.integers(2, 7))
    layers: list[LayerSpec] = []
    current = shape
    for _ in range(draw(st.integers(0, 8))):
        for spec in draw(image_layers(current)):
            layers.append(spec)
            current = spec.output_shape(current)
    return Architecture(shape, n_classes, (*layers, *draw(heads(n_classes))))


augmentations = st.builds(
    Augmentation,
    rotation=st.floats(0, 180),
    translation=st.floats(0, 1),
    scale=st.floats(0, 0.99),
    crop=st.integers(0, 40),
    crop_probability=st.floats(0, 1),
    crop_position=st.sampled_from(["centre", "random"]),
    elastic=st.sampled_from([0.0, 0.5, 3.0]),
    elastic_sigma=st.floats(0.1, 10),
    flip=st.floats(0, 1),
    brightness=st.floats(0, 1),
    contrast=st.floats(0, 1),
    erasing=st.floats(0, 1),
    cutout=st.integers(0, 40),
    mixup=st.sampled_from([0.0, 0.2, 1.0]),
    cutmix=st.sampled_from([0.0, 1.0, 5.0]),
)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    momentum = draw(st.floats(0, 0.999))
    return Recipe(
        epochs=draw(st.integers(1, 40)),
        batch_size=draw(st.integers(2, 1024)),
        optimizer=draw(st.sampled_from(["sgd", "adam", "adamw", "rmsprop", "nadam", "muon"])),
        lr=draw(st.floats(1e-6, 10)),
        momentum=momentum,
        nesterov=draw(st.booleans()) if momentum > 0 else False,
        weight_decay=draw(st.sampled_from([0.0, 1e-4, 0.1])),
        decay_all=draw(st.booleans()),
        schedule=draw(st.sampled_from(["constant", "step", "onecycle", "cosine", "linear"])),
        warmup=draw(st.floats(0, 0.99)),
        step_epochs=draw(st.integers(1, 40)),
        step_factor=draw(st.sampled_from([0.0, 0.1, 1.0, 2.0])),
        label_smoothing=draw(st.floats(0, 0.5)),
        ema=draw(st.sampled_from([0.0, 0.5, 3.0])),
        dropout_schedule=draw(st.sampled_from(["constant", "rising", "falling"])),
        augmentation=draw(augmentations),
        teacher_weight=draw(st.sampled_from([0.0, 0.3, 1.0])),
        temperature=draw(st.sampled_from([0.5, 4.0, 20.0])),
    )
