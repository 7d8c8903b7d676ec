"""What the budget bought: parameters and multiply-accumulates of a network, layer by layer."""

from typing import NamedTuple

from nas.architecture import Architecture, Shape
from nas.cost import layer_macs, layer_params
from nas.report.table import Table


class LayerCost(NamedTuple):
    """One layer; `output_shape` without the batch."""

    name: str
    what: str
    output_shape: Shape
    params: int
    macs: int


def layer_costs(architecture: Architecture) -> list[LayerCost]:
    """All layers that cost something, in order."""
    costs = (
        LayerCost(layer.name, layer.spec.describe(), layer.output_shape, layer_params(layer), layer_macs(layer))
        for layer in architecture.walk
    )
    return [cost for cost in costs if cost.params or cost.macs]


def table(architecture: Architecture) -> Table:
    """The same as it is shown, with shares of the whole."""
    costs = layer_costs(architecture)
    params, macs = sum(cost.params for cost in costs), sum(cost.macs for cost in costs)
    rows = [
        (
            cost.name,
            cost.what,
            "×".join(map(str, cost.output_shape)),
            f"{cost.params:,}",
            share(cost.params, params),
            f"{cost.macs:,}",
            share(cost.macs, macs),
        )
        for cost in costs
    ]
    return Table(
        "Layers",
        ("layer", "what", "output", "parameters", "share", "MACs", "share of MACs"),
        (*rows, ("all", "", "", f"{params:,}", share(params, params), f"{macs:,}", share(macs, macs))),
        ("Layers without parameters and multiply-accumulates are left out.",),
    )


def share(part: int, whole: int) -> str:
    """Such as `12.5 %`."""
    return f"{100 * part / whole:.1f} %" if whole else "0.0 %"
