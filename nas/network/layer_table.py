"""What each layer of a network is and costs, as a table."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nas.network.architecture import Architecture
from nas.network.cost import cost_of
from nas.table import Table, per_cent


@dataclass(frozen=True)
class LayerRow:
    """One layer; shapes are (channels, height, width) or (features,), `share` is of the network's parameters."""

    name: str
    layer: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    params: int
    share: float
    macs: int


def layer_rows(architecture: Architecture) -> tuple[LayerRow, ...]:
    """One row a layer, as the shape walk gives them; of a block those that it holds.

    MACs are those of all uses, parameters those of one: the sums are the network's.
    """
    total = cost_of(architecture).params
    return tuple(
        LayerRow(
            name=path,
            layer=layer.spec.describe() + f", {n_uses} times" * (n_uses > 1),
            input_shape=layer.input_shape,
            output_shape=layer.output_shape,
            params=layer.params,
            share=layer.params / total,
            macs=n_uses * layer.macs,
        )
        for path, layer, n_uses in architecture.plain_layers
    )


def folded(layers: Sequence[LayerRow]) -> tuple[LayerRow, ...]:
    """One row for each layer that multiplies, with those after it that do not, such as norms, activations and pooling.

    The sums stay the network's: what a norm has of parameters is added to its convolution.
    """
    rows: list[LayerRow] = []
    for layer in layers:
        if layer.macs or not rows:
            rows.append(layer)
        else:
            rows[-1] = replace(
                rows[-1],
                layer=f"{rows[-1].layer}, {layer.layer}",
                output_shape=layer.output_shape,
                params=rows[-1].params + layer.params,
                share=rows[-1].share + layer.share,
            )
    return tuple(rows)


def layer_table(layers: Sequence[LayerRow]) -> Table:
    """The layers, as they are shown; what they cost comes first, since a narrow screen may show no more."""
    rows = tuple(
        (
            row.name,
            row.layer,
            f"{row.params:,}",
            per_cent(row.share, 1),
            f"{row.macs:,}",
            _shape(row.input_shape),
            _shape(row.output_shape),
        )
        for row in layers
    )
    return Table("Layers", ("name", "layer", "parameters", "share", "MACs", "input", "output"), rows)


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
