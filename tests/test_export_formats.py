"""ONNX and torch.export: the same network as the one that was trained, or no file at all."""

import io
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from frozen_models import EVERYTHING, PROVENANCE, TINY, frozen, network_of
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import architectures
from torch import Tensor

from nas.datasets.dataset import Dataset
from nas.errors import ExportError, InputError
from nas.export import onnx as onnx_format
from nas.export import program as program_format
from nas.export.frozen import FrozenModel
from nas.export.onnx import onnx_file
from nas.export.prepared import Images
from nas.export.writing import write
from nas.network.architecture import Architecture

onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
N_IMAGES = 1000


@pytest.fixture(scope="module")
def images(mnist: Dataset) -> Images:
    return Images(mnist.images[:N_IMAGES], mnist.labels[:N_IMAGES])


@pytest.fixture(scope="module")
def tiny(images: Images) -> FrozenModel:
    """A network with the accuracy that it really has on `images`."""
    return with_real_accuracy(frozen(TINY), images)


@torch.no_grad()
def with_real_accuracy(model: FrozenModel, images: Images) -> FrozenModel:
    n_correct = int((network_of(model)(images.validation).argmax(1) == images.labels).sum())
    accuracy = n_correct / len(images.labels)
    said = replace(PROVENANCE, validation_accuracy=accuracy, n_validation=len(images.labels))
    return replace(model, provenance=said)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def onnx_scores(file: bytes | Path, images: Tensor) -> Tensor:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["scores"], {"images": images.numpy()})[0])


@torch.no_grad()
def check_close(scores: Tensor, model: FrozenModel, images: Tensor) -> None:
    wanted = network_of(model)(images)
    torch.testing.assert_close(scores, wanted, rtol=0, atol=1e-4 * max(1.0, wanted.abs().max().item()))


def test_onnx_and_program_give_the_scores_of_the_network(tiny: FrozenModel, images: Images, tmp_path: Path) -> None:
    files = write(tiny, "tiny", tmp_path, images.validation, images.labels, formats=("onnx", "torch")).files
    assert {"tiny.onnx", "tiny.pt2"} <= {path.name for path in files} == names(tmp_path)
    for n in (1, 3, N_IMAGES):
        check_close(onnx_scores(tmp_path / "tiny.onnx", images.validation[:n]), tiny, images.validation[:n])
    program = torch.export.load(tmp_path / "tiny.pt2").module()
    with torch.no_grad():
        assert torch.equal(program(images.validation), network_of(tiny)(images.validation))


def test_an_image_of_floats_is_refused_rather_than_misread(tiny: FrozenModel, images: Images) -> None:
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument, match="uint8"):
        onnx_scores(onnx_file(tiny), images.validation / 255)


@settings(max_examples=5, deadline=None)
@given(architecture=architectures(), seed=st.integers(0, 1000))
def test_any_architecture_as_onnx_and_as_program(architecture: Architecture, seed: int) -> None:
    check_both(architecture, seed)


def test_every_layer_as_onnx_and_as_program() -> None:
    check_both(EVERYTHING, 0)


def check_both(architecture: Architecture, seed: int) -> None:
    model = frozen(architecture)
    pixels = torch.randint(256, (3, *architecture.input_shape), generator=torch.Generator().manual_seed(seed))
    pixels = pixels.to(torch.uint8)
    check_close(onnx_scores(onnx_file(model), pixels), model, pixels)
    (program,) = program_format.prepare(model, "any", Images(pixels, torch.zeros(3))).contents.values()
    with torch.no_grad():
        check_close(torch.export.load(io.BytesIO(program)).module()(pixels), model, pixels)


def test_the_same_model_gives_the_same_bytes_that_tell_nothing_of_this_machine(
    tiny: FrozenModel, images: Images
) -> None:
    for prepare in (onnx_format.prepare, program_format.prepare):
        (first,) = prepare(tiny, "tiny", images).contents.values()
        (second,) = prepare(tiny, "tiny", images).contents.values()
        assert first == second
        assert b"module.py" not in first
        assert str(Path(__file__).parent.parent).encode() not in first


@pytest.mark.parametrize(("extension", "name"), [("onnx", "onnx"), ("torch", "pt2")])
def test_an_accuracy_that_is_not_reached_again_leaves_nothing(
    extension: str, name: str, tiny: FrozenModel, images: Images, tmp_path: Path
) -> None:
    said = replace(tiny.provenance, validation_accuracy=tiny.provenance.validation_accuracy + 1 / N_IMAGES)
    wrong = replace(tiny, provenance=said)
    with pytest.raises(ExportError, match="but after its training"):
        write(wrong, "tiny", tmp_path, images.validation, images.labels, formats=("py", extension))
    assert names(tmp_path) == set()


@pytest.mark.parametrize("prepare", [onnx_format.prepare, program_format.prepare])
def test_weights_of_another_network_are_found_by_the_check(
    prepare: object, tiny: FrozenModel, images: Images, tmp_path: Path
) -> None:
    assert callable(prepare)
    changed = {name: values * 1.01 if "fc1" in name else values for name, values in tiny.state.items()}
    other = prepare(replace(tiny, state=changed), "tiny", images)
    ((file, content),) = other.contents.items()
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ExportError, match="its scores differ by up to"):
        prepare(tiny, "tiny", images).check(tmp_path)


@pytest.mark.parametrize("prepare", [onnx_format.prepare, program_format.prepare])
def test_a_damaged_file_is_found_by_the_check(
    prepare: object, tiny: FrozenModel, images: Images, tmp_path: Path
) -> None:
    assert callable(prepare)
    prepared = prepare(tiny, "tiny", images)
    ((file, content),) = prepared.contents.items()
    (tmp_path / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(ExportError, match="cannot") as raised:
        prepared.check(tmp_path)
    assert "\n" not in str(raised.value)


def test_without_the_extra_one_line_says_what_to_install(
    tiny: FrozenModel, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not installed
    with pytest.raises(
        ExportError, match="onnxruntime cannot be found: pip install onnx onnxscript onnxruntime"
    ) as raised:
        write(tiny, "tiny", tmp_path, images.validation, images.labels, formats=("onnx",))
    assert "\n" not in str(raised.value)
    assert names(tmp_path) == set()


@pytest.mark.parametrize(("formats", "got"), [(("py", "tflite"), "tflite"), ((), "none")])
def test_a_format_must_be_one_there_is(
    formats: tuple[str, ...], got: str, tiny: FrozenModel, images: Images, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=f"some of py, onnx, torch, c, but got {got}"):
        write(tiny, "tiny", tmp_path, images.validation, images.labels, formats=formats)
    assert names(tmp_path) == set()


def test_nas_itself_needs_no_onnx() -> None:
    blocked = "import sys; sys.modules.update(onnx=None, onnxruntime=None, onnxscript=None); import nas.cli"
    subprocess.run([sys.executable, "-c", blocked], check=True)


@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_a_documented_iteration_has_no_weights_to_export(nas, format: str, tmp_path: Path) -> None:
    refused = nas("export", "--documented", "B1", "--format", format)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "has no weights" in refused.stderr
    assert names(tmp_path) == set()


@pytest.mark.slow
def test_formats_on_the_command_line(nas, tmp_path: Path) -> None:
    done = nas("search", "--space", "tiny", "--budget", "3k", "--epochs", "1", "--trials", "1", "--workers", "2")
    assert done.returncode == 0, done.stderr
    (model,) = (tmp_path / "runs").glob("*.py")
    done = nas("export", "--format", "onnx", "--format", "c")  # beside the model, with the same card and script
    assert done.returncode == 0, done.stderr
    *files, note = done.stdout.splitlines()
    assert files == [f"runs/{model.stem}.{suffix}" for suffix in ("onnx", "h", "c", "md", "sh")]
    assert all((tmp_path / file).is_file() for file in files)
    assert " of 500 validation images right, " in note

    in_the_way = tmp_path / "models" / f"{model.stem}.c"
    in_the_way.parent.mkdir()
    in_the_way.write_text("mine")
    refused = nas("export", "--format", "py", "--format", "c", "--out", "models")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "--force" in refused.stderr
    assert names(in_the_way.parent) == {in_the_way.name}
    assert nas("export", "--format", "tflite").returncode == 2


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)
