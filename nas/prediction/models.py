"""The exported files that pictures can be given to. A new kind of file is a function, and its line in `READERS`."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nas.datasets.framing import Framing
from nas.errors import InputError, nearest
from nas.export.c.compiled import CompilationError, compiler, run
from nas.export.c.names import framing_in, names_in, sizes_in
from nas.export.onnx import CLASSES, FRAMING, MEAN
from nas.training.teacher import read

SHAPE = re.compile(r"\(n, (\d+), (\d+), (\d+)\)")


@dataclass(frozen=True)
class Model:
    """`scores` takes uint8 images `(n, channels, height, width)`, and gives float32 `(n, n_classes)`.

    `mean` of the training images, of 1, one a channel, and their `framing`; empty and None where the file does not say.
    """

    file: Path
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    scores: Callable[[Tensor], Tensor]
    framing: Framing | None = None


def open_model(file: Path) -> Model:
    """An exported model by its file. Raises `InputError` where it is none, or cannot be used here."""
    reader = READERS.get(file.suffix)
    if reader is None:
        hint = nearest(file.suffix, READERS)
        beside = next((each for each in map(file.with_suffix, READERS) if each.exists()), None)
        hint = hint or (f": did you mean {str(beside)!r}?" if beside is not None else ": give one that nas exported")
        raise InputError(f"a model must be a file that ends with {', '.join(READERS)}, but got {file}{hint}")
    if not file.exists():
        raise InputError(f"a model must be a file that exists, but there is no {file}: export one with nas export")
    return reader(file)


def _python(file: Path) -> Model:
    content = read(file, "a model", "give a file that nas exported")
    constants = content.constants
    trained_on = constants.get("TRAINED_ON") or {}
    shape, framing = trained_on.get("image_shape"), trained_on.get("framing")
    if shape is None:  # exported before 0.1.0 stated it
        match = SHAPE.search(str(constants.get("__doc__")))
        if match is None:
            raise InputError(f"a model must say which images it takes, but {file} does not: export it again")
        shape = tuple(map(int, match.groups()))

    @torch.no_grad()
    def scores(images: Tensor) -> Tensor:
        answer: Tensor = content.network(images)
        return answer

    classes, mean = tuple(map(str, constants["CLASSES"])), tuple(constants.get("MEAN", ()))
    return Model(file, classes, tuple(shape), mean, scores, Framing(*framing) if framing else None)


def _onnx(file: Path) -> Model:
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(
            f"{file} needs the package onnxruntime, which is not installed: pip install onnxruntime"
        ) from error
    try:
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        (taken,), (given,) = session.get_inputs(), session.get_outputs()
        shape = tuple(map(int, taken.shape[1:]))
        said = session.get_modelmeta().custom_metadata_map
    except Exception as error:  # their errors have no common base
        first_line = (str(error).splitlines() or [""])[0]
        raise InputError(
            f"a model must be one that nas exported, but onnxruntime cannot use {file}: {first_line}"
        ) from error
    classes = json.loads(said[CLASSES]) if CLASSES in said else map(str, range(int(given.shape[-1])))

    def scores(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run([given.name], {taken.name: images.numpy()})[0])

    channels, height, width = shape
    mean, framing = (
        tuple(json.loads(said.get(MEAN, "[]"))),
        Framing(*json.loads(said[FRAMING])) if FRAMING in said else None,
    )
    return Model(file, tuple(classes), (channels, height, width), mean, scores, framing)


def _c(file: Path) -> Model:
    name, command = file.stem, compiler()
    if command is None:
        raise InputError(f"{file} must be compiled, but there is no C compiler here: install one, or name it in CC")
    try:
        text = file.with_suffix(".h").read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} needs its header {name}.h beside it, which cannot be read ({error})") from error
    sizes = sizes_in(text, name)
    if sizes is None:
        raise InputError(f"a model must be one that nas exported, but {name}.h says nothing of its images")
    channels, height, width, n_classes = sizes
    classes, mean = names_in(text, name)

    def scores(images: Tensor) -> Tensor:
        try:
            answer, _ = run(command, name, file.parent, images.contiguous(), n_classes)
        except CompilationError as error:
            raise InputError(f"{file} cannot be compiled and run: {error}; name another compiler in CC") from error
        return answer

    names = classes or tuple(map(str, range(n_classes)))
    return Model(file, names, (channels, height, width), mean, scores, framing_in(text, name))


READERS: Mapping[str, Callable[[Path], Model]] = {
    ".py": _python,
    ".onnx": _onnx,
    ".c": _c,
    ".h": lambda file: _c(file.with_suffix(".c")),
}
