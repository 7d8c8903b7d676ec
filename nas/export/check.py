"""Checking exported files before they are handed over: they are used once, in a process of their own, without nas."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nas.errors import ExportError, InputError
from nas.export import fresh
from nas.export.frozen import Definition, FrozenModel
from nas.export.words import measured_images
from nas.network.build import Network
from nas.network.cost import cost_of

BATCH = 1000
TOLERANCE = 1e-6  # of a score; on one machine they are equal bit for bit


def check_images(model: FrozenModel, images: Tensor, labels: Tensor) -> None:
    """Raises `InputError` unless these can be the images that the model's accuracy was measured on."""
    wanted = (model.provenance.n_validation, *model.architecture.input_shape)
    if tuple(images.shape) != wanted or images.dtype != torch.uint8 or len(labels) != len(images):
        raise InputError(
            f"an export is checked on all validation images, uint8 {wanted}, and a label for each, "
            f"but got {images.dtype} {tuple(images.shape)} and {len(labels)} labels"
        )


def check(model: FrozenModel, name: str, folder: Path, images: Tensor, labels: Tensor) -> None:
    """Raises `ExportError` unless NAME.py and NAME.safetensors in `folder` are the model that was trained.

    They must parse, need torch alone, and in a fresh process have the counted parameters, give the scores that the
    trained network gives here, and the accuracy that was measured after the training.
    """
    _check_imports(name, folder)
    answer = _use_in_fresh_process(name, folder, images, "source")
    _check_params(model, name, answer)
    check_scores(model.network(), name, answer["scores"], images)
    check_accuracy(model, name, answer["scores"], labels)


def check_definition(definition: Definition, name: str, folder: Path) -> None:
    """Raises `ExportError` unless NAME.py in `folder` is this network, without weights.

    With the same random weights it must give the scores that the network gives here.
    """
    _check_imports(name, folder)
    generator = torch.Generator().manual_seed(0)
    shape = (32, *definition.architecture.input_shape)
    images = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    answer = _use_in_fresh_process(name, folder, images, "definition")
    _check_params(definition, name, answer)
    check_scores(definition.new_network(fresh.SEED).eval(), name, answer["scores"], images)


def check_program(model: FrozenModel, name: str, folder: Path, images: Tensor, labels: Tensor) -> None:
    """Raises `ExportError` unless NAME.pt2 in `folder` is the model that was trained, in a process without nas."""
    answer = _use_in_fresh_process(name, folder, images, "program")
    _check_params(model, name, answer)
    check_scores(model.network(), name, answer["scores"], images)
    check_accuracy(model, name, answer["scores"], labels)


def _check_imports(name: str, folder: Path) -> None:
    try:
        tree = ast.parse((folder / f"{name}.py").read_bytes())
    except (SyntaxError, ValueError) as error:
        raise failure(name, f"it is not Python: {error}") from error
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    for statement in imports:
        names = [statement.module or ""] if isinstance(statement, ast.ImportFrom) else [n.name for n in statement.names]
        if any(module.split(".")[0] != "torch" for module in names):
            raise failure(name, f"it imports more than torch: {ast.unparse(statement)}")


def _use_in_fresh_process(name: str, folder: Path, images: Tensor, kind: fresh.Kind) -> dict[str, Any]:
    """What `nas.export.fresh` finds out about the files.

    Its process ignores the environment and the user's own packages, so it is told where torch is.
    """
    batches = list(images.cpu().split(BATCH))
    torch.save({"batches": batches, "threads": torch.get_num_threads(), "kind": kind}, folder / fresh.QUESTION)
    command = [
        sys.executable,
        "-I",
        "-B",
        str(Path(fresh.__file__).resolve()),
        name,
        str(Path(torch.__file__).parents[1]),
    ]
    process = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if process.returncode:
        last_line = (process.stderr.strip() or f"exit code {process.returncode}").splitlines()[-1]
        raise failure(name, f"it cannot be used in a fresh process: {last_line}")
    answer: dict[str, Any] = torch.load(folder / fresh.ANSWER, weights_only=True)
    return answer


def _check_params(model: Definition, name: str, answer: dict[str, Any]) -> None:
    counts = {cost_of(model.architecture).params, answer["params"], answer["num_params"]}
    if len(counts) > 1:
        raise failure(
            name,
            f"its parameters were counted as {cost_of(model.architecture).params:,}, but the file says "
            f"{answer['num_params']:,} and has {answer['params']:,}",
        )


@torch.no_grad()
def check_scores(network: Network, name: str, scores: Tensor, images: Tensor, tolerance: float = TOLERANCE) -> None:
    """Raises `ExportError` unless these are the scores that the network gives here."""
    wanted = torch.cat([network(batch) for batch in images.cpu().split(BATCH)])
    difference = (scores - wanted).abs().max().item()
    if not difference <= tolerance:  # NaN is not
        raise failure(name, f"its scores differ by up to {difference:g} from those of the network itself")


def check_accuracy(model: FrozenModel, name: str, scores: Tensor, labels: Tensor) -> None:
    """Raises `ExportError` unless as many images are right as after the training."""
    n_correct = int((scores.argmax(1) == labels.cpu()).sum())
    if n_correct != model.provenance.n_correct:
        raise failure(
            name,
            f"it gets {n_correct:,} of {measured_images(model.provenance)} right, but after its training "
            f"{model.provenance.n_correct:,} were: these are not the weights or not the images of that figure",
        )


def failure(name: str, reason: str) -> ExportError:
    """Why a file is not handed over."""
    return ExportError(f"{name} was not exported, since {reason}")
