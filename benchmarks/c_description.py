"""A chain of operations as plain data, for interpreters that have other formats."""

from typing import Any

from torch import Tensor

from nas.export.c.operations import Average, Convolution, Maximum, Operation
from nas.export.c.program import Program


def described(program: Program, scores: Tensor) -> list[dict[str, Any]]:
    """Each operation, with the codings of what it takes and makes; `scores`, made 8 bits too, tell their range."""
    layers, scale, zero = list[dict[str, Any]](), program.operations[0].input.scale, program.operations[0].input.zero
    for number, op in enumerate(program.operations):
        layer = {"input": op.input_shape, "output": op.output_shape, "scale": scale, "zero": zero} | _one(op)
        if isinstance(op, Convolution):
            scale, zero = _made(op, scores)
            weights = op.weights
            if layer["is_dense"]:
                before = program.operations[number - 1].output_shape
                weights = weights.reshape(len(weights), *before).permute(0, 2, 3, 1)
            layer["weights"] = weights.tolist()
        layers.append({**layer, "output_scale": scale, "output_zero": zero})
    return layers


def _one(op: Operation) -> dict[str, Any]:
    match op:
        case Convolution():
            return {
                **{"kind": "convolution", "kernel": op.kernel[0], "stride": op.stride, "padding": op.padding[0]},
                **{"groups": op.groups, "is_dense": op.output is None, "bias": op.bias.tolist()},
                "weight_scales": (op.scales / op.input.scale).tolist(),
            }
        case Maximum(padding=0):
            return {"kind": "maximum", "kernel": op.kernel, "stride": op.stride}
        case Average(kernel=0) if op.input_shape[1] % op.output_shape[1] == 0:
            size = op.input_shape[1] // op.output_shape[1]
            return {"kind": "average", "kernel": size, "stride": size}
    raise TypeError(f"no description of {op!r}")


def _made(op: Convolution, scores: Tensor) -> tuple[float, int]:
    if op.output is not None:
        return op.output.scale, op.output.zero
    low, high = scores.min().item(), scores.max().item()
    return (high - low) / 255, round(-low / (high - low) * 255)
