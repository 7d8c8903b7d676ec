"""A teacher: a trained network, read from its file, whose scores are soft labels for others."""

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas.errors import InputError

REMEDY = "give a model that nas exported, or --teacher auto"


def soft_label_loss(scores: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """How far scores are from a teacher's, `(n, n_classes)` each: a divergence, mean over the images.

    Kullback-Leibler, of probabilities at a temperature, times its square, so that gradients keep their size whatever it
    is (Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network", section 2).
    """
    own, teachers = F.log_softmax(scores / temperature, 1), F.log_softmax(wanted / temperature, 1)
    return temperature**2 * F.kl_div(own, teachers, reduction="batchmean", log_target=True)


class Content(NamedTuple):
    """What is in a teacher's file: its constants by name, its network in evaluation mode, and a digest of all."""

    constants: Mapping[str, Any]
    network: nn.Module
    digest: str

    @property
    def params(self) -> int:
        """Parameters of the network."""
        return sum(parameter.numel() for parameter in self.network.parameters())


@dataclass(frozen=True)
class Teacher:
    """Which teacher, for whoever trains: small, so that it travels with every job; each process reads it once."""

    file: Path
    digest: str

    def network(self, device: str) -> nn.Module:
        """The network on a device. Raises `InputError` where the file is not what it was."""
        return _network(self, device)


def read(file: Path, what: str = "a teacher", remedy: str = REMEDY) -> Content:
    """Runs a Python file that has `load()` and `CLASSES`, as nas exports models, and loads its network.

    Raises `InputError`, which says `what` it should be and its `remedy`, where that cannot be done.
    """
    try:
        source = file.read_bytes()
    except OSError as error:
        raise InputError(f"{what} must be a file that can be read, but {file} cannot ({error.strerror})") from error
    # A module of its own under a name that nothing else has, as for a search space.
    module = ModuleType(f"nas_model_{file.stem}_{hashlib.sha256(source).hexdigest()[:16]}")
    module.__file__ = str(file.resolve())
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, file, "exec", dont_inherit=True), module.__dict__)
        missing = [name for name in ("load", "CLASSES") if not hasattr(module, name)]
        network = None if missing else module.load()
    except (Exception, SystemExit) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{what} must load, but {file} raised {reason}: {remedy}") from error
    if missing:
        raise InputError(f"{what} must define load() and CLASSES, but {file} has no {missing[0]}: {remedy}")
    if not isinstance(network, nn.Module):
        raise InputError(
            f"load() of {what} must return a torch module, but that of {file} returned {type(network).__name__}"
        )
    network.eval().requires_grad_(False)
    return Content(vars(module), network, _digest(source, network))


def _digest(source: bytes, network: nn.Module) -> str:
    """Of the text and of every number that was loaded: sixteen hexadecimal digits."""
    digest = hashlib.sha256(source)
    for name, values in sorted(network.state_dict().items()):
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        digest.update(values.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


@lru_cache(maxsize=4)
def _network(teacher: Teacher, device: str) -> nn.Module:
    content = read(teacher.file)
    if content.digest != teacher.digest:
        raise InputError(
            f"a teacher must stay as it was when the study began, but the content of {teacher.file} has the digest "
            f"{content.digest}, not {teacher.digest}: restore it from a copy"
        )
    network = content.network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
