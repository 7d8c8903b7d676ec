"""Optimizers, learning rate schedules and the moving average of weights, as a recipe asks for them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, NAdam, Optimizer, RMSprop
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, StepLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from nas.network.build import Network
from nas.training.muon import MuonWithAdamW
from nas.training.recipe import Recipe


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
    weights = {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay}
    decay = recipe.weight_decay * recipe.decay_all
    others = {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": decay}
    groups = [weights, others]
    match recipe.optimizer:
        case "sgd":
            return SGD(groups, recipe.lr, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=True)
        case "adam":
            return Adam(groups, recipe.lr, fused=True)
        case "adamw":
            return AdamW(groups, recipe.lr, fused=True)
        case "rmsprop":
            return RMSprop(groups, recipe.lr, momentum=recipe.momentum, foreach=True)
        case "nadam":
            return NAdam(groups, recipe.lr, foreach=True)
        case "muon":
            return MuonWithAdamW(weights, others, recipe.lr, momentum=recipe.momentum, nesterov=recipe.nesterov)


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
