"""One candidate's training, an epoch at a time; it can stop after any epoch and go on in another process."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

import torch
import torch.nn.functional as F
from torch import Generator, Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, StepLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from nas.architecture import Architecture
from nas.augment import augment
from nas.errors import InputError
from nas.module import Network
from nas.recipe import Recipe

Precision = Literal["float32", "bfloat16"]
Kernels = Literal["torch", "numba"]  # who computes batch norm, ReLU and pooling in training
EVALUATION_BATCH = 250


class TrainingData(Protocol):
    """What a training needs of a data set; `nas.datasets.Split` is one."""

    @property
    def train_images(self) -> Tensor: ...
    @property
    def train_labels(self) -> Tensor: ...
    @property
    def validation_images(self) -> Tensor: ...
    @property
    def validation_labels(self) -> Tensor: ...
    @property
    def mean(self) -> tuple[float, ...]: ...
    @property
    def std(self) -> tuple[float, ...]: ...
    def to(self, device: str) -> "TrainingData": ...


@dataclass(frozen=True)
class EpochResult:
    """What one epoch gave; accuracies are fractions, `epoch` counts from 1, `seconds` include the evaluation."""

    epoch: int
    train_loss: float
    train_accuracy: float  # on the augmented images, while the weights change
    validation_loss: float
    validation_accuracy: float  # float32, after the epoch
    seconds: float


class TrainingRun:
    """An iterator of `EpochResult`s.

    Random numbers of an epoch derive from the seed and the epoch's number alone. So a run that was continued from a
    `state_dict` gives the same digits as one that was never interrupted.
    """

    def __init__(
        self,
        architecture: Architecture,
        recipe: Recipe,
        data: TrainingData,
        *,
        seed: int,
        device: str = "cpu",
        precision: Precision = "float32",
        kernels: Kernels = "torch",
    ) -> None:
        self.recipe, self.data, self.seed = recipe, data, seed
        self.device, self.precision = torch.device(device), precision
        if self.device.type == "cuda":
            # Its convolutions would otherwise drop digits of float32, which is what accuracies are measured in.
            torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
        self.history: list[EpochResult] = []
        with seeded(seed, self.device):
            network = Network(architecture, data.mean, data.std)
        self.network: Network = network.to(self.device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if kernels == "numba":
            self.network.join_layers()
        self.averaged = self._averaged_network()
        self.optimizer = make_optimizer(self.network, recipe)
        self.schedule = make_schedule(self.optimizer, recipe, self.n_batches)

    @property
    def n_batches(self) -> int:
        """Batches in an epoch; a last one of a single image is left out, since batch norm cannot use it."""
        n, size = len(self.data.train_images), self.recipe.batch_size
        return max(1, n // size + (n % size > 1))

    @property
    def finished(self) -> bool:
        """Whether all epochs are done."""
        return len(self.history) >= self.recipe.epochs

    @property
    def evaluated_network(self) -> Network:
        """The network that figures are about: the averaged one, if the recipe averages."""
        if self.averaged is None:
            return self.network
        return cast(Network, self.averaged.module)

    def __iter__(self) -> Iterator[EpochResult]:
        return self

    def __next__(self) -> EpochResult:
        if self.finished:
            raise StopIteration
        start = time.perf_counter()
        train_loss, train_accuracy = self._train_epoch(len(self.history))
        validation_loss, validation_accuracy = evaluate(
            self.evaluated_network, self.data.validation_images, self.data.validation_labels
        )
        result = EpochResult(
            epoch=len(self.history) + 1,
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
            seconds=time.perf_counter() - start,
        )
        self.history.append(result)
        return result

    def state_dict(self) -> dict[str, Any]:
        """Everything that a run made with the same arguments needs to go on; `torch.save` takes it."""
        return {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict() if self.averaged is not None else None,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": [vars(result) for result in self.history],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from where `state_dict` was taken."""
        self.network.load_state_dict(state["network"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.history = [EpochResult(**result) for result in state["history"]]

    def _averaged_network(self) -> "MovingAverage | None":
        if not self.recipe.ema:
            return None
        return MovingAverage(self.network, self.recipe.ema * self.n_batches)

    def _train_epoch(self, epoch: int) -> tuple[float, float]:
        """One pass over the training part; returns its mean loss and accuracy."""
        images, labels = self.data.train_images, self.data.train_labels
        # 100,003 is prime and above any number of epochs; a generator's seed has 63 bits.
        epoch_seed = (self.seed * 100_003 + epoch) % 2**63
        generator = Generator(self.device).manual_seed(epoch_seed)
        order = torch.randperm(len(images), generator=generator, device=self.device)
        loss_sum = torch.zeros((), device=self.device)
        n_correct = torch.zeros((), dtype=torch.int64, device=self.device)
        n_seen = 0
        self.network.train()
        set_dropout(self.network, self.recipe, epoch)
        with seeded(epoch_seed, self.device):  # dropout draws from the global generator
            for batch in order.split(self.recipe.batch_size)[: self.n_batches]:
                inputs = augment(images[batch] / 255, self.recipe.augmentation, generator)
                loss, scores = self._step(inputs, labels[batch])
                loss_sum += loss.detach() * len(batch)
                n_correct += (scores.argmax(1) == labels[batch]).sum()
                n_seen += len(batch)
        return loss_sum.item() / n_seen, n_correct.item() / n_seen

    def _step(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        with self._autocast():
            scores = self.network(inputs.contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(scores.float(), labels, label_smoothing=self.recipe.label_smoothing)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        if self.averaged is not None:
            self.averaged.update_parameters(self.network)
        return loss, scores

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


@torch.no_grad()
def evaluate(network: Network, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean loss and accuracy on `uint8` images, in float32."""
    network.eval()
    loss, n_correct = 0.0, 0
    for batch, targets in zip(images.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH), strict=True):
        scores = network(batch)
        loss += F.cross_entropy(scores, targets, reduction="sum").item()
        n_correct += int((scores.argmax(1) == targets).sum())
    return loss / len(images), n_correct / len(images)


def moving_average(window: float) -> Callable[[Any, Any, Any], None]:
    """An exponential moving average over `window` steps, over fewer at the start.

    Without the shorter start the first weights, which are random, would spoil the average for several windows. The
    rule is TensorFlow's (`ExponentialMovingAverage`, `num_updates`): a decay of at most (1 + n) / (10 + n).
    """

    def update(averaged: Any, current: Any, n_averaged: Tensor) -> None:
        n = int(n_averaged)
        decay = min(1 - 1 / max(1.0, window), (1 + n) / (10 + n))
        get_ema_multi_avg_fn(decay)(averaged, current, n_averaged)

    return update


class MovingAverage(AveragedModel):
    """A network's `moving_average` over `window` steps, of batch norm's statistics too.

    torch's `AveragedModel`, but for the tensors, which it looks up at every step: that takes as long as a twentieth of
    a small network's training. Here they are looked up once.
    """

    def __init__(self, network: Network, window: float) -> None:
        super().__init__(network, use_buffers=True)
        self._move = moving_average(window)
        of_average, of_network = self.module.state_dict(), network.state_dict()
        floats = [name for name, values in of_network.items() if values.is_floating_point()]
        self._average = [of_average[name] for name in floats]
        self._current = [of_network[name] for name in floats]
        self._counters = [(of_average[name], of_network[name]) for name in of_network if name not in floats]

    @torch.no_grad()
    def update_parameters(self, model: torch.nn.Module) -> None:
        """Moves along after a step of `model`, which must be the network that this was made of."""
        if self.n_averaged == 0:
            torch._foreach_copy_(self._average, self._current)
        else:
            self._move(self._average, self._current, self.n_averaged)
        for average, current in self._counters:
            average.copy_(current)
        self.n_averaged += 1


def make_optimizer(network: Network, recipe: Recipe) -> Optimizer:
    """The recipe's optimizer; weight decay spares biases and batch norm unless the recipe asks otherwise."""
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": recipe.weight_decay * recipe.decay_all},
    ]
    match recipe.optimizer:
        case "sgd":
            return SGD(groups, recipe.lr, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=True)
        case "adam":
            return Adam(groups, recipe.lr, fused=True)
        case "adamw":
            return AdamW(groups, recipe.lr, fused=True)
        case "rmsprop":
            return RMSprop(groups, recipe.lr, momentum=recipe.momentum, foreach=True)


def make_schedule(optimizer: Optimizer, recipe: Recipe, n_batches: int) -> LRScheduler:
    """The recipe's learning rate schedule, stepped after every batch."""
    n_steps = recipe.epochs * n_batches
    n_warmup = recipe.warmup * n_steps

    def linear(step: int) -> float:
        rising = (step + 1) / (n_warmup + 1)
        return min(rising, max(0.0, (n_steps - step) / max(1.0, n_steps - n_warmup)))

    def cosine(step: int) -> float:
        progress = (step - n_warmup) / max(1.0, n_steps - n_warmup)
        falling = 0.5 + 0.5 * torch.cos(torch.tensor(torch.pi * min(1.0, progress))).item()
        return (step + 1) / (n_warmup + 1) if step < n_warmup else falling

    match recipe.schedule:
        case "constant":
            return LambdaLR(optimizer, lambda step: 1.0)
        case "step":
            return StepLR(optimizer, recipe.step_epochs * n_batches, recipe.step_factor)
        case "onecycle":
            # One step more than there are, since the scheduler is also stepped after the last batch; and a rise of at
            # least one step, since it would divide by its length otherwise.
            n_steps += 1
            return OneCycleLR(optimizer, recipe.lr, total_steps=n_steps, pct_start=max(recipe.warmup, 2 / n_steps))
        case "linear":
            return LambdaLR(optimizer, linear)
        case "cosine":
            return LambdaLR(optimizer, cosine)


def set_dropout(network: Network, recipe: Recipe, epoch: int) -> None:
    """Scales every dropout rate for this epoch (from 0) as the recipe's dropout schedule says."""
    share = epoch / max(1, recipe.epochs - 1)
    factor = {"constant": 1.0, "rising": share, "falling": 1 - share}[recipe.dropout_schedule]
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout | torch.nn.Dropout2d):
            asked: float = module.__dict__.setdefault("asked_rate", module.p)
            module.p = asked * factor


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """torch's global generators set to `seed` inside, and as they were afterwards."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def resolve_precision(precision: str, device: str) -> Precision:
    """`auto` is bfloat16 where the hardware computes it, else float32."""
    match precision:
        case "float32" | "bfloat16":
            return precision
        case "auto":
            native = torch.cuda.is_bf16_supported() if device.startswith("cuda") else _cpu_has_bfloat16()
            return "bfloat16" if native else "float32"
    raise InputError(f"precision must be auto, float32 or bfloat16, but got {precision!r}")


def best_kernels(device: str, n_threads: int) -> Kernels:
    """numba's on a CPU, where one thread does all the work; torch's layers use several."""
    return "numba" if device == "cpu" and n_threads == 1 else "torch"


def resolve_device(device: str) -> str:
    """`auto` is cuda where there is one, else cpu."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError:
        kind = ""
    if kind not in ("cpu", "cuda"):
        raise InputError(f"device must be auto, cpu, cuda or cuda:N, but got {device!r}")
    if kind == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device {device!r} needs a CUDA torch and a GPU, and none is there: use --device cpu")
    return device


def _cpu_has_bfloat16() -> bool:
    """Instructions for bfloat16 products; torch would emulate them otherwise, slower than float32."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in checks)
