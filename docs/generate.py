"""Writes docs/reference/*.md from docstrings, signatures, the words on fields, and the help of commands.

Only files.md is written by hand.

A field's words are a comment beside it, or, where they are long, an entry under `Attributes:` in the docstring.

    python docs/generate.py [--check]

`--check` writes nothing, and ends with exit code 1 where a file is not what it would write.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from commands import commands_page

import nas
from nas.export.formats import refused_by
from nas.network.architecture import Architecture
from nas.network.blocks import PaddedShortcut
from nas.network.cost import COSTS
from nas.network.kinds import KINDS, Layers, LayerSpec

FOLDER = Path(__file__).parent / "reference"
INPUT = (8, 14, 14)  # of the examples: channels, height, width
CONV = nas.Conv(8, 3, padding=1, bias=False)
BODY = (CONV, nas.BatchNorm(), nas.Activation())
EXAMPLES: dict[type[LayerSpec], LayerSpec] = {
    type(spec): spec
    for spec in (
        *(nas.Conv(16, 3, padding=1), nas.DepthwiseConv(3, padding=1), nas.BatchNorm(), nas.Activation("hardswish")),
        *(nas.MaxPool(), nas.AvgPool(), nas.AdaptiveAvgPool(), nas.Dropout(0.1), nas.Dropout2d(0.1), nas.Flatten()),
        *(nas.Linear(10), nas.Residual((*BODY, CONV)), nas.Parallel(((CONV,), (nas.Conv(4, 1),))), nas.Repeat(BODY, 3)),
        *(nas.SqueezeExcite(), nas.ChannelShuffle(2), nas.ChannelScale(), nas.PReLU(), PaddedShortcut(16, 2)),
        *(nas.BlurPool(), nas.MaxAvgPool(), nas.GemPool()),
    )
}
FUNCTIONS = (
    *(nas.inverted_bottleneck, nas.depthwise_separable, nas.gap_head, nas.conv_head, nas.flatten_head, nas.widest),
    nas.cost_of,
)
SETTINGS = tuple(each.name for each in fields(nas.SearchOptions))


def pages() -> dict[str, str]:
    """The text of each file by its name."""
    return {
        "command-line.md": joined(commands_page()),
        "python.md": python_page(),
        "kinds.md": kinds_page(),
        "recipe.md": recipe_page(),
        "task.md": task_page(),
    }


def kinds_page() -> str:
    parts = [
        "# Kinds of layers",
        "A network is a chain of layers; some hold chains of others, to any depth. All are in `nas`: "
        "`from nas import Conv, Residual`. The examples are of an image of 8 channels and 14×14 pixels; "
        "whether a layer can be exported as C (8 bits, for microcontrollers) is in the last column.",
    ]
    for kind in KINDS.values():
        parts += [f"## {kind.__name__}", text_of(kind), *field_table(kind), example(kind)]
    parts += ["# Several layers at once"]
    for function in FUNCTIONS:
        parts += [f"## {function.__name__}", f"```python\n{signature_of(function)}\n```", text_of(function)]
    return joined(parts)


def recipe_page() -> str:
    parts = ["# Recipe", text_of(nas.Recipe), *field_table(nas.Recipe)]
    return joined([*parts, "# Augmentation", text_of(nas.Augmentation), *field_table(nas.Augmentation)])


def task_page() -> str:
    costs = [f"| `{kind.name}` | {kind.noun} | `--{kind.option}` | {kind.help} |" for kind in COSTS.values()]
    table = ["| name | a limit on | option | words |", "|---|---|---|---|", *costs]
    return joined(
        [
            *("# Task", text_of(nas.Task), *field_table(nas.Task)),
            *("# Budget", text_of(nas.Budget), "\n".join(table)),
            *("# Candidate", text_of(nas.Candidate), *field_table(nas.Candidate)),
            *("# Architecture", text_of(nas.Architecture), *field_table(nas.Architecture)),
        ]
    )


def python_page() -> str:
    """What is called from Python, and what it gives back; what a search space is written with has pages of its own."""
    searching = ("# Python", "Everything is in `nas`; what is behind a name is loaded when the name is first used.")
    parts = [*searching, *python_entry(nas.search), *python_entry(nas.SearchOptions), *python_entry(nas.SearchResult)]
    for thing in (nas.confirm, nas.Confirmed, nas.Objective, nas.predict, nas.Prediction, nas.Network, nas.Cost):
        parts += python_entry(thing)
    parts += [f"## LayerSpec\n\n{text_of(nas.LayerSpec)} All there are: [layers](kinds.md)."]
    return joined([*parts, f"## NasError\n\n{text_of(sys.modules[nas.NasError.__module__])}"])


def python_entry(thing: Any) -> list[str]:
    call = f"```python\n{call_of(thing)}\n```"
    return [f"## {thing.__name__}", call, text_of(thing), *filter(None, [property_list(thing)])]


def call_of(thing: Any) -> str:
    """A signature, a line a parameter; keywords that are the fields of `SearchOptions` are told there."""
    parameters = inspect.signature(thing).parameters.values()
    told_elsewhere = thing is nas.search
    lines = [written_parameter(each) for each in parameters if not (told_elsewhere and each.name in SETTINGS)]
    star = next((at for at, each in enumerate(parameters) if each.kind == each.KEYWORD_ONLY), None)
    if star is not None:
        lines.insert(star, "*")
    if told_elsewhere:
        lines.append("**settings,  # the fields of SearchOptions")
    body = "".join(f"    {line}\n" if "#" in line else f"    {line},\n" for line in lines)
    back = inspect.signature(thing).return_annotation
    arrow = f" -> {_without_modules(inspect.formatannotation(back))}" if inspect.isfunction(thing) else ""
    return f"{thing.__name__}(\n{body}){arrow}"


def written_parameter(parameter: inspect.Parameter) -> str:
    default = parameter.default
    if isinstance(default, Path):
        parameter = parameter.replace(default=str(default))  # a Path is not written alike everywhere
    return _without_modules(str(parameter)).replace("['BaseTrial'", "[BaseTrial")


def _without_modules(text: str) -> str:
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", text)


def property_list(thing: Any) -> str:
    """The properties that say what they are."""
    own = [
        (name, each)
        for name, each in vars(thing).items()
        if isinstance(each, property | cached_property) and name[0] != "_"
    ]
    said = [(name, inspect.getdoc(each) or "") for name, each in own]
    return "\n".join(f"- `.{name}`: {' '.join(text.split())}" for name, text in said if text)


def joined(parts: list[str]) -> str:
    return "<!-- Made by docs/generate.py: make docs. -->\n\n" + "\n\n".join(parts) + "\n"


def text_of(thing: Any) -> str:
    """A docstring; raises `ValueError` where there is none."""
    text = inspect.getdoc(thing)
    if not text or (inspect.isclass(thing) and "__doc__" not in vars(thing)):
        raise ValueError(f"{thing.__name__} has no docstring")
    return text.split("\nAttributes:\n")[0].rstrip()


def signature_of(function: Any) -> str:
    text = f"{function.__name__}{inspect.signature(function)}"
    return re.sub(r"\bnas\.[a-z_.]*\.", "", text).replace("'", "").replace("collections.abc.", "")


def field_table(of: Any) -> list[str]:
    rows = [
        f"| `{each.name}` | {type_of(each)} | {default_of(each)} | {words_of(of, each.name)} |" for each in fields(of)
    ]
    return ["\n".join(["| field | type | default | words |", "|---|---|---|---|", *rows])] if rows else []


def type_of(each: "Field[Any]") -> str:
    name = each.type if isinstance(each.type, str) else getattr(each.type, "__name__", str(each.type))
    if not isinstance(each.type, str | type):
        name = re.sub(r"\b(nas|typing)\.[a-z_.]*", "", str(each.type))
    return f"`{name}`".replace("|", "\\|")


def default_of(each: "Field[Any]") -> str:
    if each.default is not MISSING:
        return f"`{each.default!r}`"
    return f"`{each.default_factory.__name__}()`" if each.default_factory is not MISSING else "must be given"


def words_of(of: Any, field: str) -> str:
    """What is said of a field; raises `ValueError` where nothing is."""
    for each in of.__mro__:
        if entry := _entry(inspect.getdoc(each) or "", field):
            return entry
        if field in inspect.get_annotations(each):
            lines = inspect.getsource(each).splitlines()
            return _comment(lines, field) or _missing(each, field)
    raise ValueError(f"{of.__name__} has no field {field}")


def _entry(docstring: str, field: str) -> str:
    """The entry of a field under `Attributes:`, in one line."""
    attributes = docstring.partition("\nAttributes:\n")[2]
    entry = re.search(rf"^    {field}: ((?:.|\n(?=        ))*)", attributes, re.MULTILINE)
    return " ".join(entry[1].split()) if entry else ""


def _comment(lines: list[str], field: str) -> str:
    line = next(line for line in lines if re.match(rf"    {field}: ", line))
    return line.partition("  # ")[2]


def _missing(of: Any, field: str) -> str:
    raise ValueError(f"{of.__name__}.{field} has no words: write a comment beside it")


def example(kind: type[LayerSpec]) -> str:
    network, position = example_network(EXAMPLES[kind])
    layer = network.walk[position]
    in_c = "no" if refused_by(network, ["c"]) else "yes"
    shapes = " → ".join("×".join(map(str, shape)) for shape in (layer.input_shape, layer.output_shape))
    return (
        "| example | shapes | parameters | MACs | in tables | in C |\n|---|---|---|---|---|---|\n"
        f"| `{written(layer.spec)}` | {shapes} | {layer.params:,} | {layer.macs:,} | {cell(layer.spec.describe())} "
        f"| {in_c} |"
    )


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def written(spec: LayerSpec) -> str:
    """As one writes it: fields at their default are left out."""
    differing = [each for each in fields(spec) if getattr(spec, each.name) != each.default]
    return (
        f"{type(spec).__name__}({', '.join(f'{each.name}={_value(getattr(spec, each.name))}' for each in differing)})"
    )


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_value, value))}{',' * (len(value) == 1)})"
    return written(value) if isinstance(value, LayerSpec) else repr(value)


def example_network(spec: LayerSpec) -> tuple[Architecture, int]:
    """A network that has the layer and ends as a classifier does, and at which place it has it."""
    before: Layers = (nas.Flatten(),) if isinstance(spec, nas.Linear) else ()
    behind: Layers = nas.gap_head(10)
    if isinstance(spec, nas.Linear | nas.Flatten):
        behind = (nas.Linear(10),)
    return Architecture(INPUT, 10, (*before, spec, *behind)), len(before)


def differing() -> Iterator[Path]:
    """The files that are not what would be written."""
    for name, text in pages().items():
        file = FOLDER / name
        if not file.exists() or file.read_text("utf-8") != text:
            yield file


def main() -> None:
    if "--check" in sys.argv:
        files = list(differing())
        if files:
            sys.exit(f"not as `make docs` writes them: {', '.join(map(str, files))}")
        return
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8", newline="\n")


if __name__ == "__main__":
    main()
