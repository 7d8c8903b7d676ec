"""Muon for the weights of hidden layers with AdamW for all else, as one optimizer to schedules and checkpoints."""

from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW, Muon, Optimizer

MATRIX_NDIMS = (2, 4)  # weights of fully connected layers, and of convolutions


class MuonWithAdamW(Optimizer):
    """torch's `Muon` and `AdamW` side by side.

    Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) replaces a gradient by the nearest orthogonal matrix.
    As its authors advise it takes the hidden layers' weights, a convolution's as a matrix with a row for each output
    channel, and leaves to AdamW the last layer's weights and whatever is no matrix. Its steps are scaled to the size of
    AdamW's (Liu et al. 2025, arXiv 2502.16982, section 2.2), so one learning rate suits both.

    `weights` and `others` are groups as torch's optimizers take them, `params` with `weight_decay`; the weights in the
    order of the layers. In `param_groups` the hidden layers' are the matrices, which share the weights' memory.
    """

    def __init__(
        self, weights: dict[str, Any], others: dict[str, Any], lr: float, *, momentum: float, nesterov: bool
    ) -> None:
        self._hidden: list[Tensor] = [p for p in weights["params"] if p.ndim in MATRIX_NDIMS][:-1]
        self._matrices = [_matrix(each.detach(), like=each) for each in self._hidden]
        hidden = {id(each) for each in self._hidden}
        rest = {**weights, "params": [p for p in weights["params"] if id(p) not in hidden]}
        self._parts: list[Optimizer] = [AdamW([rest, others], lr, fused=True)]
        if self._hidden:
            decay = weights["weight_decay"]
            self._parts.append(Muon(self._matrices, lr, decay, momentum, nesterov, adjust_lr_fn="match_rms_adamw"))
        self._all: list[Tensor] = [*weights["params"], *others["params"]]
        # The default is for the one-cycle schedule, which moves the momentum of those that have one.
        super().__init__(self._groups(), {"momentum": momentum})

    def _groups(self) -> list[dict[str, Any]]:
        return [group for part in self._parts for group in part.param_groups]

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step of both. No `closure`: nobody here asks for one."""
        for weights, matrix in zip(self._hidden, self._matrices, strict=True):
            matrix.grad = None if weights.grad is None else _matrix(weights.grad, like=weights)
        for part in self._parts:
            part.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the network's gradients, which are not those of the matrices; `set_to_none` is always so."""
        for parameter in self._all:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Both optimizers' states."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from where `state_dict` was taken."""
        for part, state in zip(self._parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = self._groups()  # they are new ones, which schedules must change from now on


def _matrix(values: Tensor, *, like: Tensor) -> Tensor:
    """A row for each output; a view of a weight's values, whose columns stand as they lie in memory."""
    by_channel = values.ndim == 4 and not like.is_contiguous()  # channels_last
    return (values.permute(0, 2, 3, 1) if by_channel else values).reshape(len(values), -1)
