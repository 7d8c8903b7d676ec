"""One candidate's training, an epoch at a time; it can stop after any epoch and go on in another process."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from nas.errors import InputError
from nas.network.architecture import Architecture
from nas.network.build import Network
from nas.training.augment import augment
from nas.training.device import Kernels, Precision
from nas.training.mix import Targets, mix
from nas.training.optimisers import MovingAverage, make_optimizer, make_schedule
from nas.training.quantised import Calibration, Quantiser, is_measured, is_simulated
from nas.training.recipe import Recipe
from nas.training.teacher import soft_label_loss

EVALUATION_BATCH = 250


class TrainingData(Calibration, Protocol):
    """What a training needs of a data set, besides what whole numbers do; `nas.datasets.Split` is one."""

    @property
    def train_images(self) -> Tensor: ...
    @property
    def train_labels(self) -> Tensor: ...
    @property
    def validation_images(self) -> Tensor: ...
    @property
    def validation_labels(self) -> Tensor: ...
    def to(self, device: str) -> "TrainingData": ...


@dataclass(frozen=True)
class EpochResult:
    """What one epoch gave; accuracies are fractions, `epoch` counts from 1, `seconds` include the evaluation.

    Where a recipe is for whole numbers, figures of the last epochs are those of whole numbers, and `float_accuracy` is
    what the network has in float32.
    """

    epoch: int
    train_loss: float
    train_accuracy: float  # on the augmented images, while the weights change; a mixed one counts as its larger part
    validation_loss: float
    validation_accuracy: float  # float32, after the epoch
    seconds: float
    float_accuracy: float | None = None

    @property
    def loss_of_whole_numbers(self) -> float | None:
        """What whole numbers cost, a fraction of the images; None where they were not measured."""
        return None if self.float_accuracy is None else self.float_accuracy - self.validation_accuracy


class TrainingRun:
    """An iterator of `EpochResult`s.

    Random numbers of an epoch derive from the seed and the epoch's number alone. So a run that was continued from a
    `state_dict` gives the same digits as one that was never interrupted.

    `convolutions`: paths of those that `nas.network.convolution` computes; in bfloat16 on one thread of a CPU alone.
    `teacher` gives the soft labels that the recipe may ask for: a network in evaluation mode, on the device. Raises
    `InputError` where the recipe asks for them and there is none. Likewise `quantiser`, which computes the whole
    numbers that the recipe may be for. What is trained as if in these is trained in float32, whatever the precision.
    `start`: weights by name, as `nas.training.start` reads them; all others are random.
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
        convolutions: Iterable[str] = (),
        teacher: nn.Module | None = None,
        quantiser: Quantiser | None = None,
        start: Mapping[str, Tensor] | None = None,
    ) -> None:
        recipe.augmentation.check_channels(architecture.input_shape[0])
        if recipe.teacher_weight > 0 and teacher is None:
            raise InputError(
                f"a recipe with a teacher_weight needs a teacher, but got teacher_weight={recipe.teacher_weight:g} and "
                "none: give one with --teacher, or leave the weight at 0"
            )
        if recipe.quantised and quantiser is None:
            raise InputError(
                "a recipe for whole numbers needs somebody who computes them, but got quantised=True and no quantiser: "
                "give nas.export.c.learning.WholeNumbers(), or leave quantised at False"
            )
        self.teacher = teacher if recipe.teacher_weight > 0 else None
        self.architecture, self.quantiser = architecture, quantiser
        self._simulation: Callable[[Tensor], Tensor] | None = None  # of the epoch that is trained
        self.recipe, self.data, self.seed = recipe, data, seed
        self.device, self.precision = torch.device(device), precision
        if self.device.type == "cuda":
            # Its convolutions would otherwise drop digits of float32, which is what accuracies are measured in.
            torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
        self.history: list[EpochResult] = []
        with seeded(seed, self.device):
            network = Network(architecture, data.mean, data.std)
        if start:
            network.load_state_dict({**network.state_dict(), **start})
        self.network: Network = network.to(self.device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if kernels == "numba":
            self.network.join_layers()
        self.network.convolve(convolutions)
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
        images, labels = self.data.validation_images, self.data.validation_labels
        validation_loss, validation_accuracy = evaluate(self.evaluated_network, images, labels)
        float_accuracy = None
        if is_measured(self.recipe, len(self.history) + 1):
            float_accuracy = validation_accuracy
            validation_loss, validation_accuracy = self._evaluate_in_whole_numbers(images, labels)
        result = EpochResult(
            epoch=len(self.history) + 1,
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
            seconds=time.perf_counter() - start,
            float_accuracy=float_accuracy,
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
        self._simulation = self._simulated()
        self.network.train()
        set_dropout(self.network, self.recipe, epoch)
        with seeded(epoch_seed, self.device):  # dropout draws from the global generator
            for batch in order.split(self.recipe.batch_size)[: self.n_batches]:
                inputs = augment(images[batch] / 255, self.recipe.augmentation, generator)
                inputs, targets = mix(inputs, labels[batch], self.recipe.augmentation, generator)
                loss, scores = self._step(inputs, targets)
                loss_sum += loss.detach() * len(batch)
                n_correct += (scores.argmax(1) == targets.main).sum()
                n_seen += len(batch)
        return loss_sum.item() / n_seen, n_correct.item() / n_seen

    def _step(self, inputs: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
        scores = self._scores(inputs.contiguous(memory_format=torch.channels_last))
        loss = targets.cross_entropy(scores.float(), self.recipe.label_smoothing)
        if self.teacher is not None:
            loss = self._with_soft_labels(loss, inputs, scores, self.teacher)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        if self.averaged is not None:
            self.averaged.update_parameters(self.network)
        return loss, scores

    def _scores(self, inputs: Tensor) -> Tensor:
        if self._simulation is not None:  # 256 levels are more than bfloat16 tells apart
            return self._simulation(inputs)
        with self._autocast():
            scores: Tensor = self.network(inputs)
        return scores

    def _simulated(self) -> Callable[[Tensor], Tensor] | None:
        """The network as it is in whole numbers now, if the next epoch is trained so: known from those before."""
        losses = [result.loss_of_whole_numbers for result in self.history]
        if self.quantiser is None or not is_simulated(losses, self.quantiser.most_loss):
            return None
        return self.quantiser.simulation(self.architecture, self.network, self.data)

    def _evaluate_in_whole_numbers(self, images: Tensor, labels: Tensor) -> tuple[float, float]:
        assert self.quantiser is not None
        scores, labels = (
            self.quantiser.scores(self.architecture, self.evaluated_network, self.data, images),
            labels.cpu(),
        )
        return F.cross_entropy(scores, labels).item(), int((scores.argmax(1) == labels).sum()) / len(labels)

    def _with_soft_labels(self, loss: Tensor, inputs: Tensor, scores: Tensor, teacher: nn.Module) -> Tensor:
        """The loss on labels and, with its weight, that on what the teacher sees in the very same augmented images."""
        with torch.no_grad(), self._autocast():
            wanted = teacher(inputs.contiguous(memory_format=torch.channels_last))
        weight = self.recipe.teacher_weight
        return (1 - weight) * loss + weight * soft_label_loss(scores.float(), wanted.float(), self.recipe.temperature)

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


@torch.no_grad()
def evaluate(network: nn.Module, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean loss and accuracy on `uint8` images, in float32."""
    network.eval()
    loss, n_correct = 0.0, 0
    for batch, targets in zip(images.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH), strict=True):
        scores = network(batch)
        loss += F.cross_entropy(scores, targets, reduction="sum").item()
        n_correct += int((scores.argmax(1) == targets).sum())
    return loss / len(images), n_correct / len(images)


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
