"""The modules of a network as Python source: what __init__ makes, and the classes that torch does not have.

Blocks that are the same but for their numbers get one class, which is given the numbers, as a person would write it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import getsource, signature
from textwrap import indent
from typing import NamedTuple

from torch import nn

from nas.export.words import quoted, wrapped
from nas.network import modules
from nas.network.architecture import Architecture, Layer
from nas.network.kinds import Argument, Part

Literal = str | float | tuple[int, ...]
PLACE = "\0"  # stands for a number that may differ from one block to another
CHANNELS = ("in_channels", "out_channels", "groups", "num_features", "num_channels", "num_parameters", "channels")


class BlockClass(NamedTuple):
    """A class for blocks that are the same but for their numbers; `numbers` are those of each block, by its name."""

    name: str
    source: str
    numbers: Mapping[str, Mapping[str, int]]


def own_classes(architecture: Architecture) -> Iterator[str]:
    """The source of the classes that torch does not have, each once, in the order of the first use."""
    names = dict.fromkeys(name for layer in architecture.walk for name in _own_names(layer))
    yield from (getsource(getattr(modules, name)) for name in names)
    yield from (each.source for each in block_classes(architecture.walk))


def definitions(layers: Sequence[Layer]) -> Iterator[str]:
    """What __init__ makes: a line a layer, with its output shape where that is another than its input shape."""
    classes = block_classes(layers)
    for layer in layers:
        if layer.spec.applied("x") is None:
            shape = f"  # {'×'.join(map(str, layer.output_shape))}" * (layer.output_shape != layer.input_shape)
            yield f"self.{layer.name} = {_made(layer, classes)}{shape}"


def _made(layer: Layer, classes: Sequence[BlockClass]) -> str:
    for each in classes:
        if layer.name in each.numbers:
            numbers = ", ".join(f"{name}={value}" for name, value in each.numbers[layer.name].items())
            return f"{each.name}({numbers})"
    return _call(layer)


def block_classes(layers: Sequence[Layer]) -> list[BlockClass]:
    """One for all blocks of the same structure, where there are two or more."""
    alike: dict[str, list[Layer]] = {}
    for layer in layers:
        if layer.parts:
            alike.setdefault(_call(layer, lambda role, number: PLACE), []).append(layer)
    groups = [group for group in alike.values() if len(group) > 1]
    stems = [_stem(group[0]) for group in groups]
    counted = [f"{stem}{stems[: i + 1].count(stem)}" if stems.count(stem) > 1 else stem for i, stem in enumerate(stems)]
    return [_block_class(name, group) for name, group in zip(counted, groups, strict=True)]


def _stem(layer: Layer) -> str:
    return {"res": "ResidualBlock", "rep": "RepeatedBlock", "branch": "Branches"}.get(layer.spec.label, "Block")


def _block_class(name: str, group: Sequence[Layer]) -> BlockClass:
    places = list(zip(*(_numbers(layer) for layer in group), strict=True))  # of each place what stands there
    roles = [place[0][0] for place in places]
    values = [tuple(number for _, number in place) for place in places]
    names = _names(roles, values, group)
    in_turn = iter(values)

    def literal(role: str, number: int) -> str:
        return names.get(next(in_turn), str(number))

    call = _call(group[0], literal)
    arguments = call[call.index("(") + 1 : -1].strip("\n")
    base = group[0].constructor.name
    text = "\n".join(
        [
            f"class {name}({base}):",
            indent(f'"""{wrapped(f"Such as {group[0].spec.describe()}.")}"""', " " * 4),
            "",
            f"    def __init__({', '.join(['self', *names.values()])}):",
            "        super().__init__(",
            indent(arguments, " " * 8),
            "        )",
            "",
        ]
    )
    numbers = {layer.name: {n: each[i] for each, n in names.items()} for i, layer in enumerate(group)}
    return BlockClass(name, text, numbers)


def _numbers(layer: Layer) -> list[tuple[str, int]]:
    """The numbers in its constructors, in order, each with the argument that it is."""
    seen: list[tuple[str, int]] = []

    def literal(role: str, number: int) -> str:
        seen.append((role, number))
        return PLACE

    _call(layer, literal)
    return seen


def _names(
    roles: Sequence[str], values: Sequence[tuple[int, ...]], group: Sequence[Layer]
) -> dict[tuple[int, ...], str]:
    """Names for what differs among the blocks; numbers that are the same in every block have one name."""
    n_in = tuple(layer.input_shape[0] for layer in group)
    n_out = tuple(layer.output_shape[0] for layer in group)
    names: dict[tuple[int, ...], str] = {}
    for role, each in zip(roles, values, strict=True):
        if len(set(each)) == 1 or each in names:
            continue
        stem = role
        if role in CHANNELS:
            ends = {n_out: "n_out", n_in: "n_in" if n_in != n_out else "n_channels"}
            stem = ends.get(each, "n_hidden")
        n = sum(name.rstrip("0123456789") == stem for name in names.values())
        names[each] = stem + str(n + 1) * (n > 0)
    return names


def _call(layer: Layer, literal: Callable[[str, int], str] = lambda role, number: repr(number)) -> str:
    """A constructor's call as one writes it: options at their default are left out, a block's layers have lines.

    `literal` writes a whole number that is the argument of this name.
    """
    made = layer.constructor
    parameters = signature(getattr(nn if made.of_torch else modules, made.name)).parameters
    positional = list(parameters)
    in_order = [
        _argument(each, layer, positional[min(i, len(positional) - 1)], literal)
        for i, each in enumerate(made.arguments)
    ]
    named = [
        f"{name}={_written(name, value, literal)}"
        for name, value in made.options.items()
        if value != parameters[name].default
    ]
    arguments = [*in_order, *named]
    name = f"nn.{made.name}" if made.of_torch else made.name
    if not any("\n" in each for each in arguments):
        return f"{name}({', '.join(arguments)})"
    return f"{name}(\n" + "".join(indent(f"{each},\n", " " * 4) for each in arguments) + ")"


def _argument(argument: Argument, layer: Layer, role: str, literal: Callable[[str, int], str]) -> str:
    if isinstance(argument, tuple) and isinstance(argument[0], Part):
        chains = (indent(f"{_argument(each, layer, role, literal)},\n", " " * 4) for each in argument)
        return f"[\n{''.join(chains)}]"
    if not isinstance(argument, Part):
        return _written(role, argument, literal)
    calls = [_call(each, literal) for each in layer.parts[argument.name]]
    if len(calls) == 1 and "\n" not in calls[0]:
        return f"nn.Sequential({calls[0]})"
    return "nn.Sequential(\n" + "".join(indent(f"{call},\n", " " * 4) for call in calls) + ")"


def _written(role: str, value: Literal, literal: Callable[[str, int], str]) -> str:
    if isinstance(value, str):
        return quoted(value)
    return literal(role, value) if type(value) is int else repr(value)


def _own_names(layer: Layer) -> Iterator[str]:
    made = layer.constructor
    if not made.of_torch:
        yield made.name
    for held in layer.held:
        yield from _own_names(held)
