"""Which convolutions of a network numba computes: those of which a short measurement on this CPU found it faster.

Neither torch's library nor `nas.network.convolution` is faster for all: that depends on channels, pixels and padding.
What was measured is kept in the user's cache folder, once and for all, for this CPU and these versions: so all workers,
and whoever searches here again, choose alike. Where nothing can be kept torch computes all: others could not choose the
same.
"""

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from nas.files import cache_folder
from nas.network.architecture import Architecture, digest_of
from nas.network.kinds import Conv, pair
from nas.version import __version__

FEWEST_IMAGES, MOST_IMAGES = 8, 64  # in a batch that is measured: a larger one takes as long for each image
WARM_UP, FEWEST_REPEATS, SECONDS = 2, 5, 0.1  # of a measurement, which goes on for so long
GAIN = 0.95  # of torch's time; a smaller gain is not worth other digits


class Convolution(NamedTuple):
    """What a convolution's time depends on."""

    n_in: int
    n_out: int
    height: int
    width: int
    kernel: int
    padding: int
    bias: bool
    of_images: bool  # whose gradient nobody asks for
    batch: int


def choose(architecture: Architecture, batch_size: int) -> tuple[str, ...]:
    """The paths of the convolutions that numba is to compute in training in bfloat16 on one thread of this CPU."""
    from nas.network.convolution import suits

    # A power of two, so that batches of all sizes need few measurements.
    batch = max(FEWEST_IMAGES, min(MOST_IMAGES, 1 << (batch_size.bit_length() - 1)))
    chosen = []
    for position, (path, layer, _) in enumerate(architecture.plain_layers):
        spec = layer.spec
        if isinstance(spec, Conv) and suits(spec, layer.input_shape):
            n_in, height, width = layer.input_shape
            (kernel, _), (padding, _) = pair(spec.kernel), pair(spec.padding)
            asked = (n_in, spec.channels, height, width, kernel, padding, spec.bias, position == 0, batch)
            if _is_faster(Convolution(*asked)):
                chosen.append(path)
    return tuple(chosen)


@cache
def _is_faster(convolution: Convolution) -> bool:
    folder = _folder()
    if folder is None:
        return False
    path = folder / f"{digest_of(convolution._asdict())}.json"
    stored = _stored(path)
    if stored is None:
        milliseconds = measured(convolution)
        kept = {**convolution._asdict(), "milliseconds": milliseconds}
        _keep(json.dumps(kept), path)
        stored = _stored(path)
    return stored is not None and stored["numba"] < GAIN * stored["torch"]


def _keep(text: str, path: Path) -> None:
    """Writes it whole, unless another worker was faster: then that one's measurement counts."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        with suppress(OSError):
            partial.write_text(text, "utf-8")
            os.link(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _stored(path: Path) -> dict[str, float] | None:
    try:
        times = json.loads(path.read_text("utf-8"))["milliseconds"]
        return {name: float(times[name]) for name in ("torch", "numba")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


@cache
def _folder() -> Path | None:
    """Where measurements of this CPU with these versions are kept; None if they cannot be."""
    made_with = {"cpu": _cpu(), "nas": __version__, **{name: version(name) for name in ("torch", "numba")}}
    folder = cache_folder() / "convolutions" / digest_of(made_with)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


def _cpu() -> str:
    """Its family as the compiler calls it, and where the system tells it the model."""
    from llvmlite.binding import get_host_cpu_name

    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    model = next((line for line in lines if line.startswith("model name")), "")
    return f"{model} {get_host_cpu_name()}"


def measured(convolution: Convolution) -> dict[str, float]:
    """Milliseconds of this thread for a result and its gradients, computed by torch and by numba, in turns."""
    ways = _ways(convolution)
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(WARM_UP):
        for work in ways.values():
            work()
    n_repeats, begin = 0, time.thread_time()
    while n_repeats < FEWEST_REPEATS or time.thread_time() - begin < SECONDS:
        n_repeats += 1
        for name, work in ways.items():
            start = time.thread_time()
            work()
            best[name] = min(best[name], 1000 * (time.thread_time() - start))
    return best


def _ways(convolution: Convolution) -> dict[str, Callable[[], None]]:
    from nas.network.convolution import convolve

    n_in, n_out, height, width, kernel, padding, biased, of_images, batch = convolution
    generator = Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    x = drawn(batch, n_in, height, width).bfloat16().contiguous(memory_format=torch.channels_last)
    x.requires_grad_(not of_images)
    weight = drawn(n_out, n_in, kernel, kernel).contiguous(memory_format=torch.channels_last).requires_grad_()
    bias = drawn(n_out).requires_grad_() if biased else None
    inputs = [each for each in (x, weight, bias) if each is not None and each.requires_grad]
    tall, wide = height + 2 * padding - kernel + 1, width + 2 * padding - kernel + 1
    gradient = drawn(batch, n_out, tall, wide).bfloat16().contiguous(memory_format=torch.channels_last)

    def by_torch() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = F.conv2d(x, weight, bias, padding=padding)
        torch.autograd.grad(result, inputs, gradient)

    def by_numba() -> None:
        torch.autograd.grad(convolve(x, weight, bias, padding), inputs, gradient)

    return {"torch": by_torch, "numba": by_numba}
