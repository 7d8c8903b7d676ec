"""Distillation: a teacher's scores as one more term of the loss, and what is said of it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.errors import InputError
from nas.network.architecture import Architecture
from nas.network.build import Network
from nas.network.kinds import Activation, Conv, gap_head
from nas.training.recipe import Augmentation, Recipe
from nas.training.run import TrainingRun
from nas.training.teacher import soft_label_loss

Run = Callable[..., CompletedProcess[str]]
SEARCH = ("search", "--space", "tiny", "--budget", "1500", "--epochs", "2", "--trials", "2", "--workers", "1")
SEARCH = (*SEARCH, "--pruner", "none", "--sampler", "random", "--study", "taught")


@given(st.integers(1, 5), st.integers(2, 6), st.floats(0.5, 10), st.integers(0, 99))
def test_the_loss_is_its_definition(n: int, n_classes: int, temperature: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores, wanted = (3 * torch.randn(n, n_classes, generator=generator).double() for _ in range(2))
    own, teachers = (torch.softmax(each / temperature, 1) for each in (scores, wanted))
    by_hand = temperature**2 * (teachers * (teachers.log() - own.log())).sum(1).mean()
    torch.testing.assert_close(soft_label_loss(scores, wanted, temperature), by_hand)
    assert soft_label_loss(wanted, wanted, temperature).abs() < 1e-9


class Data:
    """Twenty images of two classes."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (20, 1, 8, 8), generator=generator, dtype=torch.uint8)
        self.train_images = self.validation_images = images
        self.train_labels = self.validation_labels = torch.arange(20) % 2
        self.mean, self.std = (0.5,), (0.25,)

    def to(self, device: str) -> "Data":
        return self


SMALL = Architecture((1, 8, 8), 2, (Conv(3), Activation(), *gap_head(2)))


def test_soft_labels_are_of_the_same_augmented_images_and_weigh_what_the_recipe_says() -> None:
    """One step: the loss of an epoch of one batch is told before the weights change, so it can be computed by hand."""
    seen: list[torch.Tensor] = []
    teacher = Network(SMALL, (0.5,), (0.25,)).eval()
    teacher.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].clone()))
    recipe = Recipe(epochs=1, batch_size=20, augmentation=Augmentation(rotation=20))
    taught = Recipe(**{**vars(recipe), "teacher_weight": 0.3, "temperature": 2.0})
    plain = TrainingRun(SMALL, recipe, Data(), seed=1)
    student = TrainingRun(SMALL, taught, Data(), seed=1, teacher=teacher)
    of_student: list[torch.Tensor] = []
    student.network.register_forward_pre_hook(lambda module, inputs: of_student.append(inputs[0].clone()))
    before = Network(SMALL, (0.5,), (0.25,))
    before.load_state_dict(student.network.state_dict())
    loss, labels_loss = next(student).train_loss, next(plain).train_loss
    assert torch.equal(seen[0], of_student[0])
    assert not torch.equal(seen[0], Data().train_images / 255)
    with torch.no_grad():
        soft = soft_label_loss(before(seen[0]), teacher(seen[0]), 2.0)
    assert loss == pytest.approx(0.7 * labels_loss + 0.3 * soft.item(), rel=1e-5)


def test_a_weight_without_a_teacher_is_refused() -> None:
    with pytest.raises(InputError, match="needs a teacher"):
        TrainingRun(SMALL, Recipe(epochs=1, teacher_weight=0.5), Data(), seed=0)


def test_a_run_that_is_gone_on_from_gives_the_same_digits() -> None:
    teacher = Network(SMALL, (0.5,), (0.25,)).eval()
    recipe = Recipe(epochs=3, batch_size=8, teacher_weight=0.5)
    whole = list(TrainingRun(SMALL, recipe, Data(), seed=3, teacher=teacher))
    first = TrainingRun(SMALL, recipe, Data(), seed=3, teacher=teacher)
    next(first)
    second = TrainingRun(SMALL, recipe, Data(), seed=3, teacher=teacher)
    second.load_state_dict(first.state_dict())
    rest = list(second)
    assert [each.train_loss for each in (*second.history[:1], *rest)] == [each.train_loss for each in whole]


def test_recipes_without_a_teacher_are_stored_as_before() -> None:
    assert not {"teacher_weight", "temperature"} & Recipe().to_dict().keys()
    taught = Recipe(teacher_weight=0.5, temperature=2.0)
    assert Recipe.from_dict(json.loads(json.dumps(taught.to_dict()))) == taught
    assert Recipe(temperature=2.0).effective() == Recipe().effective(), "a temperature of nothing"


def model_of(folder: Path) -> Path:
    (model,) = (folder / "runs").glob("*.py")
    return model


def test_an_automatic_teacher_is_trained_once_and_named_everywhere(nas: Run, tmp_path: Path) -> None:
    done = nas(*SEARCH, "--teacher", "auto", "--format", "c")
    assert done.returncode == 0, done.stderr
    model = model_of(tmp_path)
    for file in (model, model.with_suffix(".md"), model.with_suffix(".h")):
        assert "Distilled: the scores of a teacher" in " ".join(file.read_text().replace("*", " ").split()), file
    assert "never on images of the validation part" in " ".join(model.read_text().split())
    assert "teacher" in nas("status", "--study", "taught").stdout
    trained = model.stem.rpartition("_")[2]  # ..._trial_3
    again = nas("retrain", "--study", "taught", "--trial", trained)
    assert again.returncode == 0, again.stderr + again.stdout
    (teacher,) = (tmp_path / "runs" / "teachers").glob("*.py")
    stamp = teacher.stat().st_mtime_ns
    more = nas(*SEARCH[:8], "3", *SEARCH[9:], "--teacher", "auto")
    assert more.returncode == 0, more.stderr
    assert teacher.stat().st_mtime_ns == stamp, "it is not trained again"
    without = nas(*SEARCH)
    assert without.returncode == 2
    assert "teacher" in without.stderr
    teacher.rename(tmp_path / "elsewhere.py")
    gone = nas("retrain", "--study", "taught", "--trial", trained)
    assert gone.returncode == 2
    assert gone.stderr.count("\n") == 1
    assert "restore it, or say with --teacher FILE.py where it is" in gone.stderr


def test_a_model_of_an_earlier_search_is_a_teacher(nas: Run, small_search: Path, tmp_path: Path) -> None:
    (model,) = (small_search / "runs").glob("*.py")
    for file in (model, model.with_suffix(".safetensors")):
        shutil.copy(file, tmp_path / file.name)
    done = nas(*SEARCH, "--teacher", model.name)
    assert done.returncode == 0, done.stderr
    assert f"a teacher, {model.stem}" in " ".join(model_of(tmp_path).read_text().split())
    (tmp_path / model.name).write_text((tmp_path / model.name).read_text() + "\n# changed\n")
    trained = model_of(tmp_path).stem.rpartition("_")[2]
    again = nas("retrain", "--study", "taught", "--trial", trained)
    assert again.returncode == 2
    assert "digest" in again.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "must be a file that can be read"),
        ("CLASSES = ('a', 'b')\n", "has no load"),
        ("def load(): return 3\nCLASSES = ()\n", "must return a torch module"),
        ("import torch\ndef load(): return torch.nn.Flatten()\nCLASSES = ('a', 'b')\n", "must know the classes"),
        (
            "import torch\ndef load(): return torch.nn.Flatten()\nCLASSES = tuple('0123456789')\n",
            "must give a finite score a class",
        ),
        ("1 / 0\n", "must load, but"),
    ],
)
def test_a_file_that_can_be_no_teacher_is_refused(nas: Run, tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "any.py").write_text(text)
    done = nas(*SEARCH, "--teacher", "any.py")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert not (tmp_path / "runs" / "nas.db").exists()


def test_a_teacher_that_has_seen_validation_images_is_refused(nas: Run, small_search: Path, tmp_path: Path) -> None:
    (model,) = (small_search / "runs").glob("*.py")
    for file in (model, model.with_suffix(".safetensors")):
        shutil.copy(file, tmp_path / file.name)
    done = nas(*SEARCH, "--teacher", model.name, "--validation", "600")
    assert done.returncode == 2
    assert "must not have seen the images of the validation part" in done.stderr
