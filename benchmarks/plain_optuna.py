"""A search for a small MNIST network as people write it with Optuna alone: what nas is compared with.

    python benchmarks/plain_optuna.py --budget 20000 --target 0.994 --epochs 20 --seed 0 --data-dir DIR

TPE, MedianPruner, a `DataLoader` on PIL images, float32, all threads in one process, 0.0 for a network over the budget.
It holds 10,000 images out of the training set, and stops with the first epoch that has the target, as nas does. Prints
a JSON line an epoch.
"""

import argparse
import json
import time
from pathlib import Path

import optuna
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from nas.datasets.torchvision_compat import torchvision_datasets

MNIST = torchvision_datasets().MNIST
from torchvision import transforms  # noqa: E402 - the line above makes this import work with every build of torch

START = time.monotonic()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=int, default=20_000)
    parser.add_argument("--target", type=float, default=0.994)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder with MNIST/raw")
    parser.add_argument("--loader-workers", type=int, default=2)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    torch.manual_seed(arguments.seed)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=arguments.seed),
        pruner=optuna.pruners.MedianPruner(),
    )

    def stop_at_target(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if trial.value is not None and trial.value >= arguments.target:
            study.stop()

    study.optimize(lambda trial: objective(trial, arguments), callbacks=[stop_at_target])
    report(trial=study.best_trial.number, accuracy=study.best_value, reached=True)


def objective(trial: optuna.Trial, arguments: argparse.Namespace) -> float:
    model = build(trial)
    if sum(p.numel() for p in model.parameters()) > arguments.budget:
        return 0.0
    name = trial.suggest_categorical("optimizer", ["Adam", "SGD"])
    lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    options = {"momentum": 0.9} if name == "SGD" else {}
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=lr, **options)
    batch_size = trial.suggest_categorical("batch_size", [32, 64, 128, 256])
    train, validation = loaders(arguments, batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, epochs=arguments.epochs, steps_per_epoch=len(train))
    accuracy = 0.0
    for epoch in range(arguments.epochs):
        model.train()
        for images, labels in train:
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
            schedule.step()
        accuracy = evaluate(model, validation)
        report(trial=trial.number, epoch=epoch + 1, accuracy=accuracy)
        if accuracy >= arguments.target:
            break
        trial.report(accuracy, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return accuracy


def build(trial: optuna.Trial) -> nn.Module:
    """Two or three blocks of convolutions with batch norm, ReLU and dropout; global average pooling or not."""
    layers: list[nn.Module] = []
    channels = 1
    dropout = trial.suggest_float("dropout", 0.0, 0.3)
    n_blocks = trial.suggest_int("n_blocks", 2, 3)
    for block in range(n_blocks):
        for i in range(trial.suggest_int(f"convs_{block}", 1, 2)):
            width = trial.suggest_int(f"channels_{block}_{i}", 8, 64)
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        layers += [nn.MaxPool2d(2), nn.Dropout(dropout)]
    side = 28 // 2**n_blocks
    if trial.suggest_categorical("gap", [True, False]):
        layers += [nn.AdaptiveAvgPool2d(1)]
        side = 1
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * side * side, 10))


def loaders(
    arguments: argparse.Namespace, batch_size: int
) -> tuple[DataLoader[tuple[Tensor, Tensor]], DataLoader[tuple[Tensor, Tensor]]]:
    normalise = [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
    augment = [transforms.RandomRotation(5), transforms.RandomAffine(0, translate=(0.05, 0.05))]
    order = torch.randperm(60_000, generator=torch.Generator().manual_seed(0)).tolist()

    def part(changes: list[object], indices: list[int]) -> Dataset[tuple[Tensor, Tensor]]:
        return Subset(MNIST(arguments.data_dir, transform=transforms.Compose(changes)), indices)

    options = {"num_workers": arguments.loader_workers, "persistent_workers": arguments.loader_workers > 0}
    train = DataLoader(part([*augment, *normalise], order[:50_000]), batch_size, shuffle=True, **options)
    return train, DataLoader(part(normalise, order[50_000:]), 1000, **options)


@torch.no_grad()
def evaluate(model: nn.Module, loader: DataLoader[tuple[Tensor, Tensor]]) -> float:
    model.eval()
    return sum(int((model(images).argmax(1) == labels).sum()) for images, labels in loader) / 10_000


def report(**figures: float) -> None:
    print(json.dumps({"seconds": round(time.monotonic() - START, 1), **figures}), flush=True)


if __name__ == "__main__":
    main()
