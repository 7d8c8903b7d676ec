"""Each function of the exported C computes what the reference does, for any numbers: not only those of networks."""

from dataclasses import replace
from itertools import pairwise
from math import prod
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from test_export_c import compiled, needs_cc, one_thread, sanitizers  # noqa: F401 - fixtures

from nas.export.c.convolving import Convolving
from nas.export.c.geometry import geometry_of
from nas.export.c.operations import Average, Blur, Coding, Convolution, Maximum, Operation, Scaling
from nas.export.c.program import IMAGE, Program, Step
from nas.export.c.reference import scores_of
from nas.export.c.source import source

Shape = tuple[int, int, int]
HEADER = "#include <stdint.h>\nint m_predict(const uint8_t image[{}], float scores[{}]);\n"
codings = st.builds(Coding, st.just(1.0), st.sampled_from([0, 0, 1, 100, 255]))
scalings = st.builds(Scaling, st.integers(2**30, 2**31 - 1), st.integers(36, 41))
any_scalings = st.builds(Scaling, st.integers(0, 2**31 - 1), st.integers(1, 62))


def behind(
    shape: Shape, channels: int, kernel: tuple[int, int], stride: int, padding: tuple[int, int], step: int
) -> Shape:
    height, width = (
        (size + 2 * p - (k - 1) * step - 1) // stride + 1 for size, k, p in zip(shape[1:], kernel, padding, strict=True)
    )
    return channels, height, width


def convolution(
    name: str, shape: Shape, coding: Coding, output: Coding | None, *, seed: int, channels: int = 2, groups: int = 1,
    kernel: tuple[int, int] = (3, 3), stride: int = 1, padding: tuple[int, int] = (0, 0), dilation: int = 1,
    scaling: Scaling | None = None, tabled: bool = False,
) -> Convolution:  # fmt: skip
    """With random weights, and factors that bring most sums to numbers between the ends."""
    generator = torch.Generator().manual_seed(seed)
    out, n = channels * groups, shape[0] // groups
    weights = torch.randint(-127, 128, (out, n, *kernel), generator=generator).to(torch.int8)
    table = tuple(torch.randint(256, (256,), generator=generator).tolist())
    return Convolution(
        *(name, shape, behind(shape, out, kernel, stride, padding, dilation), coding, output),
        **{"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation, "groups": groups},
        shared=name,
        weights=weights,
        bias=torch.randint(-(2**13), 2**13, (out,), generator=generator).to(torch.int32),
        before=output,
        scalings=() if output is None else tuple(scaling or Scaling(2**30 + 9**i, 38) for i in range(out)),
        scales=torch.rand(out, generator=generator),
        table=table if tabled else None,
    )


@st.composite
def convolutions(draw: st.DrawFn, name: str, shape: Shape, coding: Coding) -> Convolution:
    groups = draw(st.sampled_from([n for n in range(1, shape[0] + 1) if shape[0] % n == 0]))
    most = [min(9, size + 2) for size in shape[1:]]
    square = draw(st.booleans())
    kernel = (draw(st.integers(1, most[0])), draw(st.integers(1, most[1])))
    kernel = (min(kernel),) * 2 if square else kernel
    padding = tuple(draw(st.integers(max(0, -((size - k) // 2)), 3)) for size, k in zip(shape[1:], kernel, strict=True))
    padding = (max(padding),) * 2 if square else padding
    fits = all(size + 2 * p >= (k - 1) * 2 + 1 for size, k, p in zip(shape[1:], kernel, padding, strict=True))
    return convolution(
        *(name, shape, coding, draw(codings)),
        **{"seed": draw(st.integers(0, 99)), "channels": draw(st.integers(1, 3)), "groups": groups},
        **{"kernel": kernel, "stride": draw(st.integers(1, 3)), "padding": padding},
        dilation=draw(st.sampled_from([1, 1, 2])) if fits else 1,
        scaling=draw(st.one_of(scalings, scalings, any_scalings)),
        tabled=draw(st.booleans()),
    )


@st.composite
def pools(draw: st.DrawFn, name: str, shape: Shape, coding: Coding) -> Operation:
    kind = draw(st.sampled_from(["maximum", "average", "parts", "blur"]))
    if kind == "parts":
        parts = tuple(draw(st.integers(1, size)) for size in shape[1:])
        return Average(name, shape, (shape[0], *parts), coding, draw(codings), 0, 0, 0, Scaling(2**30, 38), 1.0)
    if kind == "blur":
        window, stride = draw(st.integers(1, min(2, *shape[1:]))), draw(st.integers(1, 3))
        size = behind((shape[0], shape[1] - window + 1, shape[2] - window + 1), shape[0], (1, 1), stride, (0, 0), 1)
        return Blur(name, shape, size, coding, draw(codings), stride, window, Scaling(2**30, 34))
    kernel, stride = draw(st.integers(1, min(4, *shape[1:]))), draw(st.integers(1, 3))
    padding = draw(st.integers(0, kernel // 2))
    size = behind(shape, shape[0], (kernel, kernel), stride, (padding, padding), 1)
    if kind == "maximum":
        return Maximum(name, shape, size, coding, coding, kernel, stride, padding)
    return Average(name, shape, size, coding, draw(codings), kernel, stride, padding, Scaling(2**30, 38), 1.0)


@st.composite
def chains(draw: st.DrawFn) -> tuple[Operation, ...]:
    """Up to four operations on small images, and a fully connected layer to scores."""
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 9)), draw(st.integers(1, 22)))
    coding, operations = draw(codings), list[Operation]()
    for i in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from([convolutions, convolutions, pools]))
        operations.append(draw(kind(f"op{i}", shape, coding)))
        shape, coding = operations[-1].output_shape, operations[-1].output
        assert coding is not None
    return (*operations, scored(shape, coding))


def scored(shape: Shape, coding: Coding) -> Convolution:
    n = prod(shape)
    return convolution("fc", (n, 1, 1), coding, None, seed=0, channels=3, kernel=(1, 1))


def chain(shape: Shape, *ways: dict[str, object]) -> tuple[Operation, ...]:
    coding, operations = Coding(1.0, 77), list[Operation]()
    for i, way in enumerate(ways):
        more: dict[str, object] = {"seed": i, **way}
        operations.append(convolution(f"op{i}", shape, coding, Coding(1.0, 90 + i), **more))  # type: ignore[arg-type]
        shape, coding = operations[-1].output_shape, Coding(1.0, 90 + i)
    return (*operations, scored(shape, coding))


def in_four_bits(operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """With weights of 4 bits, from -7 to 7, and sums that are brought to the same numbers all the same."""

    def packed(op: Operation) -> Operation:
        if not isinstance(op, Convolution):
            return op
        scalings = tuple(Scaling(each.multiplier, max(1, each.shift - 4)) for each in op.scalings)
        weights = (op.weights.double() * 7 / 127).round().to(torch.int8)
        return replace(op, weights=weights, bias=op.bias // 16, scalings=scalings, weight_bits=4)

    return tuple(map(packed, operations))


# A few windows alone, many of which each is worth little, and one that is wider than what is written out.
FEW = chain((1, 12, 23), {"padding": (1, 1), "channels": 5}, {"kernel": (1, 1), "channels": 7})
DEPTHWISE = chain(
    (4, 9, 14), {"groups": 4, "channels": 1, "padding": (1, 1)}, {"groups": 4, "stride": 2, "padding": (1, 1)}
)
MANY = chain(
    (2, 19, 30),
    *({"kernel": (k, k), "padding": (k // 2, k // 2), "channels": 2} for k in (1, 2, 3, 4, 5, 6, 7, 9)),
)
DILATED = chain((2, 15, 25), {"dilation": 2, "padding": (2, 2)}, {"dilation": 3, "kernel": (2, 3), "padding": (0, 5)})
OUTSIDE = chain((1, 3, 5), {"kernel": (1, 1), "padding": (3, 3)}, {"kernel": (2, 1), "padding": (4, 2), "stride": 3})
WIDE = chain((1, 1, 40_000), {"kernel": (1, 3), "stride": 2000})  # its numbers do not fit into 16 bits


@needs_cc
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(operations=st.one_of(chains(), chains().map(in_four_bits)), seed=st.integers(0, 99))
@example(operations=FEW, seed=0)
@example(operations=DEPTHWISE, seed=0)
@example(operations=MANY, seed=0)
@example(operations=DILATED, seed=0)
@example(operations=OUTSIDE, seed=0)
@example(operations=WIDE, seed=0)
@example(operations=in_four_bits(DEPTHWISE), seed=0)
@example(operations=in_four_bits(MANY), seed=0)
@example(operations=in_four_bits(DILATED), seed=0)
def test_any_operations_give_the_scores_of_the_reference(
    operations: tuple[Operation, ...],
    seed: int,
    sanitizers: tuple[str, ...],  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """At any number of a byte, and at both ends of them."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (6, *operations[0].input_shape), generator=generator, dtype=torch.uint8)
    images[0], images[1] = 0, 255
    scores, expected = compared(operations, images, tmp_path_factory.mktemp("c"), sanitizers)
    assert torch.equal(scores, expected)


def compared(
    operations: tuple[Operation, ...], images: torch.Tensor, folder: Path, options: tuple[str, ...]
) -> tuple[torch.Tensor, torch.Tensor]:
    program = Program(tuple(Step(op, (IMAGE + i,)) for i, op in enumerate(operations)), operations[-1].n_out)
    (folder / "m.h").write_text(HEADER.format(operations[0].n_in, program.n_classes))
    (folder / "m.c").write_text(source(program, "m"))
    command = compiled.compiler()
    assert command is not None
    return compiled.run(command, "m", folder, images, program.n_classes, options)[0], scores_of(program, images)


# Which functions ------------------------------------------------------------------------------------------------------


def convolving(operations: tuple[Operation, ...]) -> Convolving:
    return Convolving(geometry_of(op) for op in operations if isinstance(op, Convolution))


def test_windows_are_written_out_where_they_are_worth_their_flash() -> None:
    assert set(convolving(FEW).functions.values()) == {"row_1", "row_3"}
    assert set(convolving(DEPTHWISE).functions.values()) == {"row_3", "row_3_by_2"}
    many = convolving(MANY).functions
    assert {window.width for window, function in many.items() if function == "row_of_any"} >= {1, 2, 9}
    assert {window.width for window, function in many.items() if function == f"row_{window.width}"} >= {6, 7}


def test_what_no_convolution_needs_is_not_in_the_source() -> None:
    plain = chain((1, 9, 9), {}, {"stride": 2})
    texts = text_of(plain), text_of(DILATED), text_of(FEW)
    for word, where in {"padding": (False, True, True), "dilation": (False, True, False)}.items():
        assert tuple(word in text for text in texts) == where


def text_of(operations: tuple[Operation, ...]) -> str:
    return source(Program(tuple(Step(op, (IMAGE + i,)) for i, op in enumerate(operations)), 3), "m")


def test_one_wide_shift_brings_the_longer_way_to_round() -> None:
    assert "int64_t number" not in text_of(FEW)
    first, *others = FEW
    assert isinstance(first, Convolution)
    scalings = (Scaling(2**30, 32), *first.scalings[1:])
    assert "int64_t number" in text_of((replace(first, scalings=scalings), *others))


def test_descriptors_hold_numbers_of_16_bits_where_they_are_enough() -> None:
    assert "int16_t channels" in text_of(FEW)
    assert "int32_t channels" in text_of(WIDE)


def test_operations_follow_each_other() -> None:
    for operations in (FEW, DEPTHWISE, MANY, DILATED, OUTSIDE, WIDE):
        for one, other in pairwise(operations):
            assert prod(one.output_shape) == prod(other.input_shape)
