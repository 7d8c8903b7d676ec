"""A trained network as ONNX: one file, weights included, for onnxruntime and whatever else reads that format."""

import json
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch

from nas.errors import ExportError
from nas.export.check import BATCH, check_accuracy, check_scores, failure
from nas.export.frozen import Definition, FrozenModel
from nas.export.prepared import Images, Prepared
from nas.export.program import exported_program, quietly
from nas.export.words import how_taught, image_shape

NEEDED = ("onnx", "onnxscript", "onnxruntime")
# Of the largest score: another runtime adds up the same numbers in another order. Float32 has 1e-7 for one operation.
TOLERANCE = 1e-4
CLASSES, MEAN, FRAMING = (
    "classes",
    "mean",
    "framing",
)  # what the file states in its metadata, as JSON: for nas predict, and for others

USAGE = """`{name}.onnx` needs onnxruntime, or another reader of ONNX:

```python
import onnxruntime

session = onnxruntime.InferenceSession("{name}.onnx")
scores = session.run(["scores"], {{"images": images}})[0]  # uint8 {shape}, n as you like
```
"""


def prepare(model: FrozenModel, name: str, images: Images) -> Prepared:
    """NAME.onnx: uint8 images `(n, channels, height, width)`, n free, to scores `(n, n_classes)`.

    An ONNX input has one type. It is uint8: that is what images are stored in, it cannot be mistaken for another range,
    as floats can, and floats given by mistake are refused. Raises `ExportError` where the packages are not installed.
    """
    _check_packages()
    return Prepared(
        contents={f"{name}.onnx": onnx_file(model)},
        check=partial(check, model, name, images=images),
    )


def takes(model: FrozenModel) -> dict[str, float]:
    """The size of its file, which does not depend on the weights."""
    _check_packages()
    return {"flash": len(onnx_file(model))}


def _check_packages() -> None:
    missing = [package for package in NEEDED if find_spec(package) is None]
    if missing:
        raise ExportError(
            f"the format onnx needs the packages {', '.join(NEEDED)}, but {', '.join(missing)} cannot be found: "
            f"pip install {' '.join(NEEDED)}"
        )


def usage(model: Definition, name: str) -> str:
    """How NAME.onnx is used."""
    return USAGE.format(name=name, shape=image_shape(model))


def onnx_file(model: FrozenModel) -> bytes:
    """The same model gives the same bytes; nothing in them tells of the machine they were made on."""
    with quietly():
        made = torch.onnx.export(
            exported_program(model), verbose=False, dynamo=True, input_names=["images"], output_names=["scores"]
        )
    assert made is not None
    proto = made.model_proto
    proto.graph.ClearField("metadata_props")
    for node in proto.graph.node:
        node.ClearField("metadata_props")  # where in torch and nas each node came from, with paths
    for key, value in ((CLASSES, list(model.classes)), (MEAN, list(model.mean))):
        proto.metadata_props.add(key=key, value=json.dumps(value))
    if model.framing is not None:
        proto.metadata_props.add(key=FRAMING, value=json.dumps(model.framing))
    if model.provenance.teacher:
        proto.doc_string = how_taught(model.provenance)
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


def check(model: FrozenModel, name: str, folder: Path, images: Images) -> None:
    """Raises `ExportError` unless onnxruntime gives the trained network's scores and its accuracy."""
    import onnx
    import onnxruntime

    try:
        onnx.checker.check_model(str(folder / f"{name}.onnx"), full_check=True)
        session = onnxruntime.InferenceSession(folder / f"{name}.onnx", providers=["CPUExecutionProvider"])
        batches = [images.validation[:1], *images.validation[1:].split(BATCH)]
        answers = [torch.from_numpy(session.run(["scores"], {"images": each.numpy()})[0]) for each in batches]
    except Exception as error:  # their errors have no common base
        first_line = (str(error).splitlines() or [""])[0]
        raise failure(name, f"onnxruntime cannot use {name}.onnx: {type(error).__name__}: {first_line}") from error
    scores = torch.cat(answers)
    check_scores(model.network(), name, scores, images.validation, TOLERANCE * scores.abs().max().item())
    check_accuracy(model, name, scores, images.labels)
