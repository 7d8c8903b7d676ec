"""Mixed images are what they are defined to be, and their labels have exactly the images' shares."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Generator, Tensor

from nas.training.mix import Targets, beta, mix, random_patches
from nas.training.recipe import Augmentation

N, HEIGHT, WIDTH = 64, 12, 9
LABELS = torch.arange(N) % 10
MIXUP, CUTMIX = Augmentation(mixup=0.7), Augmentation(cutmix=1.0)
BOTH = Augmentation(mixup=0.7, cutmix=1.0)


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def images(n: int = N) -> Tensor:
    return torch.rand(n, 2, HEIGHT, WIDTH, generator=generator(1))


def mixed(augmentation: Augmentation, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Images, their shares and the labels of what was mixed in."""
    result, targets = mix(images(), LABELS, augmentation, generator(seed))
    assert targets.labels is LABELS
    assert targets.others is not None
    assert targets.shares is not None
    assert torch.equal(targets.others, LABELS.roll(1))
    return result, targets.shares, targets.others


def test_mixup_is_a_weighted_mean_of_two_images() -> None:
    result, shares, _ = mixed(MIXUP)
    before = images()
    for i in range(N):
        share = shares[i].item()
        torch.testing.assert_close(result[i], share * before[i] + (1 - share) * before[i - 1], rtol=0, atol=1e-6)
    assert len(shares.unique()) > N / 2, "each image has its own"


def test_cutmix_shows_a_rectangle_of_another_image_and_weighs_labels_by_area() -> None:
    result, shares, _ = mixed(CUTMIX)
    before = images()
    sizes = set()
    for i in range(N):
        own = (result[i] == before[i]).all(0)
        assert torch.equal(result[i], torch.where(own, before[i], before[i - 1]))
        assert shares[i].item() == torch.tensor(own.sum().item() / (HEIGHT * WIDTH)).item(), "exactly"
        rows, columns = (~own).any(1), (~own).any(0)
        assert torch.equal(~own, rows.unsqueeze(1) & columns), "a rectangle"
        for line in (rows, columns):
            assert line.int().diff().abs().sum() <= 2, "without a gap"
        sizes.add((int(rows.sum()), int(columns.sum())))
    assert len(sizes) > 10


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_patches_are_cut_as_the_paper_cuts_them(share: float) -> None:
    """Of the image's ratio and 1 - share of its area, around any pixel, cut at the border."""
    patches = random_patches(torch.full((20_000,), share), HEIGHT, WIDTH, generator())[:, 0]
    half_height, half_width = (math.floor(0.5 * math.sqrt(1 - share) * size) for size in (HEIGHT, WIDTH))
    expected = {
        (
            *range(max(0, y - half_height), min(HEIGHT, y + half_height)),
            -1,
            *range(max(0, x - half_width), min(WIDTH, x + half_width)),
        )
        for y in range(HEIGHT)
        for x in range(WIDTH)
    }
    if half_height == 0 or half_width == 0:
        assert not patches.any()
        return
    of_lines = {
        (*rows.nonzero().flatten().tolist(), -1, *columns.nonzero().flatten().tolist())
        for rows, columns in zip(patches.any(2), patches.any(1), strict=True)
    }
    assert of_lines == expected


@pytest.mark.parametrize("alpha", [0.01, 0.2, 1.0, 5.0, 100.0])
def test_weights_are_of_a_beta_distribution(alpha: float) -> None:
    """By mean and variance, within five standard errors of 20,000 draws."""
    values = beta(alpha, 20_000, generator()).double()
    variance = 1 / (4 * (2 * alpha + 1))
    assert values.mean().item() == pytest.approx(0.5, abs=5 * math.sqrt(variance / 20_000))
    assert values.var().item() == pytest.approx(variance, rel=5 * math.sqrt(2 / 20_000))
    assert 0 <= values.min() <= values.max() <= 1


def test_a_uniform_weight_is_uniform() -> None:
    values = beta(1.0, 20_000, generator()).sort().values
    assert (values - torch.arange(1, 20_001) / 20_000).abs().max() < 1.95 / math.sqrt(20_000)


def test_with_both_each_image_is_mixed_in_one_of_the_two_ways() -> None:
    before = images(2_000)
    result, targets = mix(before, torch.zeros(2_000, dtype=torch.long), BOTH, generator())
    others = before.roll(1, 0)
    cut = ((result == before) | (result == others)).flatten(1).all(1)
    assert cut.double().mean().item() == pytest.approx(0.5, abs=0.06)
    assert targets.shares is not None
    shares = targets.shares.view(-1, 1, 1, 1)
    blended = shares * before + (1 - shares) * others
    torch.testing.assert_close(result[~cut], blended[~cut], rtol=0, atol=1e-6)
    areas = (result[cut] == before[cut]).all(1).double().mean((1, 2))
    torch.testing.assert_close(targets.shares[cut].double(), areas, rtol=0, atol=1e-6)


@pytest.mark.parametrize("augmentation", [MIXUP, CUTMIX, BOTH])
def test_the_generator_decides_and_nothing_is_changed_in_place(augmentation: Augmentation) -> None:
    before, labels = images(), LABELS.clone()
    result, targets = mix(before, labels, augmentation, generator(2))
    assert torch.equal(before, images())
    assert torch.equal(labels, LABELS)
    again, same = mix(before, labels, augmentation, generator(2))
    assert torch.equal(result, again)
    assert targets.shares is not None
    assert same.shares is not None
    assert torch.equal(targets.shares, same.shares)
    assert not torch.equal(result, mix(before, labels, augmentation, generator(3))[0])


def test_without_mixing_nothing_is_drawn_or_copied() -> None:
    before, source = images(), generator()
    result, targets = mix(before, LABELS, Augmentation(rotation=5, cutout=3), source)
    assert result is before
    assert targets.main is LABELS
    assert torch.equal(source.get_state(), generator().get_state())


# The loss -------------------------------------------------------------------------------------------------------------

shares_of_four = st.lists(st.floats(0, 1), min_size=4, max_size=4)


@given(shares_of_four, st.sampled_from([0.0, 0.1, 0.5]))
def test_the_loss_is_the_cross_entropy_with_mixed_labels(shares: list[float], smoothing: float) -> None:
    """torch computes it for probabilities of classes, too, here in float64."""
    scores = torch.randn(4, 5, generator=generator()) * 3
    labels, others = torch.tensor([0, 1, 2, 3]), torch.tensor([3, 1, 4, 0])
    own = torch.tensor(shares).unsqueeze(1).double()
    probabilities = own * F.one_hot(labels, 5) + (1 - own) * F.one_hot(others, 5)
    expected = F.cross_entropy(scores.double(), probabilities, label_smoothing=smoothing)
    loss = Targets(labels, others, torch.tensor(shares)).cross_entropy(scores, smoothing)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-5)


def test_a_mixed_image_counts_as_its_larger_part() -> None:
    targets = Targets(torch.tensor([0, 1, 2]), torch.tensor([5, 6, 7]), torch.tensor([0.4, 0.5, 0.9]))
    assert targets.main.tolist() == [5, 1, 2]
