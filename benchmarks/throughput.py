"""Images trained per second by the whole machine: the pipeline of the documents, and nas, on the same work.

    python benchmarks/throughput.py [--rounds 3] [--images 60000] [--data-dir DIR] [--only NAME ...]

The documents' pipeline: torchvision transforms on PIL images, a `DataLoader`, float32, all threads in one process, one
network at a time. nas: as many workers as cores, each training the same network. Both train on the same images with the
same batch size, augmentation and optimizer, and evaluate 10,000 images after the epoch, which is part of the time. They
take turns in one run; the median of the rounds is shown. Starting processes and reading data is timed on neither side.

Then nas alone, on a residual network and on a chain of the same convolutions, which takes as many products: what
branches cost (`--only branches` for that alone).
"""

import argparse
import platform
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader

from nas import Activation, Architecture, BatchNorm, Conv, LayerSpec, MaxPool, Residual, datasets, gap_head
from nas.datasets.splitting import Split
from nas.datasets.torchvision_compat import torchvision_datasets
from nas.execution.job import Job
from nas.execution.placement import n_cores
from nas.execution.processes import ProcessExecutor
from nas.network.build import Network
from nas.network.cost import Budget, cost_of
from nas.space import documented
from nas.space import finding as space
from nas.space.candidate import Candidate, Task
from nas.space.probing import random_candidates
from nas.training.device import resolve_precision
from nas.training.optimisers import make_optimizer, make_schedule
from nas.training.recipe import Augmentation

torchvision_datasets()
from PIL import Image  # noqa: E402
from torchvision import transforms  # noqa: E402 - the call above makes this import work with every build of torch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=60_000, help="to train on; fewer for a quick look")
    parser.add_argument("--loader-workers", type=int, nargs="+", default=[0, 2], help="the best of these counts")
    parser.add_argument("--only", nargs="+", help="names of candidates")
    parser.add_argument("--data-dir", type=Path)
    arguments = parser.parse_args()
    split = whole(arguments.data_dir, arguments.images)
    print(f"{n_cores()} cores, {platform.machine()}, torch {torch.__version__}, {arguments.rounds} rounds", flush=True)
    print("| candidate | parameters | documents' pipeline, images/s | nas, images/s | ratio |\n|---|---|---|---|---|")
    for name, candidate in candidates().items():
        if not arguments.only or name in arguments.only:
            row(name, candidate, split, arguments)
    if not arguments.only or "branches" in arguments.only:
        print_branches(split, arguments.rounds)


def candidates() -> dict[str, Candidate]:
    """B5, A10, and the first two random candidates of the default space that are feasible at 20,000 parameters."""
    task = Task((1, 28, 28), 10, 20, Budget(20_000))
    drawn = (candidate for candidate, _ in random_candidates(space.load(space.DEFAULT), task))
    feasible = islice((c for c in drawn if task.budget.admits(cost_of(c.architecture))), 2)
    named = {name: documented.load(name).candidate for name in ("B5", "A10")}
    return named | {f"random {i}": candidate for i, candidate in enumerate(feasible)}


def row(name: str, candidate: Candidate, split: Split, arguments: argparse.Namespace) -> None:
    rates: dict[str, list[float]] = {"nas": []}
    with_nas = NasSide(split)
    try:
        for _ in range(arguments.rounds):
            for workers in arguments.loader_workers:
                rates.setdefault(f"loader {workers}", []).append(plain_rate(candidate, split, workers))
            rates["nas"].append(with_nas.rate(candidate))
    finally:
        with_nas.executor.close()
    medians = {side: statistics.median(values) for side, values in rates.items()}
    plain = max(rate for side, rate in medians.items() if side != "nas")
    params = cost_of(candidate.architecture).params
    print(f"| {name} | {params:,} | {plain:,.0f} | {medians['nas']:,.0f} | {medians['nas'] / plain:.2f} |", flush=True)


def print_branches(split: Split, rounds: int) -> None:
    recipe = documented.load("B5").candidate.recipe
    networks = {"residual": branching(residual=True), "chain": branching(residual=False)}
    rates: dict[str, list[float]] = {name: [] for name in networks}
    with_nas = NasSide(split)
    try:
        for _ in range(rounds):
            for name, architecture in networks.items():
                rates[name].append(with_nas.rate(Candidate(architecture, recipe)))
    finally:
        with_nas.executor.close()
    print("\n| network | parameters | MMAC | nas, images/s |\n|---|---|---|---|")
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, architecture in networks.items():
        cost = cost_of(architecture)
        print(f"| {name} | {cost.params:,} | {cost.macs / 1e6:.2f} | {medians[name]:,.0f} |")
    print(f"residual to chain: {medians['residual'] / medians['chain']:.2f}", flush=True)


def branching(*, residual: bool) -> Architecture:
    """Three stages of a convolution and twice two: the bodies of residual blocks, or simply in the chain."""
    layers: list[LayerSpec] = []
    for stage, width in enumerate((12, 20, 28)):
        norm, relu = BatchNorm(), Activation("relu")
        body = (Conv(width, padding=1), norm, relu, Conv(width, padding=1), norm)
        layers += [MaxPool(2)] * (stage > 0)
        layers += [Conv(width, padding=1), norm, relu]
        layers += [*([Residual(body)] if residual else body), relu] * 2
    return Architecture((1, 28, 28), 10, (*layers, *gap_head(10)))


def whole(data_dir: Path | None, n_images: int) -> Split:
    """Training images to train on; 10,000 of them stand in for what is evaluated, since no accuracy matters here."""
    dataset = datasets.load("mnist", data_dir)
    split = datasets.split(dataset)
    return replace(
        split,
        train_images=dataset.images[:n_images].clone(),
        train_labels=dataset.labels[:n_images].clone(),
    )


class NasSide:
    """Workers that live through all rounds, as they do in a search."""

    def __init__(self, split: Split) -> None:
        self.n_images = len(split.train_images)
        self.executor = ProcessExecutor(split, n_cores(), 1)
        self.precision = resolve_precision("auto", "cpu")

    def rate(self, candidate: Candidate) -> float:
        """Images per second of all workers together in the second epoch; the first warms up."""
        jobs = [Job(candidate_for(candidate, 2), seed, precision=self.precision) for seed in range(n_cores())]
        with ThreadPoolExecutor(len(jobs)) as pool:
            seconds = list(pool.map(lambda job: list(self.executor.run(job))[-1].seconds, jobs))
        return sum(self.n_images / each for each in seconds)


def candidate_for(candidate: Candidate, epochs: int) -> Candidate:
    return replace(candidate, recipe=replace(candidate.recipe, epochs=epochs))


class Pictures(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """What `torchvision.datasets.MNIST` does with its arrays."""

    def __init__(self, images: Tensor, labels: Tensor, transform: transforms.Compose) -> None:
        self.images, self.labels, self.transform = images[:, 0], labels, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.images[index].numpy(), mode="L")
        return self.transform(picture), int(self.labels[index])


def plain_rate(candidate: Candidate, split: Split, loader_workers: int) -> float:
    """Images per second of one epoch and its evaluation, after a few steps that warm up."""
    torch.set_num_threads(n_cores())
    recipe = candidate.recipe
    network = Network(candidate.architecture, (0.0,), (1.0,))  # the transforms normalise
    optimizer = make_optimizer(network, recipe)
    schedule = make_schedule(
        optimizer, candidate_for(candidate, 2).recipe, len(split.train_images) // recipe.batch_size
    )
    normalise = [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
    changes = transforms.Compose([*pil_changes(recipe.augmentation), *normalise])
    options = {"num_workers": loader_workers, "persistent_workers": loader_workers > 0}
    train = DataLoader(Pictures(split.train_images, split.train_labels, changes), recipe.batch_size, True, **options)
    pictures = Pictures(split.validation_images, split.validation_labels, transforms.Compose(normalise))
    test = DataLoader(pictures, 1000, **options)
    for images, labels in islice(train, 5):
        step(network, optimizer, images, labels)
    start = time.perf_counter()
    network.train()
    for images, labels in train:
        step(network, optimizer, images, labels)
        schedule.step()
    network.eval()
    with torch.no_grad():
        sum(int((network(images).argmax(1) == labels).sum()) for images, labels in test)
    return len(split.train_images) / (time.perf_counter() - start)


def step(network: Network, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> None:
    optimizer.zero_grad()
    F.cross_entropy(network(images), labels).backward()
    optimizer.step()


def pil_changes(augmentation: Augmentation) -> Sequence[object]:
    """The augmentation as the documents write it."""
    changes: list[object] = []
    if augmentation.crops:
        crop = transforms.CenterCrop if augmentation.crop_position == "centre" else transforms.RandomCrop
        changes += [transforms.RandomApply([crop(augmentation.crop)], p=augmentation.crop_probability)]
        changes += [transforms.Resize((28, 28))]
    if augmentation.rotation:
        changes += [transforms.RandomRotation(augmentation.rotation)]
    if augmentation.translation:
        changes += [transforms.RandomAffine(0, translate=(augmentation.translation,) * 2)]
    return changes


if __name__ == "__main__":
    main()
