"""Operations in the order in which they are computed, each with what it reads, and the memory that they share."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from nas.export.c.memory import Plan, Request, plan
from nas.export.c.operations import Array, Operation

IMAGE = -1  # in the place of a step's number: what the caller gave


class Step(NamedTuple):
    """An operation, and the steps whose results it reads, by number. The same operation may stand in several."""

    operation: Operation
    sources: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Program:
    """From an image of bytes to scores."""

    steps: tuple[Step, ...]
    n_classes: int

    @property
    def operations(self) -> tuple[Operation, ...]:
        """That of each step."""
        return tuple(step.operation for step in self.steps)

    @cached_property
    def arrays(self) -> tuple[Array, ...]:
        """All constants, each once, however often it is used."""
        return tuple({array.name: array for operation in self.operations for array in operation.arrays}.values())

    @property
    def flash(self) -> int:
        """Bytes of weights and tables."""
        return sum(array.n_bytes for array in self.arrays)

    @property
    def ram(self) -> int:
        """Bytes of the buffer that all activations share: what the cost model counts, a byte for each number.

        Less the image and the scores, which are the caller's; and less what it need not count, since it copies nothing
        for what is idle in use, and filters channel by channel and pixel by pixel in place.
        """
        return self.memory.size

    @cached_property
    def memory(self) -> Plan:
        """Where in the buffer each result lies; the image and the scores are the caller's."""
        return plan([_request(step) for step in self.steps])


def _request(step: Step) -> Request:
    op = step.operation
    size = 0 if op.output is None else op.n_out
    return Request(step.sources, size, op.n_scratch, in_place=op.in_place, grows=op.grows)
