"""What a convolution costs in training on one thread of a CPU, in each way there is, and which widths cost much.

    python benchmarks/convolutions.py [--batch 128] [--repeats 40] [layers] [step] [widths]

`layers`: those of B5, forward, gradient of the input, gradient of the weights: torch in bfloat16 and float32, with
channels last and contiguous, with channels padded to a multiple of 16, as one product of unfolded images, and nas
(`nas.network.convolution`). Each is what autocast computes, without its casts, the padded ones also without the copies
into padded memory. `step`: a whole step of B5 and A10 with torch's layers, with joined ones, with those convolutions of
nas's besides that a worker chooses (`nas.execution.choosing`), and with all that suit. `widths`: a step of a chain of
two convolutions of so many channels in each of three stages (28, 14 and 7 pixels), and by how much the best width above
it, at most 8 channels away, is cheaper a MAC.

Ways take turns, each twice, and the second time counts, so that none pays for what the one before left in the caches.
Of all repeats the smallest counts, of the thread's own time, so that others' load hurts little.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from nas import Activation, Architecture, BatchNorm, Conv, LayerSpec, MaxPool, Recipe, gap_head
from nas.execution.choosing import choose
from nas.network.build import Network
from nas.network.convolution import convolve, suits
from nas.network.cost import cost_of
from nas.space import documented
from nas.training.device import multiplies_bfloat16
from nas.training.optimisers import make_optimizer

Work = Callable[[], object]
B5 = {  # input and output channels, pixels, kernel, padding
    "conv1": (1, 16, 28, 3, 1),
    "conv2": (16, 20, 28, 3, 0),
    "conv3": (20, 28, 13, 3, 0),
    "conv4": (28, 36, 11, 3, 0),
    "conv5": (36, 48, 4, 1, 0),
}
STEPS = ("torch", "joined", *(("chosen", "all that suit") if multiplies_bfloat16() else ()))
PARTS = ([True, False, False], [False, True, True])  # gradients of the input; of weights and bias


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", default=["layers", "step", "widths"])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=40)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{processor()}, torch {torch.__version__}, one thread, batch {arguments.batch}, ", end="")
    print(f"smallest of {arguments.repeats} repeats, load {load}")
    for table in arguments.tables:
        {"layers": print_layers, "step": print_steps, "widths": print_widths}[table](arguments.batch, arguments.repeats)


def processor() -> str:
    """As Linux calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    of_first = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in reversed(lines))}
    return f"{of_first['model name']} (family {of_first['cpu family']}, model {of_first['model']})"


def shortest(ways: dict[str, Work], repeats: int) -> dict[str, float]:
    """Milliseconds of each way."""
    best = dict.fromkeys(ways, float("inf"))
    for turn in range(repeats + 2):
        for name, work in ways.items():
            work()
            start = time.thread_time()
            work()
            if turn > 1:
                best[name] = min(best[name], 1000 * (time.thread_time() - start))
    return best


def print_layers(batch: int, repeats: int) -> None:
    for name, (n_in, n_out, size, kernel, padding) in B5.items():
        pixels = (size + 2 * padding - kernel + 1) ** 2
        billions = 2 * batch * pixels * n_out * n_in * kernel**2 / 1e9
        print(f"\n{name}: {n_in} to {n_out} channels, {size}×{size}, {kernel}×{kernel}, padding {padding}")
        print("| way | forward, ms | gradient of input, ms | of weights, ms | all, ms | GFLOP/s |")
        print("|---|---|---|---|---|---|")
        ways = ways_of(batch, n_in, n_out, size, kernel, padding)
        times = shortest({f"{way} {i}": work for way, works in ways.items() for i, work in enumerate(works)}, repeats)
        for way, works in ways.items():
            parts = [times[f"{way} {i}"] for i in range(len(works))]
            whole, cells = sum(parts), [f"{part:.2f}" for part in parts]
            if n_in == 1:
                cells.insert(1, "-")  # nobody wants that of an image
            elif len(cells) == 2:
                cells = [cells[0], "both:", cells[1]]
            rate = billions * (2 + (n_in > 1)) / whole * 1000
            print(f"| {way} | {' | '.join(cells)} | {whole:.2f} | {rate:.0f} |", flush=True)


def ways_of(batch: int, n_in: int, n_out: int, size: int, kernel: int, padding: int) -> dict[str, list[Work]]:
    """Forward and backward, of each way."""
    last, dense = torch.channels_last, torch.contiguous_format
    up = [-(-n // 16) * 16 for n in (n_in, n_out)]
    parts = PARTS if n_in > 1 else PARTS[1:]
    of_torch = partial(torch_works, batch, size=size, kernel=kernel, padding=padding, parts=parts)
    ways = {
        "bfloat16, channels last": of_torch(n_in, n_out, dtype=torch.bfloat16, layout=last),
        "bfloat16, contiguous": of_torch(n_in, n_out, dtype=torch.bfloat16, layout=dense),
        "float32, channels last": of_torch(n_in, n_out, dtype=torch.float32, layout=last),
        "float32, contiguous": of_torch(n_in, n_out, dtype=torch.float32, layout=dense),
        "padded input": of_torch(up[0], n_out, dtype=torch.bfloat16, layout=last),
        "padded output": of_torch(n_in, up[1], dtype=torch.bfloat16, layout=last),
        "padded both": of_torch(*up, dtype=torch.bfloat16, layout=last),
        "unfolded, one product": unfolded_works(batch, n_in, n_out, size, kernel, padding),
    }
    if multiplies_bfloat16() and kernel > 1:
        weight, bias = torch.randn(n_out, n_in, kernel, kernel), torch.randn(n_out)
        images = torch.randn(batch, n_in, size, size).bfloat16().contiguous(memory_format=last)
        images.requires_grad_(n_in > 1)
        result = convolve(images, weight.requires_grad_(), bias.requires_grad_(), padding)
        gradient = torch.randn(result.shape).bfloat16().contiguous(memory_format=last)
        ways["nas"] = [
            lambda: convolve(images, weight, bias, padding),
            lambda: result.backward(gradient, retain_graph=True),
        ]
    return ways


def torch_works(
    batch: int,
    n_in: int,
    n_out: int,
    *,
    size: int,
    kernel: int,
    padding: int,
    parts: Sequence[list[bool]],
    dtype: torch.dtype,
    layout: torch.memory_format,
) -> list[Work]:
    images = torch.randn(batch, n_in, size, size).to(dtype).contiguous(memory_format=layout)
    weight = torch.randn(n_out, n_in, kernel, kernel).to(dtype).contiguous(memory_format=layout)
    bias = torch.randn(n_out).to(dtype)
    how = ([1, 1], [padding, padding], [1, 1], False, [0, 0], 1)
    result = torch.ops.aten.convolution(images, weight, bias, *how)
    gradient = torch.randn_like(result)
    backward = torch.ops.aten.convolution_backward
    return [
        lambda: torch.ops.aten.convolution(images, weight, bias, *how),
        *(partial(backward, gradient, images, weight, [n_out], *how, part) for part in parts),
    ]


def unfolded_works(batch: int, n_in: int, n_out: int, size: int, kernel: int, padding: int) -> list[Work]:
    """In bfloat16: `(n * pixels, inputs of a pixel)`, written once, times the weights."""
    images = torch.randn(batch, n_in, size, size).bfloat16()
    weight = torch.randn(n_out, n_in * kernel * kernel).bfloat16()
    n_pixels = (size + 2 * padding - kernel + 1) ** 2

    def unfold() -> Tensor:
        return F.unfold(images, kernel, padding=padding).transpose(1, 2).reshape(batch * n_pixels, -1)

    columns, gradient = unfold(), torch.randn(batch * n_pixels, n_out).bfloat16()

    def of_input() -> Tensor:
        folded = (gradient @ weight).view(batch, n_pixels, -1).transpose(1, 2)
        return F.fold(folded, size, kernel, padding=padding)

    return [lambda: unfold() @ weight.t(), *([of_input] if n_in > 1 else []), lambda: gradient.t() @ columns]


def training_step(architecture: Architecture, recipe: Recipe, way: str, batch: int) -> Work:
    torch.manual_seed(0)
    network = Network(architecture, (0.1307,), (0.3081,))
    network.to(memory_format=torch.channels_last)
    if way != "torch":
        network.join_layers()
    if way == "chosen":
        network.convolve(choose(architecture, batch))
    elif way == "all that suit":
        network.convolve(suiting(architecture))
    network.train()
    optimizer = make_optimizer(network, recipe)
    images, labels = torch.rand(batch, *architecture.input_shape), torch.randint(0, 10, (batch,))

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            scores = network(images)
        optimizer.zero_grad()
        F.cross_entropy(scores.float(), labels).backward()
        optimizer.step()

    return step


def suiting(architecture: Architecture) -> list[str]:
    convolutions = [(path, layer.spec, layer.input_shape) for path, layer, _ in architecture.plain_layers]
    return [path for path, spec, shape in convolutions if isinstance(spec, Conv) and suits(spec, shape)]


def print_steps(batch: int, repeats: int) -> None:
    print("\n| step of | " + " | ".join(f"{way}, ms" for way in STEPS) + " |\n|---" + "|---" * len(STEPS) + "|")
    for name in ("B5", "A10"):
        candidate = documented.load(name).candidate
        ways = {way: training_step(candidate.architecture, candidate.recipe, way, batch) for way in STEPS}
        times = shortest(ways, repeats)
        print(f"| {name} | " + " | ".join(f"{each:.2f}" for each in times.values()) + " |", flush=True)


def chain(width: int) -> Architecture:
    """Two convolutions of so many channels in each of three stages, as the default space builds them."""
    layers: list[LayerSpec] = []
    for stage in range(3):
        layers += [MaxPool(2)] * (stage > 0)
        layers += [Conv(width, padding=1), BatchNorm(), Activation("relu")] * 2
    return Architecture((1, 28, 28), 10, (*layers, *gap_head(10)))


def print_widths(batch: int, repeats: int) -> None:
    widths, shown = range(8, 65), STEPS[1:]
    times: dict[str, dict[int, float]] = {way: {} for way in shown}
    for width in widths:
        ways = {way: training_step(chain(width), Recipe(), way, batch) for way in shown}
        for way, milliseconds in shortest(ways, max(5, repeats // 4)).items():
            times[way][width] = milliseconds
    macs = {width: cost_of(chain(width)).macs for width in widths}
    print("\n| width | " + " | ".join(f"{way}, ms | GMAC/s | cheaper above" for way in shown) + " |")
    print("|---" * (1 + 3 * len(shown)) + "|")
    for width in widths:
        cells = [cells_of(width, times[way], macs, batch) for way in shown]
        print(f"| {width} | " + " | ".join(cells) + " |")


def cells_of(width: int, times: dict[int, float], macs: dict[int, int], batch: int) -> str:
    """A step, its rate, and the width at most 8 above that takes the least time for a MAC, with how much less."""

    def of_a_mac(each: int) -> float:
        return times[each] / macs[each]

    best = min((each for each in times if width <= each <= width + 8), key=of_a_mac)
    rate = 3 * batch * macs[width] / times[width] / 1e6
    return f"{times[width]:.2f} | {rate:.0f} | {best}: {1 - of_a_mac(best) / of_a_mac(width):.0%}"


if __name__ == "__main__":
    main()
