"""What is counted is what is built: parameters, multiply-accumulates, peak memory and bytes, for any architecture."""

import json
from itertools import islice
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from shipped_spaces import SPACES
from strategies import architectures
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from nas.errors import InputError
from nas.network.architecture import Architecture
from nas.network.build import Network
from nas.network.cost import COSTS, Budget, Cost, cost_of
from nas.network.kinds import (
    Activation,
    AvgPool,
    BatchNorm,
    Conv,
    DepthwiseConv,
    Dropout,
    Flatten,
    Linear,
    MaxPool,
    gap_head,
)
from nas.space import finding as space
from nas.space.candidate import Task
from nas.space.probing import random_candidates

N_CANDIDATES = 800
A_TASK = 10  # candidates drawn for each task, so that there are 80 tasks
SHAPES = ((1, 28, 28), (3, 32, 32), (1, 8, 8), (2, 9, 31), (3, 37, 14), (4, 17, 17))
N_CLASSES = (2, 3, 10, 47, 100)
BUDGETS = (None, 1_000, 5_000, 20_000, 60_000, 250_000)
ONE_THREAD_FAST = 3_000_000  # MACs: above it, shapes without numbers are quicker than numbers

EVERYTHING = Architecture(
    (4, 13, 11),
    3,
    (
        *(Conv(6, 3, 2, 1, groups=2, bias=False), BatchNorm(affine=False), Activation("silu")),
        *(DepthwiseConv(2), AvgPool(2, 1, 1), MaxPool(3, 1), Dropout()),
        *(Flatten(), BatchNorm(), Linear(5, bias=False), BatchNorm(affine=False), Linear(3)),
    ),
)


def built(architecture: Architecture, device: str = "cpu") -> Network:
    channels = architecture.input_shape[0]
    with torch.device(device):
        return Network(architecture, [0.5] * channels, [0.25] * channels).eval()


def images_for(architecture: Architecture, n: int, device: str = "cpu") -> Tensor:
    return torch.zeros(n, *architecture.input_shape, device=device)


class CountedFlops(TorchDispatchMode):
    """What torch counts for the operations that a network comes down to.

    As FlopCounterMode does, less its search for more of them inside of all others, which takes most of its time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = operation(*args, **kwargs)
        if formula := flop_registry.get(operation.overloadpacket):
            self.total += formula(*args, **kwargs, out_val=result)
        return result


@torch.no_grad()
def check(architecture: Architecture) -> None:
    """Counted parameters, MACs and output shape against the module, and the architecture against its JSON."""
    cost = cost_of(architecture)
    device = "cpu" if cost.macs < ONE_THREAD_FAST else "meta"
    network = built(architecture, device)
    with CountedFlops() as counted:
        scores = network(images_for(architecture, 2, device))
    assert cost.params == sum(p.numel() for p in network.parameters())
    assert 2 * 2 * cost.macs == counted.total  # two images, and two operations each
    assert scores.shape == (2, architecture.n_classes)
    again = Architecture.from_dict(json.loads(json.dumps(architecture.to_dict())))
    assert again == architecture
    assert again.digest == architecture.digest


def tasks(seed: int) -> Any:
    random = Random(seed)
    while True:
        budget = Budget(random.choice(BUDGETS))
        yield Task(random.choice(SHAPES), random.choice(N_CLASSES), random.randint(1, 40), budget)


@pytest.mark.parametrize("n", [N_CANDIDATES // 4, pytest.param(N_CANDIDATES, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", SPACES)
def test_candidates_of_a_space_cost_what_is_counted(name: str, n: int) -> None:
    shipped = space.load(name)
    digests = set()
    for seed, task in enumerate(islice(tasks(0), n // A_TASK)):
        for candidate, _ in islice(random_candidates(shipped, task, seed), A_TASK):
            assert candidate.architecture.input_shape == task.image_shape
            assert candidate.architecture.n_classes == task.n_classes
            check(candidate.architecture)
            digests.add(candidate.digest)
    assert len(digests) > 0.9 * n, "the candidates differ"


@settings(deadline=None, max_examples=400)
@given(architectures())
@example(EVERYTHING)
def test_any_architecture_costs_what_is_counted(architecture: Architecture) -> None:
    check(architecture)


# Peak memory and bytes ------------------------------------------------------------------------------------------------

OVERWRITES = (
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.Dropout, nn.Dropout2d, nn.Flatten),
    *(nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Hardswish),
)


@torch.no_grad()
def recorded_memory(network: Network, images: Tensor) -> int:
    """The most bytes that a layer's input and output take together; of one that overwrites its input, only that."""
    sizes = []

    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        overwritten = isinstance(module, OVERWRITES)
        if overwritten:
            assert output.numel() == inputs[0].numel()
        sizes.append(inputs[0].nbytes + (0 if overwritten else output.nbytes))

    for layer in network:
        layer.register_forward_hook(record)
    network(images)
    assert len(sizes) == len(network)
    return max(sizes)


@settings(deadline=None, max_examples=300)
@given(architectures())
@example(EVERYTHING)
def test_memory_is_that_of_the_tensors_of_one_image(architecture: Architecture) -> None:
    assert cost_of(architecture).memory == recorded_memory(built(architecture), images_for(architecture, 1))


@settings(deadline=None, max_examples=300)
@given(architectures())
@example(EVERYTHING)
def test_bytes_are_those_of_the_stored_floats(architecture: Architecture) -> None:
    stored = built(architecture).state_dict().values()
    assert cost_of(architecture).bytes == sum(tensor.nbytes for tensor in stored if tensor.is_floating_point())


def test_costs_by_hand() -> None:
    """3×3 convolution, padded, of 2 channels to 4 on 8×6 pixels; a pool to 4×3; global pooling; 4 to 3."""
    layers = (Conv(4, padding=1), BatchNorm(), Activation(), MaxPool(), *gap_head(3))
    assert cost_of(Architecture((2, 8, 6), 3, layers)) == Cost(
        params=(2 * 9 * 4 + 4) + (4 + 4) + (4 * 3 + 3),
        macs=2 * 9 * 4 * 8 * 6 + 4 * 3,
        memory=4 * (2 * 8 * 6 + 4 * 8 * 6),
        bytes=4 * ((2 * 9 * 4 + 4) + (4 + 4) + (4 + 4) + (4 * 3 + 3)),
    )


# Budget ---------------------------------------------------------------------------------------------------------------

COST = Cost(params=20_000, macs=1_000_000, memory=40_000, bytes=80_000)


def test_a_violation_is_graded_and_relative_to_its_limit() -> None:
    budget = Budget(params=16_000, macs=2_000_000, bytes=80_000)
    assert budget.violations(COST) == {"params": 0.25, "macs": -0.5, "bytes": 0.0}
    assert budget.limits == {"params": 16_000, "macs": 2_000_000, "bytes": 80_000}
    violations = [Budget(params=limit).violations(COST)["params"] for limit in (40_000, 20_000, 19_999, 10_000, 1)]
    assert violations == sorted(violations)
    assert violations[1] == 0.0 < violations[2]


@pytest.mark.parametrize("name", ["params", "macs", "memory", "bytes"])
def test_a_limit_is_inclusive(name: str) -> None:
    count = getattr(COST, name)
    assert Budget(**{name: count}).admits(COST)
    assert Budget(**{name: count + 1}).admits(COST)
    assert not Budget(**{name: count - 1}).admits(COST)
    others = {other: 10**9 for other in ("params", "macs", "memory", "bytes") if other != name}
    assert Budget(**others).admits(COST)
    assert not Budget(**others, **{name: count - 1}).admits(COST), "one limit that is not met is enough"


def test_a_huge_limit_is_compared_exactly() -> None:
    """Float division must not round a violation of one away."""
    limit = 10**15
    assert not Budget(macs=limit).admits(Cost(macs=limit + 1))
    assert Budget(macs=limit).admits(Cost(macs=limit))


def test_no_limit_admits_everything() -> None:
    assert Budget().admits(COST)
    assert Budget().violations(COST) == Budget().limits == {}
    assert str(Budget()) == "no limit"
    assert str(Budget(params=20_000, memory=65_536)) == "20,000 parameters, 65,536 bytes of activations"


@pytest.mark.parametrize("name", ["params", "macs", "memory", "bytes"])
@pytest.mark.parametrize("limit", [0, -1, True, False, 20_000.0, float("nan"), "20000"])
def test_a_limit_is_a_whole_number_above_0(name: str, limit: Any) -> None:
    with pytest.raises(InputError) as caught:
        Budget(**{name: limit})
    assert f"{COSTS[name].option} must be a whole number above 0, but got {limit!r}" in str(caught.value)
