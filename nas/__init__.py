"""Finds the best small image classifier under a hard parameter budget.

result = nas.search(budget=20_000, target=0.994, epochs=20)
confirmed = nas.confirm(result)
study.optimize(nas.Objective("documented", "mnist", 20_000, epochs=5), n_trials=50)

Everything that the author of a search space needs is here, too: layers and heads, `Recipe`, `Candidate`, `Task`,
`widest`. What is behind a name is loaded when the name is first used.
"""

from typing import TYPE_CHECKING

from nas.lazy import lazily
from nas.version import __version__ as __version__

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

    from nas.errors import NasError
    from nas.network.architecture import Architecture
    from nas.network.blocks import (
        ChannelScale,
        ChannelShuffle,
        Parallel,
        PReLU,
        Repeat,
        Residual,
        SqueezeExcite,
        inverted_bottleneck,
    )
    from nas.network.build import Network
    from nas.network.cost import Budget, Cost, cost_of
    from nas.network.kinds import (
        Activation,
        AdaptiveAvgPool,
        AvgPool,
        BatchNorm,
        Conv,
        DepthwiseConv,
        Dropout,
        Dropout2d,
        Flatten,
        LayerSpec,
        Linear,
        MaxPool,
        Shape,
        conv_head,
        depthwise_separable,
        flatten_head,
        gap_head,
    )
    from nas.network.pools import BlurPool, GemPool, MaxAvgPool
    from nas.prediction.predicting import Prediction, predict
    from nas.searching.objective import Objective
    from nas.searching.options import SearchOptions
    from nas.searching.search import SearchResult
    from nas.space.candidate import Candidate, Task, widest
    from nas.study.confirmation import Confirmed
    from nas.terminal.notebook import confirm, search
    from nas.training.recipe import Augmentation, Recipe

__all__ = [
    "Activation",
    "AdaptiveAvgPool",
    "Architecture",
    "Augmentation",
    "AvgPool",
    "BaseTrial",
    "BatchNorm",
    "BlurPool",
    "Budget",
    "Candidate",
    "ChannelScale",
    "ChannelShuffle",
    "Confirmed",
    "Conv",
    "Cost",
    "DepthwiseConv",
    "Dropout",
    "Dropout2d",
    "Flatten",
    "GemPool",
    "LayerSpec",
    "Linear",
    "MaxAvgPool",
    "MaxPool",
    "NasError",
    "Network",
    "Objective",
    "PReLU",
    "Parallel",
    "Prediction",
    "Recipe",
    "Repeat",
    "Residual",
    "SearchOptions",
    "SearchResult",
    "Shape",
    "SqueezeExcite",
    "Task",
    "confirm",
    "conv_head",
    "cost_of",
    "depthwise_separable",
    "flatten_head",
    "gap_head",
    "inverted_bottleneck",
    "predict",
    "search",
    "widest",
]

__getattr__, __dir__ = lazily(
    "nas",
    {
        "Activation": "nas.network.kinds",
        "AdaptiveAvgPool": "nas.network.kinds",
        "AvgPool": "nas.network.kinds",
        "BatchNorm": "nas.network.kinds",
        "Conv": "nas.network.kinds",
        "DepthwiseConv": "nas.network.kinds",
        "Dropout": "nas.network.kinds",
        "Dropout2d": "nas.network.kinds",
        "Flatten": "nas.network.kinds",
        "LayerSpec": "nas.network.kinds",
        "Linear": "nas.network.kinds",
        "MaxPool": "nas.network.kinds",
        "Shape": "nas.network.kinds",
        "conv_head": "nas.network.kinds",
        "depthwise_separable": "nas.network.kinds",
        "flatten_head": "nas.network.kinds",
        "gap_head": "nas.network.kinds",
        "Architecture": "nas.network.architecture",
        "Budget": "nas.network.cost",
        "Cost": "nas.network.cost",
        "cost_of": "nas.network.cost",
        "ChannelScale": "nas.network.blocks",
        "ChannelShuffle": "nas.network.blocks",
        "Parallel": "nas.network.blocks",
        "PReLU": "nas.network.blocks",
        "Repeat": "nas.network.blocks",
        "Residual": "nas.network.blocks",
        "SqueezeExcite": "nas.network.blocks",
        "inverted_bottleneck": "nas.network.blocks",
        "BlurPool": "nas.network.pools",
        "GemPool": "nas.network.pools",
        "MaxAvgPool": "nas.network.pools",
        "Network": "nas.network.build",
        "Augmentation": "nas.training.recipe",
        "Recipe": "nas.training.recipe",
        "Candidate": "nas.space.candidate",
        "Task": "nas.space.candidate",
        "widest": "nas.space.candidate",
        "BaseTrial": "optuna.trial",
        "NasError": "nas.errors",
        "Objective": "nas.searching.objective",
        "SearchOptions": "nas.searching.options",
        "SearchResult": "nas.searching.search",
        "Confirmed": "nas.study.confirmation",
        "Prediction": "nas.prediction.predicting",
        "predict": "nas.prediction.predicting",
        "confirm": "nas.terminal.notebook",
        "search": "nas.terminal.notebook",
    },
    all_of="nas.network.kinds",  # a new kind is there as soon as its class is
)
