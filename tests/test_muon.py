"""Muon turns hidden layers by orthogonal matrices, AdamW moves the rest, and both are one optimizer."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon

from nas.network.architecture import Architecture
from nas.network.build import Network
from nas.network.kinds import Activation, BatchNorm, Conv, DepthwiseConv, Flatten, Linear, flatten_head
from nas.training.optimisers import make_optimizer, make_schedule
from nas.training.recipe import Recipe

NETWORK = Architecture(
    (2, 9, 9),
    4,
    (
        *(Conv(6, 3), BatchNorm(), Activation(), DepthwiseConv(3), Conv(5, 1), Activation()),
        *(Flatten(), Linear(7), Activation(), Linear(4)),
    ),
)
RECIPE = Recipe(optimizer="muon", lr=0.01, momentum=0.8, nesterov=True, weight_decay=0.1)


def network(*, channels_last: bool = True) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = Network(NETWORK, [0.5, 0.5], [0.2, 0.2])
    return made.to(memory_format=torch.channels_last) if channels_last else made  # type: ignore[call-overload,no-any-return]


def hidden(module: nn.Module) -> list[str]:
    """Names of the weights that are matrices or convolutions', but for the last."""
    return [name for name, parameter in module.named_parameters() if parameter.ndim in (2, 4)][:-1]


def set_gradients(module: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        gradient = torch.randn(parameter.shape, generator=generator)
        parameter.grad = torch.empty_like(parameter).copy_(gradient)  # lies in memory as its parameter, as torch's do


def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in module.named_parameters()}


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("decay_all", [True, False])
def test_it_is_torchs_muon_and_adamw(channels_last: bool, decay_all: bool) -> None:
    """On copies of the weights as matrices. Muon sums in bfloat16, for channels_last over columns in another order."""
    trained = network(channels_last=channels_last)
    before, of_muon = weights(trained), hidden(trained)
    assert len(of_muon) == 4
    plain = {n: nn.Parameter((w.flatten(1) if n in of_muon else w).clone()) for n, w in before.items()}
    muon = Muon([plain[name] for name in of_muon], 0.01, 0.1, 0.8, True, adjust_lr_fn="match_rms_adamw")
    spared = {"params": [p for p in plain.values() if p.ndim == 1], "weight_decay": 0.1 * decay_all}
    (last,) = (name for name, p in plain.items() if p.ndim > 1 and name not in of_muon)
    adamw = AdamW([spared, {"params": [plain[last]], "weight_decay": 0.1}], 0.01)
    optimizer = make_optimizer(trained, replace(RECIPE, decay_all=decay_all))
    for seed in range(3):
        set_gradients(trained, seed)
        for name, parameter in trained.named_parameters():
            assert parameter.grad is not None
            plain[name].grad = parameter.grad.flatten(1) if name in of_muon else parameter.grad.clone()
        for each in (optimizer, muon, adamw):
            each.step()
    for name, after in weights(trained).items():
        moved, expected = after - before[name], plain[name].detach().view(after.shape) - before[name]
        assert moved.any()
        if name in of_muon:
            assert (moved - expected).norm() < 0.02 * expected.norm(), name
        else:
            torch.testing.assert_close(moved, expected, rtol=1e-4, atol=1e-6)


def test_a_hidden_layer_is_moved_by_a_nearly_orthogonal_matrix_of_adamws_size() -> None:
    """torch's constants are said to leave singular values between 0.5 and 1.5; bfloat16 adds some 2 %."""
    trained = network()
    before = weights(trained)
    optimizer = make_optimizer(trained, Recipe(optimizer="muon", lr=0.01, momentum=0.0))
    set_gradients(trained, 0)
    optimizer.step()
    for name in hidden(trained):
        moved = (weights(trained)[name] - before[name]).flatten(1)
        sizes = torch.linalg.svdvals(moved) / (0.01 * 0.2 * max(moved.shape) ** 0.5)
        assert sizes.min() > 0.48, name
        assert sizes.max() < 1.52, name


def test_gradients_are_forgotten() -> None:
    trained = network()
    optimizer = make_optimizer(trained, RECIPE)
    set_gradients(trained, 0)
    optimizer.step()
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in trained.parameters())
    before = weights(trained)
    optimizer.step()
    assert all(torch.equal(before[name], after) for name, after in weights(trained).items()), "nothing to go by"


def test_a_schedule_moves_both_also_after_a_state_was_loaded() -> None:
    trained = network()
    optimizer = make_optimizer(trained, RECIPE)
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    schedule = make_schedule(optimizer, replace(RECIPE, schedule="step", step_epochs=1, step_factor=0.0), 1)
    set_gradients(trained, 0)
    start = weights(trained)
    optimizer.step()
    schedule.step()
    before = weights(trained)
    assert all((start[name] != values).any() for name, values in before.items())
    optimizer.step()
    assert all(torch.equal(before[name], after) for name, after in weights(trained).items()), "the rate is 0 for both"


def test_one_cycle_moves_the_momentum_of_muon() -> None:
    optimizer = make_optimizer(network(), RECIPE)
    make_schedule(optimizer, replace(RECIPE, schedule="onecycle"), 5)
    (of_muon,) = (group for group in optimizer.param_groups if "nesterov" in group)
    assert of_muon["momentum"] == 0.95
    assert [group["betas"] for group in optimizer.param_groups if "betas" in group] == [(0.9, 0.999)] * 2


def test_where_no_layer_is_hidden_all_is_adamws() -> None:
    """Whose first step is the learning rate for each weight."""
    trained = Network(Architecture((1, 3, 3), 2, flatten_head(2)), [0.5], [0.2])
    before = weights(trained)
    optimizer = make_optimizer(trained, Recipe(optimizer="muon", lr=0.01))
    set_gradients(trained, 0)
    optimizer.step()
    for name, after in weights(trained).items():
        torch.testing.assert_close((after - before[name]).abs(), torch.full_like(after, 0.01), rtol=1e-3, atol=0)
