"""torch modules of the blocks, which torch itself does not have. An exported file gets the source of those it needs.

So each is written as one writes it: torch alone, no names of nas.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, no-any-return, index"
# Nobody writes annotations into such a file.

import torch
import torch.nn.functional as F
from torch import nn


class Residual(nn.Module):
    """What `body` makes of its input, added to that input, or to what `shortcut` makes of it."""

    def __init__(self, body, shortcut=None):
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x):
        return self.body(x) + (x if self.shortcut is None else self.shortcut(x))


class Concatenated(nn.ModuleList):
    """What several branches make of the same input, channel behind channel."""

    def forward(self, x):
        return torch.cat([branch(x) for branch in self], 1)


class Added(nn.ModuleList):
    """The sum of what several branches make of the same input."""

    def forward(self, x):
        total = self[0](x)
        for branch in self[1:]:
            total = total + branch(x)
        return total


class NormInTurn(nn.Module):
    """Batch norm within what is repeated: one scale and shift, but statistics of its own each time.

    `times`: of the repeats around it, the outermost first; `turn`: at which time each of them is.
    """

    def __init__(self, channels, times, affine=True):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None
        self.register_buffer("running_mean", torch.zeros(*times, channels))
        self.register_buffer("running_var", torch.ones(*times, channels))
        self.momentum, self.eps = 0.1, 1e-5
        self.turn = [0] * len(times)

    def forward(self, x):
        turn = tuple(self.turn)
        mean, var = self.running_mean[turn], self.running_var[turn]  # views: training moves them
        return F.batch_norm(x, mean, var, self.weight, self.bias, self.training, self.momentum, self.eps)


class Repeated(nn.Module):
    """`body` applied so many times, with the same weights each time; `level`: how many repeats are around it."""

    def __init__(self, body, times, level=0):
        super().__init__()
        self.body = body
        self.times = times
        self.level = level
        self.in_turn = [module for module in body.modules() if hasattr(module, "turn")] if times > 1 else []

    def forward(self, x):
        for time in range(self.times):
            for norm in self.in_turn:
                norm.turn[self.level] = time
            x = self.body(x)
        return x


class SqueezeExcite(nn.Module):
    """Each channel times a number from 0 to 1, which the means of all channels decide."""

    def __init__(self, channels, hidden, gate="sigmoid"):
        super().__init__()
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)
        self.gate = getattr(F, gate)

    def forward(self, x):
        factors = self.gate(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
        return x * factors[:, :, None, None]


class Padded(nn.Module):
    """Averages over squares of `stride` pixels, and further channels of zeros behind the others."""

    def __init__(self, stride, n_zeros):
        super().__init__()
        self.stride = stride
        self.n_zeros = n_zeros

    def forward(self, x):
        if self.stride > 1:
            x = F.avg_pool2d(x, self.stride, ceil_mode=True)
        return F.pad(x, (0, 0, 0, 0, 0, self.n_zeros))


class ChannelScale(nn.Module):
    """Each channel times a learned number, which begins at `start`."""

    def __init__(self, channels, start=1.0):
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels, 1, 1), start))

    def forward(self, x):
        return x * self.scale


class BlurPool(nn.Module):
    """Every `stride`-th pixel of a blur with the weights (1, 2, 1) / 4; of maxima over 2×2 pixels if `maximum`."""

    def __init__(self, stride=2, maximum=True):
        super().__init__()
        self.stride = stride
        self.maximum = maximum

    def forward(self, x):
        if self.maximum:
            x = F.max_pool2d(x, 2, 1)
        x = F.pad(x, (1, 1, 1, 1), "replicate")
        return F.avg_pool2d(F.avg_pool2d(x, 2, 1), 2, self.stride)  # two means of two: the weights 1, 2, 1


class MaxAvgPool(nn.Module):
    """The mean of the largest number and the average of a channel."""

    def forward(self, x):
        return 0.5 * (x.amax((2, 3), keepdim=True) + x.mean((2, 3), keepdim=True))


class GemPool(nn.Module):
    """The generalised mean of a channel, with a learned power of at least 1."""

    def __init__(self, start=3.0):
        super().__init__()
        self.power = nn.Parameter(torch.tensor([start]))

    def forward(self, x):
        power = self.power.clamp(min=1.0)
        powers = x.float().clamp(min=1e-6).pow(power)
        return powers.mean((2, 3), keepdim=True).pow(1 / power)
