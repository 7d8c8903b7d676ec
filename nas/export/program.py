"""A trained network as a program of `torch.export`: one file, weights included, that torch loads without any source."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch.export import Dim, ExportedProgram

from nas.export.check import check_program
from nas.export.frozen import Definition, FrozenModel
from nas.export.prepared import Images, Prepared
from nas.export.words import how_taught, image_shape

USAGE = """`{name}.pt2` needs torch; in C++ and on devices ExecuTorch and AOTInductor read it too:

```python
import torch

model = torch.export.load("{name}.pt2").module()
scores = model(images)  # uint8 {shape}, n as you like
```
"""


def prepare(model: FrozenModel, name: str, images: Images) -> Prepared:
    """NAME.pt2: uint8 images `(n, channels, height, width)`, n free, to scores; a program has one input type."""
    return Prepared(
        contents={f"{name}.pt2": program_file(model)},
        check=partial(check_program, model, name, images=images.validation, labels=images.labels),
    )


def program_file(model: FrozenModel) -> bytes:
    """The program as it is stored."""
    file = io.BytesIO()
    taught = {"teacher.txt": how_taught(model.provenance)} if model.provenance.teacher else None
    with quietly():
        torch.export.save(exported_program(model), file, extra_files=taught)
    return file.getvalue()


def takes(model: FrozenModel) -> dict[str, float]:
    """The size of its file, which does not depend on the weights."""
    return {"flash": len(program_file(model))}


def usage(model: Definition, name: str) -> str:
    """How NAME.pt2 is used."""
    return USAGE.format(name=name, shape=image_shape(model))


def exported_program(model: FrozenModel) -> ExportedProgram:
    """The network's graph, without the paths of the source it was traced from."""
    example = torch.zeros((2, *model.architecture.input_shape), dtype=torch.uint8)
    with quietly():
        program = torch.export.export(model.network(), (example,), dynamic_shapes=({0: Dim("n")},))
    for node in program.graph.nodes:
        for key in ("stack_trace", "nn_module_stack"):
            node.meta.pop(key, None)
    return program


@contextmanager
def quietly() -> Iterator[None]:
    """What torch says while it exports is about torch itself, and nothing that a user could change."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
