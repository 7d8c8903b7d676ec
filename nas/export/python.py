"""A trained network as Python source that needs torch alone, with its weights in a file beside it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from string import Template
from textwrap import indent
from typing import Any

import safetensors.torch

from nas.export.check import check
from nas.export.frozen import Definition, FrozenModel
from nas.export.modules_text import definitions, own_classes
from nas.export.prepared import Images, Prepared
from nas.export.words import docstring, image_shape, quoted
from nas.files import check_module_name
from nas.network.architecture import Architecture, Layer
from nas.network.cost import cost_of
from nas.training.recipe import Recipe

METADATA = "nas"  # what the file of weights states besides these
LINE_LENGTH = 120
CHECKSUM_MODULUS = 10**18 + 9  # a prime
LAYERS_A_LINE = 4  # of forward(), at most

# Whatever is filled in has been made by this file from numbers, or was escaped; it is not searched for `$` again.
FILE = Template(r'''"""$docstring
"""

$imports

NUM_PARAMS = $num_params
$classes
$mean
$std
$weights
$blocks
class Net(nn.Module):
    """Images $images to scores $scores; it normalises the images itself."""

    def __init__(self):
        super().__init__()
$layers
        self.register_buffer("mean", torch.tensor(MEAN).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, -1, 1, 1), persistent=False)

    def forward(self, images):
        x = images / 255 if images.dtype == torch.uint8 else images
        x = (x - self.mean) / self.std
$forward
''')

WEIGHTS = Template(r"""WEIGHTS = "$name.safetensors"
WEIGHTS_CHECKSUM = $checksum
# Which training it comes from, for programs.
PROVENANCE = {
$provenance
}
$trained_on""")

LOAD = r'''

def load(path=None):
    """Return the trained network, in eval mode.

    The weights are read from `path`, else from WEIGHTS beside this file, or in the working directory where there is no
    file (in a notebook). Raises ValueError if they are not the weights that belong to this network.
    """
    if path is None:
        here = globals().get("__file__", "")
        path = here[: max(here.rfind("/"), here.rfind("\\")) + 1] + WEIGHTS
    with open(path, "rb") as file:
        data = bytearray(file.read())
    if int.from_bytes(data, "big") % (10**18 + 9) != WEIGHTS_CHECKSUM:
        raise ValueError(f"{path} does not hold the weights of this network: it is damaged or belongs to another one")

    # A safetensors file: the length of its header in 8 bytes, the header (JSON), then the numbers in order of name.
    start = 8 + int.from_bytes(data[:8], "little")
    header = data[8:start].decode()
    model = Net()
    state = model.state_dict()
    begin = 0
    for name in sorted(name for name in state if state[name].is_floating_point()):
        shape, count = state[name].shape, state[name].numel()
        entry = f'"{name}":{{"dtype":"F32","shape":{list(shape)},"data_offsets":[{begin},{begin + 4 * count}]}}'
        if entry.replace(" ", "") not in header:
            raise ValueError(f"{path} does not hold the weights of this network: {name} is not where it should be")
        state[name] = torch.frombuffer(data, dtype=torch.float32, count=count, offset=start + begin).view(shape)
        begin += 4 * count
    model.load_state_dict(state)
    return model.eval()
'''

USAGE = Template("""`$name.py` needs torch alone; `$name.safetensors` belongs beside it:

```python
import torch
import $name

model = $name.load()
with torch.no_grad():
    scores = model(images)  # uint8 from 0 to 255, or floats from 0 to 1, $images
```
""")


def prepare(model: FrozenModel, name: str, images: Images) -> Prepared:
    """NAME.py and NAME.safetensors."""
    return Prepared(
        contents={f"{name}.py": source(model, name).encode(), f"{name}.safetensors": weights_file(model)},
        check=lambda folder: check(model, name, folder, images.validation, images.labels),
    )


def usage(model: Definition, name: str) -> str:
    """How NAME.py is used."""
    return USAGE.substitute(name=name, images=image_shape(model))


def source(model: FrozenModel, name: str) -> str:
    """The text of NAME.py; its `load()` reads NAME.safetensors, as `write` stores it.

    Raises `InputError` if a Python file should not have that name.
    """
    check_module_name(name, "model")
    made = model.provenance
    framing = {} if model.framing is None else {"framing": tuple(model.framing)}
    trained_on = made.trained_on and {"image_shape": model.architecture.input_shape, **framing, **made.trained_on}
    weights = WEIGHTS.substitute(
        name=name,
        checksum=f"{checksum(weights_file(model)):_}",
        provenance=_entries(made.identity),
        trained_on=f"TRAINED_ON = {{\n{_entries(trained_on)}\n}}\n" if trained_on else "",
    )
    return network_source(model, docstring(model, name), weights) + LOAD


def network_source(definition: Definition, text: str, weights: str = "") -> str:
    """Docstring, constants and `Net`; `weights` are the lines that say where the weights are."""
    layers = definition.architecture.walk
    return FILE.substitute(
        docstring=text,
        imports="\n".join(_imports(definition.architecture)),
        num_params=f"{cost_of(definition.architecture).params:_}",
        classes=_constant("CLASSES", map(quoted, definition.classes)),
        mean=_constant("MEAN", map(repr, definition.mean)),
        std=_constant("STD", map(repr, definition.std)),
        weights=weights,
        blocks="".join(f"\n{text}\n" for text in own_classes(definition.architecture)),
        images=image_shape(definition),
        scores=f"(n, {definition.architecture.n_classes})",
        layers=indent("\n".join(definitions(layers)), " " * 8),
        forward=indent("\n".join(_statements(layers)), " " * 8),
    )


def checksum(data: bytes) -> int:
    """What the exported `load()` recognises its weights by, with built-in functions alone."""
    return int.from_bytes(data, "big") % CHECKSUM_MODULUS


def weights_file(model: FrozenModel) -> bytes:
    """With the network and its recipe as plain data, so that it can be trained on."""
    definition = {"architecture": model.architecture.to_dict(), "recipe": model.recipe.to_dict()}
    return safetensors.torch.save(model.weights(), {METADATA: json.dumps(definition, sort_keys=True)})


def definition_in(data: bytes) -> tuple[Architecture, Recipe] | None:
    """The network and the recipe that a file of weights states; None where an earlier version of nas wrote it."""
    length = int.from_bytes(data[:8], "little")
    stated = json.loads(data[8 : 8 + length]).get("__metadata__", {}).get(METADATA)
    if stated is None:
        return None
    definition = json.loads(stated)
    return Architecture.from_dict(definition["architecture"]), Recipe.from_dict(definition["recipe"])


def _imports(architecture: Architecture) -> Iterator[str]:
    yield "import torch"
    blocks = "".join(own_classes(architecture))
    if "F." in blocks or any((layer.spec.applied("x") or "").startswith("F.") for layer in architecture.walk):
        yield "import torch.nn.functional as F"
    yield "from torch import nn"


def _constant(name: str, values: Iterable[str]) -> str:
    """An assignment of a tuple; one value a line where a single line would be too long, as ruff and black do."""
    parts = list(values)
    line = f"{name} = ({', '.join(parts)}{',' * (len(parts) == 1)})"
    if len(line) <= LINE_LENGTH:
        return line
    return "\n".join([f"{name} = (", *(f"    {part}," for part in parts), ")"])


def _entries(values: Mapping[str, Any]) -> str:
    """Those of a dictionary, one a line."""
    return "\n".join(f"    {quoted(key)}: {_literal(value)}," for key, value in values.items())


def _literal(value: Any) -> str:
    return quoted(value) if isinstance(value, str) else repr(value)


def _statements(layers: Sequence[Layer]) -> Iterator[str]:
    """The lines of forward() after the normalisation, each a few layers applied to each other."""
    *lines, last = [_applied(group) for group in _groups(layers)]
    yield from (f"x = {line}" for line in lines)
    yield f"return {last}"


def _groups(layers: Sequence[Layer]) -> list[list[Layer]]:
    groups: list[list[Layer]] = []
    for layer in layers:
        if not groups or layer.spec.opens_a_line or len(groups[-1]) == LAYERS_A_LINE:
            groups.append([])
        groups[-1].append(layer)
    return groups


def _applied(layers: Sequence[Layer]) -> str:
    expression = "x"
    for layer in layers:
        expression = layer.spec.applied(expression) or f"self.{layer.name}({expression})"
    return expression
