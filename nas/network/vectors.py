"""Vector instructions for bfloat16 that numba does not make by itself, written in LLVM's language.

What they work on are planes. A plane holds the pixels of one channel of an image, row by row; a plane of pairs those of
two channels, beside each other in one uint32, the first in its lower half. The instruction that all this is for,
`vdpbf16ps`, multiplies 32 pairs of bfloat16 at once and adds them up in float32, two to a sum, so that with pixels in
its lanes it wastes nothing, whatever the number of channels is.

For CPUs with AVX512-BF16. Nothing here checks bounds: `nas.network.convolution` makes its arrays large enough.
"""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, misc"
# numba infers the types of what it compiles, and has no annotations for it.

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

PIXELS = 16  # of a plane of pairs in one register
TILE = 2 * PIXELS  # of a plane of pairs that `multiply` takes at once
MOST_ROWS = 14  # channels that `multiply` makes at once: with their sums registers are full
SUMMED_GRADIENTS, SUMMED_TAPS = 4, 6  # of which `correlate` forms all products at once
CHANNELS = 2 * PIXELS  # that `to_planes` and `to_pixels` take at most

BIT, SHORT, WORD, LONG = (ir.IntType(n) for n in (1, 16, 32, 64))
FLOATS, WORDS = ir.VectorType(ir.FloatType(), 16), ir.VectorType(WORD, 16)
SHORTS, MASK = ir.VectorType(SHORT, 32), ir.VectorType(BIT, 32)
ANYWHERE = ir.PointerType()


def _long(value: int) -> Any:
    return ir.Constant(LONG, value)


def _all(value: int) -> Any:
    return ir.Constant(WORDS, [value] * 16)


class _Code:
    """The instructions of one function, as numba's code generator hands it over."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.context, self.builder, self.types, self.arguments = context, builder, signature.args, arguments

    def array(self, argument: int) -> Any:
        """The argument of this number."""
        return self.context.make_array(self.types[argument])(self.context, self.builder, self.arguments[argument])

    def address(self, argument: int, index: Any = None) -> Any:
        """Of an element of an array; its index is the argument behind the array unless it is told."""
        return self.builder.gep(self.array(argument).data, [self.arguments[argument + 1] if index is None else index])

    def behind(self, address: Any, *steps: Any) -> Any:
        """The address so many elements further: the product of the steps."""
        offset = _long(1)
        for step in steps:
            offset = self.builder.mul(offset, _long(step) if isinstance(step, int) else step)
        return self.builder.gep(address, [offset])

    @contextmanager
    def loop(self, n: Any, step: int, values: list[Any]) -> Iterator[tuple[Any, list[Any]]]:
        """Over 0, `step`, ... below `n`, which must be above 0; `values` are those that each round replaces."""
        before, body = self.builder.block, self.builder.append_basic_block("body")
        self.builder.branch(body)
        self.builder.position_at_end(body)
        index, *entering = [self.builder.phi(kind) for kind in (LONG, *(value.type for value in values))]
        changed = list(entering)
        yield index, changed
        following = self.builder.add(index, _long(step))
        for phi, first, later in zip((index, *entering), (_long(0), *values), (following, *changed), strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(later, self.builder.block)
        after = self.builder.append_basic_block("after")
        self.builder.cbranch(self.builder.icmp_signed("<", following, n), body, after)
        self.builder.position_at_end(after)

    def load(self, address: Any, kind: Any = WORDS, align: int = 4) -> Any:
        return self.builder.load(self.builder.bitcast(address, kind.as_pointer()), align=align)

    def store(self, value: Any, address: Any, align: int = 4) -> None:
        self.builder.store(value, self.builder.bitcast(address, value.type.as_pointer()), align=align)

    def call(self, name: str, result: Any, *arguments: Any) -> Any:
        kind = ir.FunctionType(result, [each.type for each in arguments])
        return self.builder.call(get_or_insert_function(self.builder.module, kind, name), arguments)

    def mask(self, n: Any) -> Any:
        """As a word: ones in the lower `n` of its 32 bits."""
        ones = self.builder.sub(
            self.builder.shl(ir.Constant(WORD, 1), self.builder.trunc(n, WORD)), ir.Constant(WORD, 1)
        )
        return self.builder.select(self.builder.icmp_signed(">=", n, _long(32)), ir.Constant(WORD, -1), ones)

    def load_masked(self, address: Any, mask: Any) -> Any:
        """32 shorts; 0 and not read where the mask is 0."""
        arguments = (self.builder.bitcast(address, ANYWHERE), ir.Constant(WORD, 2), self.builder.bitcast(mask, MASK))
        return self.call("llvm.masked.load.v32i16.p0", SHORTS, *arguments, ir.Constant(SHORTS, [0] * 32))

    def store_masked(self, value: Any, address: Any, mask: Any) -> None:
        arguments = (self.builder.bitcast(address, ANYWHERE), ir.Constant(WORD, 2), self.builder.bitcast(mask, MASK))
        self.call("llvm.masked.store.v32i16.p0", ir.VoidType(), value, *arguments)

    def splat(self, value: Any, kind: Any) -> Any:
        nothing = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(nothing, value, ir.Constant(WORD, 0))
        return self.shuffle(first, nothing, [0] * 16)

    def shuffle(self, one: Any, other: Any, order: list[int]) -> Any:
        return self.builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(WORD, len(order)), order))

    def multiply_add(self, sums: Any, one: Any, other: Any) -> Any:
        """Each of 16 sums plus two products of bfloat16, added one after the other in float32."""
        return self.call("llvm.x86.avx512bf16.dpbf16ps.512", FLOATS, sums, one, other)

    def rounded(self, values: Any) -> Any:
        """16 floats as words whose upper halves are the nearest bfloat16, ties to even."""
        bits = self.builder.bitcast(values, WORDS)
        last = self.builder.and_(self.builder.lshr(bits, _all(16)), _all(1))
        return self.builder.add(bits, self.builder.add(last, _all(0x7FFF)))

    def transposed(self, rows: list[Any]) -> list[Any]:
        """16 registers of 16 words: the columns of those given."""
        fours = []
        for i in range(0, 16, 4):
            low = [self._in_quarters(rows[i + j], rows[i + j + 1], (0, 16, 1, 17)) for j in (0, 2)]
            high = [self._in_quarters(rows[i + j], rows[i + j + 1], (2, 18, 3, 19)) for j in (0, 2)]
            for pairs in (low, high):
                fours += [self._in_quarters(*pairs, (0, 1, 16, 17)), self._in_quarters(*pairs, (2, 3, 18, 19))]
        # Of rows 4i to 4i + 3, `fours[4 * i + j]` has columns j, j + 4, j + 8 and j + 12, a quarter each.
        columns: list[Any] = [None] * 16
        for j in range(4):
            for odd in (0, 1):
                halves = [self._every_second(fours[i + j], fours[i + j + 4], odd) for i in (0, 8)]
                columns[4 * odd + j] = self._every_second(*halves, 0)
                columns[4 * odd + j + 8] = self._every_second(*halves, 1)
        return columns

    def _in_quarters(self, one: Any, other: Any, order: tuple[int, ...]) -> Any:
        return self.shuffle(one, other, [4 * quarter + i for quarter in range(4) for i in order])

    def _every_second(self, one: Any, other: Any, first: int) -> Any:
        """Of the eight quarters of both every second one."""
        return self.shuffle(one, other, [4 * quarter + i for quarter in range(first, 8, 2) for i in range(4)])


@intrinsic
def multiply(_, planes, at, taps, weights, weights_at, start, start_at, rows, out, out_at, out_length):
    """TILE pixels of `rows` channels of a convolution, from planes of pairs to planes of pairs of length `out_length`.

    `taps` are the distances from a pixel to those that it is made of; `weights` the pairs of weights, for each tap one
    for each channel; the sum of a channel begins at its number in `start`. `rows` is even, and at most MOST_ROWS.
    """
    whole = types.int64
    taken = (planes, whole, taps, weights, whole, start, whole, whole, out, whole, whole)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Code(context, builder, signature, arguments)
        done, other = builder.append_basic_block("done"), builder.append_basic_block("other")
        choice = builder.switch(arguments[7], other)
        for n_rows in range(2, MOST_ROWS + 1, 2):
            choice.add_case(_long(n_rows), block := builder.append_basic_block("rows"))
            builder.position_at_end(block)
            _multiply_rows(code, n_rows)
            builder.branch(done)
        builder.position_at_end(other)
        builder.unreachable()
        builder.position_at_end(done)
        return context.get_dummy_value()

    return types.void(*taken), generate


def _multiply_rows(code: _Code, n_rows: int) -> None:
    pixels, weights, start = code.address(0), code.address(3), code.address(5)
    taps, n_taps = code.address(2, _long(0)), code.array(2).nitems
    begun = [code.splat(code.builder.load(code.behind(start, row)), FLOATS) for row in range(n_rows)]
    with code.loop(n_taps, 1, [each for each in begun for _ in range(2)]) as (tap, sums):
        there = code.behind(pixels, code.builder.load(code.behind(taps, tap)))
        parts = [code.load(code.behind(there, i * PIXELS)) for i in range(2)]
        of_tap = code.behind(weights, tap, n_rows)
        for row in range(n_rows):
            weight = code.splat(code.builder.load(code.behind(of_tap, row)), WORDS)
            for i in range(2):
                sums[2 * row + i] = code.multiply_add(sums[2 * row + i], parts[i], weight)
    out, out_length = code.address(8), code.arguments[10]
    for pair in range(n_rows // 2):
        for i in range(2):
            lower, upper = (code.rounded(sums[4 * pair + 2 * odd + i]) for odd in (0, 1))
            upper = code.builder.and_(upper, _all(0xFFFF0000))
            both = code.builder.or_(upper, code.builder.lshr(lower, _all(16)))
            code.store(both, code.behind(code.behind(out, out_length, pair), i * PIXELS))


@intrinsic
def correlate(_, gradients, at, length, planes, taps, taps_at, n, sums, sums_at):
    """Adds to 16 sums each the products of SUMMED_GRADIENTS planes with what lies SUMMED_TAPS taps from their pixels.

    Over the first `n` pixels, 32 at a time. Planes, of single channels, have this `length`; taps count from the
    beginning of `planes`.
    """
    whole = types.int64
    taken = (gradients, whole, whole, planes, taps, whole, whole, sums, whole)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Code(context, builder, signature, arguments)
        taps, stored = code.address(4), code.address(7)
        begins = [code.address(3, builder.load(code.behind(taps, i))) for i in range(SUMMED_TAPS)]
        rows = [code.behind(code.address(0), arguments[2], row) for row in range(SUMMED_GRADIENTS)]
        places = [code.behind(stored, i * PIXELS) for i in range(SUMMED_GRADIENTS * SUMMED_TAPS)]
        with code.loop(arguments[6], TILE, [code.load(place, FLOATS) for place in places]) as (pixel, sums):
            values = [code.load(code.behind(begin, pixel), align=2) for begin in begins]
            for i, row in enumerate(rows):
                gradient = code.load(code.behind(row, pixel), align=2)
                for j, value in enumerate(values):
                    k = i * SUMMED_TAPS + j
                    sums[k] = code.multiply_add(sums[k], value, gradient)
        for place, total in zip(places, sums, strict=True):
            code.store(total, place)
        return context.get_dummy_value()

    return types.void(*taken), generate


@intrinsic
def to_planes(_, pixels, at, distance, n, n_channels, planes, planes_at, length):
    """Up to 16 pixels `distance` numbers apart, and up to CHANNELS channels of them, into planes of pairs.

    Of each plane 16 words are written: behind the last pixel zeros, and zeros for a channel without a partner.
    """
    whole = types.int64
    taken = (pixels, whole, whole, whole, whole, planes, whole, whole)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Code(context, builder, signature, arguments)
        first, mask = code.address(0), code.mask(arguments[4])
        rows = []
        for i in range(PIXELS):
            there = builder.icmp_signed("<", _long(i), arguments[3])
            row = code.load_masked(
                code.behind(first, arguments[2], i), builder.select(there, mask, ir.Constant(WORD, 0))
            )
            rows.append(builder.bitcast(row, WORDS))
        for i, plane in enumerate(code.transposed(rows)):
            with builder.if_then(builder.icmp_signed("<", _long(2 * i), arguments[4])):
                code.store(plane, code.behind(code.address(5), arguments[7], i))
        return context.get_dummy_value()

    return types.void(*taken), generate


@intrinsic
def to_pixels(_, planes, at, length, n, n_channels, pixels, pixels_at, distance):
    """The way back: up to 16 pixels from planes of pairs. Nothing but their numbers is written."""
    whole = types.int64
    taken = (planes, whole, whole, whole, whole, pixels, whole, whole)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Code(context, builder, signature, arguments)
        last = builder.sdiv(builder.sub(arguments[4], _long(1)), _long(2))
        rows = []
        for i in range(PIXELS):
            plane = builder.select(builder.icmp_signed("<", _long(i), last), _long(i), last)
            rows.append(code.load(code.behind(code.address(0), arguments[2], plane)))
        mask = code.mask(arguments[4])
        for i, pixel in enumerate(code.transposed(rows)):
            with builder.if_then(builder.icmp_signed("<", _long(i), arguments[3])):
                place = code.behind(code.address(5), arguments[7], i)
                code.store_masked(builder.bitcast(pixel, SHORTS), place, mask)
        return context.get_dummy_value()

    return types.void(*taken), generate


@intrinsic
def split(_, pairs, at, planes, first_at, second_at):
    """TILE pixels of a plane of pairs into a plane of the first and one of the second channel."""
    taken = (pairs, types.int64, planes, types.int64, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Code(context, builder, signature, arguments)
        begin = code.address(0)
        halves = [builder.bitcast(code.load(code.behind(begin, i * PIXELS)), SHORTS) for i in range(2)]
        for odd in (0, 1):
            plane = code.shuffle(*halves, [2 * i + odd for i in range(TILE)])
            code.store(plane, code.address(2, arguments[3 + odd]), align=2)
        return context.get_dummy_value()

    return types.void(*taken), generate


@intrinsic
def fetch(_, values, at):
    """Asks for the line of memory that holds an element, so that it is there when it is read or written."""
    taken = (values, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Code(context, builder, signature, arguments)
        reading, into_second_cache, data = (ir.Constant(WORD, n) for n in (0, 2, 1))
        address = builder.bitcast(code.address(0), ANYWHERE)
        code.call("llvm.prefetch.p0", ir.VoidType(), address, reading, into_second_cache, data)
        return context.get_dummy_value()

    return types.void(*taken), generate
