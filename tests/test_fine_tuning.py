"""An exported model is trained on, on other pictures: its weights are kept, its head where it can be."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import safetensors.torch
import torch
from frozen_models import PROVENANCE, TINY, frozen
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from strategies import architectures
from test_cli import check_refused

from nas.datasets.dataset import Dataset
from nas.errors import ArchitectureError, InputError
from nas.execution.placement import Placement
from nas.export.python import METADATA, definition_in
from nas.export.writing import write
from nas.network.architecture import Architecture
from nas.network.build import Network
from nas.network.heads import with_classes
from nas.network.kinds import Activation, BatchNorm, Conv, DepthwiseConv, Flatten, MaxPool
from nas.replication.batch import Means, Training
from nas.replication.fine_tuning import fine_tune
from nas.training.recipe import Recipe
from nas.training.run import EpochResult
from nas.training.teacher import read

Run = Callable[..., CompletedProcess[str]]
RECIPE = Recipe(epochs=3, batch_size=32, lr=0.05)


@given(architectures(), st.integers(2, 9))
def test_a_new_head_changes_what_is_behind_the_last_weights_alone(architecture: Architecture, n_classes: int) -> None:
    try:
        headed = with_classes(architecture, n_classes)
    except (InputError, ArchitectureError):
        return
    assert headed.architecture.n_classes == n_classes
    before, after = (Network(each, (0.0,) * 9, (1.0,) * 9).state_dict() for each in (architecture, headed.architecture))
    assert before.keys() == after.keys()
    differing = {name.split(".")[0] for name in before if before[name].shape != after[name].shape}
    assert differing <= set(headed.anew)
    assert bool(headed.anew) == (n_classes != architecture.n_classes)


def test_a_head_that_is_no_layer_of_its_own_is_refused() -> None:
    layers = (Conv(3), BatchNorm(), DepthwiseConv(3), Activation(), MaxPool(4), Flatten())
    headed = with_classes(Architecture((1, 8, 8), 3, layers), 5)
    assert headed.architecture.layers[0] == Conv(5)  # a depthwise convolution has as many channels as it gets
    with pytest.raises(InputError, match="a new head takes the place"):
        with_classes(Architecture((3, 8, 8), 3, (DepthwiseConv(8), Flatten())), 5)


@pytest.fixture(scope="module")
def model(mnist: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported network of ten classes, whose weights are random."""
    model = frozen(TINY, recipe=RECIPE, provenance=replace(PROVENANCE, epochs=3))
    images, labels = mnist.images[:500], mnist.labels[:500]
    with torch.no_grad():
        right = (model.network()(images).argmax(1) == labels).float().mean().item()
    made = replace(model.provenance, validation_accuracy=round(right * 500) / 500, fingerprint="0123")
    return write(replace(model, provenance=made), "base", tmp_path_factory.mktemp("base"), images, labels).files[0]


def pictures(mnist: Dataset, folder: Path, classes: str, n: int = 300, size: int = 28) -> str:
    """A data set of real pictures: digits in folders by these names."""
    for number, (image, label) in enumerate(zip(mnist.images[-n:, 0], mnist.labels[-n:].tolist(), strict=True)):
        if label < len(classes):
            (folder / "train" / classes[label]).mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(image.numpy()).resize((size, size))
            picture.save(folder / "train" / classes[label] / f"{number}.png")
    return f"folder:{folder}"


def inline(folder: Path) -> Means:
    return Means(workers=1, folder=folder, placement=Placement(executor="inline"))


def weights_of(file: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(file.with_suffix(".safetensors"))


@pytest.mark.parametrize("classes", ["abc", "0123456789"])
def test_the_training_starts_with_the_weights_of_the_model(
    mnist: Dataset, model: Path, tmp_path: Path, classes: str
) -> None:
    """With a learning rate of next to nothing they are still there, but for the statistics of batch norm."""
    data = pictures(mnist, tmp_path / "new", classes)
    tuned = fine_tune(model, data, epochs=1, lr=1e-30, means=inline(tmp_path / "trainings"), out=tmp_path / "out")
    before, after = weights_of(model), weights_of(tuned.model)
    head = {"fc1.weight", "fc1.bias"}
    kept = [name for name in before if "running" not in name and (len(classes) == 10 or name not in head)]
    assert len(kept) >= 4
    assert all(torch.equal(before[name], after[name]) for name in kept)
    assert after["fc1.weight"].shape[0] == len(classes)

    content = read(tuned.model)
    assert content.constants["CLASSES"] == tuple(classes)
    assert content.constants["MEAN"] == read(model).constants["MEAN"]
    assert content.constants["TRAINED_ON"]["certain"] is False
    text = " ".join(content.constants["__doc__"].split())
    assert "Fine-tuned from the weights of base" in text
    assert ("with a new head" in text) == (len(classes) != 10)


def test_recipe_and_network_come_from_the_model_and_the_rate_is_a_tenth(
    mnist: Dataset, model: Path, tmp_path: Path
) -> None:
    data = pictures(mnist, tmp_path / "new", "abc")
    seen: list[Training] = []
    tuned = fine_tune(
        model,
        data,
        means=inline(tmp_path / "trainings"),
        out=tmp_path / "out",
        on_stage=lambda name, trainings: seen.extend(trainings),
    )
    (training,) = seen
    assert training.candidate.recipe == replace(RECIPE, lr=0.005)
    assert training.candidate.architecture.layers[:-1] == TINY.layers[:-1]
    definition = definition_in(tuned.model.with_suffix(".safetensors").read_bytes())
    assert definition == (training.candidate.architecture, training.candidate.recipe)


@pytest.mark.slow
def test_it_goes_on_where_it_was_interrupted_to_the_same_digits(mnist: Dataset, model: Path, tmp_path: Path) -> None:
    data = pictures(mnist, tmp_path / "new", "abcd")
    results: dict[str, list[float]] = {}

    def tune(name: str, stop_after: int | None = None) -> Path:
        losses = results[name] = []

        def note(training: Training, result: EpochResult) -> None:
            losses.append(result.train_loss)
            if result.epoch == stop_after:
                raise KeyboardInterrupt

        return fine_tune(model, data, means=inline(tmp_path / name), out=tmp_path / f"out-{name}", on_epoch=note).model

    whole = tune("whole")
    with pytest.raises(KeyboardInterrupt):
        tune("halved", stop_after=2)
    assert not (tmp_path / "out-halved").exists() or not list((tmp_path / "out-halved").glob("*.py"))
    again = tune("halved")
    assert results["halved"] == results["whole"]
    assert again.with_suffix(".safetensors").read_bytes() == whole.with_suffix(".safetensors").read_bytes()
    assert tune("halved") == again  # made already, and the same file


def test_the_command_says_what_it_does_and_what_it_refuses(
    nas: Run, mnist: Dataset, model: Path, tmp_path: Path
) -> None:
    data = pictures(mnist, tmp_path / "new", "abc", n=200)
    asked = ("retrain", "--from", str(model))
    done = nas(*asked, "--dataset", data, "--executor", "inline", "--format", "c", "--name", "mine", "--epochs", "2")
    assert done.returncode == 0, done.stderr
    assert "with a new head for 3 classes" in done.stdout
    assert {"mine.py", "mine.c", "mine.md", "mine.safetensors"} <= {each.name for each in Path("runs").iterdir()}

    check_refused(nas(*asked), "--dataset", "folder:new")
    check_refused(nas("retrain"), "--trial NUMBER", "--from MODEL.py")
    check_refused(nas(*asked, "--dataset", data, "--trial", "0"), "--from goes without --trial")
    check_refused(nas("retrain", "--trial", "0", "--epochs", "2"), "--trial goes without --epochs")
    check_refused(nas(*asked, "--dataset", data, "--lr", "0"), "lr must be above 0")
    check_refused(nas("retrain", "--from", "model.onnx", "--dataset", data), "must be a .py file")
    small = pictures(mnist, tmp_path / "small", "abc", n=100, size=14)
    check_refused(nas(*asked, "--dataset", small), "1×28×28", "1×14×14")


def test_weights_that_state_no_network_are_refused(mnist: Dataset, model: Path, tmp_path: Path) -> None:
    """As an earlier version wrote them: the file is as whole, and its checksum fits."""
    data = safetensors.torch.save(weights_of(model))
    assert definition_in(data) is None
    text = model.read_text()
    checksum = next(line for line in text.splitlines() if line.startswith("WEIGHTS_CHECKSUM"))
    (tmp_path / "base.py").write_text(
        text.replace(checksum, f"WEIGHTS_CHECKSUM = {int.from_bytes(data, 'big') % (10**18 + 9)}")
    )
    (tmp_path / "base.safetensors").write_bytes(data)
    with pytest.raises(InputError, match="export it again"):
        fine_tune(tmp_path / "base.py", pictures(mnist, tmp_path / "new", "abc", n=100))


def test_validation_images_that_the_model_has_seen_are_refused(mnist: Dataset, model: Path, tmp_path: Path) -> None:
    """A model states how many images of a data set it held out: none, if it was confirmed."""
    from nas import datasets

    name = pictures(mnist, tmp_path / "new", "0123456789")
    fingerprint = datasets.load(name).fingerprint
    text = model.read_text().replace("'0123'", repr(fingerprint)).replace('"0123"', repr(fingerprint))
    (tmp_path / "base.safetensors").write_bytes(model.with_suffix(".safetensors").read_bytes())
    (tmp_path / "base.py").write_text(text.replace('"n_held_out": 500', '"n_held_out": 0'))
    with pytest.raises(InputError, match="must be new to it"):
        fine_tune(tmp_path / "base.py", name)
    (tmp_path / "base.py").write_text(text.replace('"n_held_out": 500', '"n_held_out": 60'))
    means = inline(tmp_path / "trainings")
    tuned = fine_tune(tmp_path / "base.py", name, validation=60, epochs=1, means=means, out=tmp_path / "out")
    assert read(tuned.model).constants["TRAINED_ON"]["certain"] is True


def test_the_file_of_weights_states_network_and_recipe(model: Path) -> None:
    assert definition_in(model.with_suffix(".safetensors").read_bytes()) == (TINY, RECIPE)
    data = model.with_suffix(".safetensors").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert list(header["__metadata__"]) == [METADATA]
