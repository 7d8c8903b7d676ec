"""A trained network for a browser: its operations as plain data, which `network.js` computes in floating point.

The operations are the stages that the C export computes, in that order: there is one list of them, so C and JavaScript
compute the same network. A kind of layer that C does not have JavaScript has not, either.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nas.errors import ExportError
from nas.export.c.graph import stages_of
from nas.export.c.stage import Stage
from nas.export.c.stages import (
    Added,
    Averaged,
    Blurred,
    Concatenated,
    Elementwise,
    Excited,
    MaximumAveraged,
    MaximumPooled,
    Padded,
    Shuffled,
    Sloped,
    Weighted,
)
from nas.export.c.weights import FOLDED, Weights, folded
from nas.export.frozen import FrozenModel
from nas.network.architecture import Architecture, Layer
from nas.network.kinds import Activation, AdaptiveAvgPool

SOURCE = Path(__file__).with_name("network.js")
Numbers = Callable[[str, Tensor], list[int]]  # stores what has that name once; where it begins, and how many
Step = dict[str, Any]


def refuses(architecture: Architecture) -> str | None:
    """Why a browser cannot have a network, in one line; None if it can. Nothing is built or trained."""
    try:
        stages = stages_of(architecture)
    except ExportError as error:
        return f"a browser computes what the C export does, and {str(error).partition(':')[0]}"
    layers = (located.layer for stage in stages for located in stage.layers)
    odd = next((layer.spec for layer in layers if layer.spec.elementwise and _function(layer) is None), None)
    odd = odd or next((stage.spec for stage in stages if type(stage) not in STEPS), None)
    return None if odd is None else f"there is no JavaScript for layers of the kind {odd.kind!r}"


def network_data(model: FrozenModel) -> dict[str, Any]:
    """What `networkOf` of `network.js` takes, plain data for JSON: steps, and all weights as float32 in base64.

    Raises `ExportError` for a network that a browser cannot have.
    """
    if (reason := refuses(model.architecture)) is not None:
        raise ExportError(reason)
    network, places, parts = model.network().double(), dict[str, list[int]](), list[Tensor]()

    def numbers(name: str, values: Tensor) -> list[int]:
        if name not in places:
            begin = sum(map(len, parts))
            parts.append(values.detach().float().flatten())
            places[name] = [begin, values.numel()]
        return places[name]

    with torch.no_grad():
        steps = [_step(stage, network, numbers) for stage in stages_of(model.architecture)]
    content = torch.cat([*parts, torch.zeros(0)]).numpy().astype("<f4").tobytes()
    return {"mean": model.mean, "std": model.std, "steps": steps, "numbers": b64encode(content).decode()}


def as_json(data: Mapping[str, Any]) -> str:
    """For an element of a page: no text of a study can end it."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _step(stage: Stage, network: Any, numbers: Numbers) -> Step:
    before, after = stage.shapes
    return {"from": stage.sources, "input": before, "output": after, **STEPS[type(stage)](stage, network, numbers)}


def _weighted(stage: Stage, network: Any, numbers: Numbers) -> Step:
    """The weights are those of the first layer, stored once; what is folded in is a factor and a shift a channel."""
    assert isinstance(stage, Weighted)
    layers = [located.layer for located in stage.layers if located is not stage.function]
    modules = [stage.module(network, located.path) for located in stage.layers if located is not stage.function]
    base = folded(layers[:1], modules[:1])
    at = f"{stage.path} {stage.own_turn}"
    name = at if type(layers[0].spec) in FOLDED else stage.path  # by itself its weights are those of one turn
    step = {"op": "convolution", **_convolution(name, base, numbers), **_behind(stage.function)}
    factor, shift = torch.ones_like(base.bias), base.bias
    for layer, module in zip(layers[1:], modules[1:], strict=True):
        times, plus = FOLDED[type(layer.spec)](module)
        factor, shift = factor * times, shift * times + plus
    if len(layers) > 1:
        step["factor"] = numbers(f"{at} factor", factor)
    return {**step, "shift": numbers(f"{at} shift", shift)}


def _convolution(name: str, weights: Weights, numbers: Numbers) -> Step:
    return {
        "kernel": weights.weights.shape[2:],
        "stride": weights.stride,
        "padding": weights.padding,
        "dilation": weights.dilation,
        "groups": weights.groups,
        "weights": numbers(f"{name} weights", weights.weights),
    }


def _behind(function: Any) -> Step:
    return {} if function is None else {"f": _function(function.layer)}


def _function(layer: Layer) -> str | None:
    """Its name in `network.js`, which are torch's."""
    return layer.spec.function if isinstance(layer.spec, Activation) else None


def _added(stage: Stage, network: Any, numbers: Numbers) -> Step:
    assert isinstance(stage, Added)
    return {"op": "sum", **_behind(stage.function)}


def _elementwise(stage: Stage, network: Any, numbers: Numbers) -> Step:
    return {"op": "function", **_behind(stage.layers[0])}


def _sloped(stage: Stage, network: Any, numbers: Numbers) -> Step:
    return {"op": "slopes", "slopes": numbers(stage.path, stage.module(network, stage.path).weight)}


def _maximum(stage: Stage, network: Any, numbers: Numbers) -> Step:
    return {"op": "maximum", **_window(stage.spec)}


def _average(stage: Stage, network: Any, numbers: Numbers) -> Step:
    return {"op": "parts"} if isinstance(stage.spec, AdaptiveAvgPool) else {"op": "average", **_window(stage.spec)}


def _window(pool: Any) -> Step:
    return {"kernel": pool.kernel, "stride": pool.step, "padding": pool.padding}


def _blurred(stage: Stage, network: Any, numbers: Numbers) -> Step:
    return {"op": "blur", "stride": stage.spec.stride, "window": 2 if stage.spec.maximum else 1}


def _excited(stage: Stage, network: Any, numbers: Numbers) -> Step:
    module, channels = stage.module(network, stage.path), stage.shapes[0][0]
    hidden = len(module.squeeze.bias)

    def connected(name: str, n_in: int, n_out: int, function: str) -> Step:
        layer = getattr(module, name)
        weights = Weights(layer.weight[:, :, None, None], layer.bias)
        return {
            "input": (n_in, 1, 1),
            "output": (n_out, 1, 1),
            **_convolution(f"{stage.path} {name}", weights, numbers),
            "shift": numbers(f"{stage.path} {name} shift", weights.bias),
            "f": function,
        }

    return {
        "op": "excitation",
        "squeeze": connected("squeeze", channels, hidden, "relu"),
        "excite": connected("excite", hidden, channels, stage.spec.gate),
    }


STEPS: Mapping[type[Stage], Callable[[Stage, Any, Numbers], Step]] = {
    Weighted: _weighted,
    Added: _added,
    Concatenated: lambda stage, network, numbers: {"op": "concatenation"},
    Elementwise: _elementwise,
    Sloped: _sloped,
    MaximumPooled: _maximum,
    Shuffled: lambda stage, network, numbers: {"op": "shuffle", "groups": stage.spec.groups},
    Averaged: _average,
    MaximumAveraged: lambda stage, network, numbers: {"op": "maximumAndAverage"},
    Blurred: _blurred,
    Padded: lambda stage, network, numbers: {"op": "shrinking", "stride": stage.spec.stride},
    Excited: _excited,
}
