"""An exported model is the network that was trained, needs torch alone, and holds nothing that it should not."""

import ast
import doctest
import io
import keyword
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from frozen_models import B5, EVERYTHING, FUNCTIONS, N_IMAGES, PROVENANCE, TINY, frozen, network_of
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import CHAINED
from torch import Tensor, nn

import nas.export.python
from nas.datasets.dataset import Dataset
from nas.errors import ExportError, InputError
from nas.export import fresh
from nas.export.check import check
from nas.export.frozen import FrozenModel
from nas.export.python import quoted, source, weights_file
from nas.export.staging import LOCK
from nas.export.writing import write
from nas.network.architecture import Architecture
from nas.network.build import Network
from nas.network.cost import cost_of
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
)
from nas.training.recipe import Recipe

ROOT = Path(__file__).parent.parent


def run(text: str, **names: Any) -> dict[str, Any]:
    """The exported text as it is after `import`, with a `__file__` only if given."""
    namespace: dict[str, Any] = {"__name__": "exported", **names}
    exec(compile(text, "<exported>", "exec"), namespace)
    return namespace


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """On networks as small as these, threads cost more time than they save."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="module")
def images(mnist: Dataset) -> Tensor:
    return mnist.images[:N_IMAGES]


@pytest.fixture(scope="module")
def labels(mnist: Dataset) -> Tensor:
    return mnist.labels[:N_IMAGES]


@pytest.fixture(scope="module")
def tiny(images: Tensor, labels: Tensor) -> FrozenModel:
    """A network with the accuracy that it really has on `images`."""
    model = frozen(TINY)
    with torch.no_grad():
        n_correct = int((network_of(model)(images).argmax(1) == labels).sum())
    return replace(model, provenance=replace(PROVENANCE, validation_accuracy=n_correct / N_IMAGES))


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """`write` without its check, which takes seconds, for what has nothing to do with it."""
    monkeypatch.setattr(nas.export.python, "check", lambda *_: None)


# The same network, for every architecture there is ------------------------------------------------------------------


@st.composite
def image_layers(draw: st.DrawFn, shape: Shape) -> LayerSpec:
    channels, height, width = shape
    kind = draw(st.sampled_from([kind for kind in CHAINED if kind not in ("flatten", "linear")]))
    small, rate = st.integers(1, 3), st.floats(0, 0.9)
    padding = draw(st.integers(0, 2))
    kernel = draw(st.integers(1, min(5, height + 2 * padding, width + 2 * padding)))
    match kind:
        case "conv":
            groups = draw(st.sampled_from([n for n in range(1, channels + 1) if channels % n == 0]))
            return Conv(groups * draw(small), kernel, draw(small), padding, groups, draw(st.booleans()))
        case "depthwise_conv":
            return DepthwiseConv(kernel, draw(small), padding, draw(st.booleans()))
        case "batch_norm":
            return BatchNorm(draw(st.booleans()))
        case "activation":
            return Activation(draw(st.sampled_from(FUNCTIONS)))
        case "max_pool" | "avg_pool":
            pool = MaxPool if kind == "max_pool" else AvgPool
            kernel = min(kernel, height, width)
            return pool(kernel, draw(st.integers(0, 3)), min(padding, kernel // 2))
        case "adaptive_avg_pool":
            return AdaptiveAvgPool(draw(small))
        case "dropout":
            return Dropout(draw(rate))
    return Dropout2d(draw(rate))


FLAT_LAYERS = st.one_of(
    st.builds(Linear, st.integers(1, 6), st.booleans()),
    st.builds(BatchNorm, st.booleans()),
    st.builds(Activation, st.sampled_from(FUNCTIONS)),
    st.builds(Dropout, st.floats(0, 0.9)),
)


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    shape: Shape = (draw(st.integers(1, 3)), draw(st.integers(3, 12)), draw(st.integers(3, 12)))
    n_classes = draw(st.integers(2, 5))
    layers: list[LayerSpec] = []
    current = shape
    for _ in range(draw(st.integers(0, 8))):
        layers.append(draw(image_layers(current)))
        current = layers[-1].output_shape(current)
    if draw(st.booleans()):
        return Architecture(shape, n_classes, (*layers, Conv(n_classes, 1), AdaptiveAvgPool(1), Flatten()))
    flat = draw(st.lists(FLAT_LAYERS, max_size=4))
    return Architecture(shape, n_classes, (*layers, Flatten(), *flat, Linear(n_classes, draw(st.booleans()))))


@settings(max_examples=200, deadline=None)
@given(architecture=architectures(), seed=st.integers(0, 1000))
@example(architecture=EVERYTHING, seed=0)
@example(architecture=B5, seed=0)
@torch.no_grad()
def test_exported_source_is_the_same_network(
    architecture: Architecture, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model = frozen(architecture)
    network = network_of(model)
    exported = run(source(model, "exported"))
    weights = tmp_path_factory.getbasetemp() / "any.safetensors"
    weights.write_bytes(weights_file(model))

    loaded = exported["load"](weights)

    assert not loaded.training
    assert [(n, v.shape) for n, v in loaded.state_dict().items()] == [
        (n, v.shape) for n, v in network.state_dict().items()
    ]
    n_params = sum(p.numel() for p in loaded.parameters())
    assert exported["NUM_PARAMS"] == n_params == cost_of(architecture).params
    pixels = torch.randint(256, (3, *architecture.input_shape), generator=torch.Generator().manual_seed(seed))
    for images in (pixels.to(torch.uint8), pixels / 255):
        scores = network(images)
        assert scores.isfinite().all()
        assert torch.equal(loaded(images), scores)


def test_the_example_with_every_layer_has_every_layer() -> None:
    assert {type(spec) for spec in EVERYTHING.layers} == set(CHAINED.values())
    assert {spec.function for spec in EVERYTHING.layers if isinstance(spec, Activation)} == set(FUNCTIONS)


def test_dropout_is_still_there_for_training() -> None:
    exported = run(source(frozen(EVERYTHING), "exported"))["Net"]()
    kinds = {type(module): module.p for module in exported.modules() if isinstance(module, nn.Dropout | nn.Dropout2d)}
    assert kinds == {nn.Dropout2d: 0.25, nn.Dropout: 0.1}


# As a person would write it -----------------------------------------------------------------------------------------


def test_source_is_written_layer_by_layer() -> None:
    text = source(frozen(B5), "b5")
    assert "self.conv1 = nn.Conv2d(1, 16, 3, padding=1)  # 16×28×28\n" in text
    assert "self.conv2 = nn.Conv2d(16, 20, 3)  # 20×26×26\n" in text
    assert "self.norm1 = nn.BatchNorm2d(16)\n" in text
    assert "self.pool1 = nn.MaxPool2d(2)  # 20×13×13\n" in text
    assert "x = F.relu(self.norm1(self.conv1(x)))\n" in text
    assert "x = self.dropout1(self.pool1(x))\n" in text
    assert text.index("x = x.flatten(1)\n") < text.index("return self.fc1(x)\n")


@pytest.mark.parametrize(
    ("layers", "line"),
    [
        ((Conv(4, 3, 2, 1, 2, False),), "nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2, bias=False)  # 4×5×5"),
        ((DepthwiseConv(),), "nn.Conv2d(2, 2, 3, groups=2)  # 2×7×7"),
        ((BatchNorm(affine=False),), "nn.BatchNorm2d(2, affine=False)"),
        ((Flatten(), BatchNorm()), "nn.BatchNorm1d(162)"),
        ((MaxPool(3, 3),), "nn.MaxPool2d(3)  # 2×3×3"),
        ((MaxPool(3, 2, 1),), "nn.MaxPool2d(3, stride=2, padding=1)  # 2×5×5"),
        ((AvgPool(3, 1),), "nn.AvgPool2d(3, stride=1)  # 2×7×7"),
        ((AdaptiveAvgPool(2),), "nn.AdaptiveAvgPool2d(2)  # 2×2×2"),
        ((Dropout2d(0.5),), "nn.Dropout2d(0.5)"),
        ((Flatten(), Linear(5, bias=False)), "nn.Linear(162, 5, bias=False)  # 5"),
    ],
)
def test_what_goes_without_saying_is_left_out(layers: tuple[LayerSpec, ...], line: str) -> None:
    head = () if any(isinstance(spec, Flatten) for spec in layers) else (Flatten(),)
    assert f" = {line}\n" in source(frozen(Architecture((2, 9, 9), 3, (*layers, *head, Linear(3)))), "m")


def test_docstring_says_what_it_is_and_how_its_figure_was_made() -> None:
    model = frozen(B5, provenance=replace(PROVENANCE, validation_accuracy=0.994))
    text = " ".join((run(source(model, "b5"))["__doc__"]).split())
    assert text.startswith("b5: a trained image classifier with 19,798 parameters.")
    for words in (
        f"{cost_of(B5).macs:,} multiply-accumulates",
        "model = b5.load()",
        "(n, 1, 28, 28) and are uint8 from 0 to 255 or floats from 0 to 1",
        "Accuracy: 99.40 % (497 of 500 images), measured after epoch 20, the last, in float32",
        "held out of the training images of 'mnist' (split seed 0)",
        "trained on 50,000 others",
        "one run with one seed",
        "therefore optimistic",
        "This network was not tested.",
        f"Recipe: {model.recipe}.",
        "trial 7 of the study 'first', with seed 123 and nas 0.1.0, torch 2.13.0, Python 3.11.7",
        "trained in bfloat16 on cpu with 1 thread.",
    ):
        assert words in text


def test_a_training_cut_short_is_not_said_to_be_whole() -> None:
    text = " ".join(source(frozen(B5, provenance=replace(PROVENANCE, epochs=3)), "b5").split())
    assert "after epoch 3 of 20 planned" in text
    assert "the last" not in text


def test_source_passes_ruff(tmp_path: Path) -> None:
    relu_only_as_module_free = Architecture((1, 5, 5), 2, (Flatten(), Linear(2)))  # needs no torch.nn.functional
    many = Architecture((3, 8, 8), 60, (Flatten(), Linear(60)))
    for name, architecture in {"b5": B5, "all": EVERYTHING, "bare": relu_only_as_module_free, "many": many}.items():
        model = frozen(architecture)
        classes = ("it's", 'say "a"', *model.classes[2:])
        (tmp_path / f"{name}.py").write_text(source(replace(model, classes=classes), f"{name}_1"), encoding="utf-8")
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["format", "--check", "--diff"], ["check"]):
        done = subprocess.run(
            [*ruff, *command, "--no-cache", "--config", str(ROOT / "pyproject.toml"), str(tmp_path)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr


# Nothing of a user's text becomes code ------------------------------------------------------------------------------

ANY_TEXT = st.text(st.characters())  # lone surrogates, too
NASTY = [
    "x'; import os #",
    '"""\nimport os\n"""',
    "'''\nimport os",
    "ends with a backslash\\",
    'ends with a quote"',
    "\\",
    '\\"',
    '\\\\"""',
    "$name $$ ${classes} {name} %s",
    "a\r\nb\tc\x0cd\x00e\x1b[31mf\u2028g\u202eh\ud800i\ufeff",
    ">>> import os",
    "a" * 95 + " >>> import os",
    ">>>>>>> >>>> x",
    "# coding: latin-1",
    "# noqa # type: ignore",
    "long " * 1000,
    "w" * 5000,
]


def structure(text: str) -> str:
    """The syntax tree with every string constant emptied."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


def comments(text: str) -> list[str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


def check_harmless(text: str) -> None:
    plain = source(frozen(TINY), "plain")
    said = replace(PROVENANCE, dataset=text, study=text, versions=text, precision=text, device=text)
    model = frozen(TINY, provenance=said, classes=(text, *(f"class {i}" for i in range(1, 10))))
    told = source(model, "plain")

    assert told.encode().decode() == told
    assert structure(told) == structure(plain)
    assert comments(told) == comments(plain)
    exported = run(told)
    assert exported["CLASSES"] == model.classes
    docstring = exported["__doc__"]
    assert all(character.isprintable() or character == "\n" for character in docstring)
    assert not doctest.DocTestParser().get_examples(docstring)
    assert len(docstring) < 4000


@settings(max_examples=150, deadline=None)
@given(ANY_TEXT)
def test_any_text_is_harmless(text: str) -> None:
    check_harmless(text)


@pytest.mark.parametrize("text", NASTY, ids=lambda text: ascii(text)[:20])
def test_nasty_text_is_harmless(text: str) -> None:
    check_harmless(text)


@given(ANY_TEXT)
def test_quoted_text_is_the_text_in_one_printable_line(text: str) -> None:
    assert ast.literal_eval(quoted(text)) == text
    assert quoted(text).isprintable()


def test_only_real_strings_and_numbers_are_taken() -> None:
    class Sly(str):
        def __iter__(self) -> Any:
            return iter('"; import os #')

    for changes in ({"study": Sly("x")}, {"trial": True}, {"seed": 1.0}, {"n_train": 0}, {"validation_accuracy": 99.4}):
        with pytest.raises(InputError, match=next(iter(changes))):
            replace(PROVENANCE, **changes)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="class name"):
        frozen(TINY, classes=(Sly("x"), *"123456789"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": (0.1, 0.2)}, "mean must be 1 finite number"),
        ({"mean": (float("nan"),)}, "mean must be 1 finite number"),
        ({"std": (0.0,)}, "std must be above 0"),
        ({"classes": ("0", "1")}, "10 classes got 2"),
        ({"recipe": Recipe(epochs=5)}, "more epochs than its recipe has, 5, but got 20"),
    ],
)
def test_parts_that_do_not_fit_together(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        frozen(TINY, **changes)


def test_numpy_numbers_are_written_as_plain_ones() -> None:
    numpy = pytest.importorskip("numpy")
    assert "MEAN = (0.1307,)\n" in source(frozen(TINY, mean=(numpy.float64(0.1307),)), "m")


def test_weights_are_stored_plainly_however_the_training_kept_them() -> None:
    network = Network(B5, (0.5,), (0.5,)).to(torch.bfloat16).to(memory_format=torch.channels_last)
    kept = dict(network.state_dict(keep_vars=True))
    assert kept["conv2.weight"].requires_grad
    assert not kept["conv2.weight"].is_contiguous()
    weights = safetensors.torch.load(safetensors.torch.save(frozen(B5, state=kept).weights()))
    assert weights.keys() == {name for name in kept if "num_batches_tracked" not in name}
    for name, values in weights.items():
        assert values.dtype == torch.float32
        assert torch.equal(values, kept[name].float())


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(ExportError, match="conv1\\.bias is missing or of another shape"):
        source(frozen(TINY, state=Network(B5, (0.5,), (0.5,)).state_dict()), "m")


# load() of the exported file ----------------------------------------------------------------------------------------


@pytest.fixture
def written(tiny: FrozenModel, tmp_path: Path, images: Tensor, labels: Tensor, unchecked: None) -> Path:
    """The .py file, beside its weights."""
    return write(tiny, "tiny", tmp_path / "models", images, labels).files[0]


def test_load_finds_the_weights_beside_the_file(
    written: Path, tiny: FrozenModel, images: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = run(written.read_text(encoding="utf-8"), __file__=str(written))["load"]()
    with torch.no_grad():
        assert torch.equal(model(images), network_of(tiny)(images))
    in_this_folder = written.read_text(encoding="utf-8")
    monkeypatch.chdir(written.parent)
    run(in_this_folder, __file__="tiny.py")["load"]()


def test_works_pasted_into_a_notebook(written: Path, images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(written.parent)
    cell = run(written.read_text(encoding="utf-8"), __name__="__main__")
    assert "__file__" not in cell
    assert cell["load"]()(images[:2]).shape == (2, 10)


def test_load_leaves_a_working_module_for_training(written: Path, images: Tensor, labels: Tensor) -> None:
    model = run(written.read_text(encoding="utf-8"), __file__=str(written))["load"]().train()
    nn.functional.cross_entropy(model(images), labels).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[:-4], id="truncated"),
        pytest.param(lambda data: data[:5], id="cut to five bytes"),
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: data + bytes(4), id="longer"),
        pytest.param(lambda data: data[:-1] + bytes([data[-1] ^ 1]), id="one bit"),
        pytest.param(lambda data: safetensors.torch.save(frozen(B5).weights()), id="another network"),
    ],
)
def test_load_refuses_other_weights(written: Path, damage: Any) -> None:
    weights = written.with_suffix(".safetensors")
    weights.write_bytes(damage(weights.read_bytes()))
    with pytest.raises(ValueError, match=r"tiny\.safetensors does not hold the weights of this network"):
        run(written.read_text(encoding="utf-8"), __file__=str(written))["load"]()


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("conv1", "stem", "fc1.bias is not"),  # sorted by name, everything else would take the place of its weights
        ("Conv2d(1, 4, 5", "Conv2d(1, 5, 4", "conv1.bias is not"),
    ],
)
def test_load_refuses_weights_for_a_class_that_was_edited(written: Path, old: str, new: str, name: str) -> None:
    text = written.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(ValueError, match=name):
        run(text.replace(old, new), __file__=str(written))["load"]()


def names_that_torch_needs() -> set[str]:
    """Top-level modules of torch and of everything it requires."""
    found, open_names = set(), ["torch"]
    while open_names:
        distribution = open_names.pop()
        found.add(distribution)
        for requirement in requires(distribution) or []:
            name = re.match(r"[\w.-]+", requirement)
            assert name
            required = re.sub(r"[-_.]+", "-", name[0]).lower()
            if "extra ==" not in requirement and required not in found and required in installed():
                open_names.append(required)
    return {module for module, owners in packages_distributions().items() if {plain(o) for o in owners} & found}


def plain(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def installed() -> set[str]:
    return {plain(owner) for owners in packages_distributions().values() for owner in owners}


def test_works_where_only_torch_is_installed(written: Path, tiny: FrozenModel, images: Tensor) -> None:
    """As in a fresh environment: whatever else is installed here cannot be imported there."""
    others = set(packages_distributions()) - names_that_torch_needs() - {"torch"} | {"nas"}
    assert {"nas", "safetensors", "numpy"} <= others
    torch.save(images[:10], written.parent / "images.pt")
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(others)!r})); sys.path.insert(0, '')\n"
        "import tiny, torch\n"
        "model = tiny.load()\n"
        "torch.set_num_threads(1)\n"
        "torch.save(model(torch.load('images.pt')), 'scores.pt')\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], cwd=written.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        wanted = network_of(tiny)(images[:10])
    torch.testing.assert_close(torch.load(written.parent / "scores.pt"), wanted, rtol=0, atol=1e-6)


# write() ------------------------------------------------------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_write_checks_and_writes_model_weights_and_card(
    tiny: FrozenModel, tmp_path: Path, images: Tensor, labels: Tensor
) -> None:
    paths = write(tiny, "tiny", tmp_path / "new", images, labels).files
    assert paths == tuple(tmp_path / "new" / f"tiny.{suffix}" for suffix in ("py", "safetensors", "md"))
    assert set(tmp_path.glob("new/*")) == set(paths)
    assert paths[0].read_text(encoding="utf-8") == source(tiny, "tiny")
    stored = safetensors.torch.load_file(paths[1])
    assert stored.keys() == {name for name in tiny.state if "num_batches_tracked" not in name}
    assert all(torch.equal(values, tiny.state[name]) for name, values in stored.items())


def test_writing_the_same_again_changes_nothing(
    written: Path, tiny: FrozenModel, images: Tensor, labels: Tensor
) -> None:
    before = {path: path.stat().st_mtime_ns for path in written.parent.iterdir()}
    write(tiny, "tiny", written.parent, images, labels)
    assert {path: path.stat().st_mtime_ns for path in written.parent.iterdir()} == before


@pytest.mark.parametrize("there", ["tiny.py", "tiny.safetensors", "tiny.md"])
def test_another_file_is_overwritten_only_if_forced(
    written: Path, there: str, tiny: FrozenModel, images: Tensor, labels: Tensor
) -> None:
    wanted = contents(written.parent)
    (written.parent / there).write_text("mine")
    before = contents(written.parent)
    with pytest.raises(ExportError, match=rf"{there} is there already.*--force, or another name"):
        write(tiny, "tiny", written.parent, images, labels)
    assert contents(written.parent) == before
    write(tiny, "tiny", written.parent, images, labels, force=True)
    assert contents(written.parent) == wanted


def test_a_file_in_the_way_is_found_before_the_check(
    written: Path, tiny: FrozenModel, images: Tensor, labels: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    written.write_text("mine")
    monkeypatch.setattr(nas.export.python, "check", lambda *_: pytest.fail("checked for nothing"))
    with pytest.raises(ExportError, match="is there already"):
        write(tiny, "tiny", written.parent, images, labels)


def test_a_file_that_appears_during_the_check_is_not_overwritten(
    tiny: FrozenModel, tmp_path: Path, images: Tensor, labels: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nas.export.python, "check", lambda *_: (tmp_path / "tiny.py").write_text("mine"))
    with pytest.raises(ExportError, match="is there already"):
        write(tiny, "tiny", tmp_path, images, labels)
    assert contents(tmp_path) == {"tiny.py": b"mine"}


@pytest.mark.parametrize("error", [ExportError("no"), KeyboardInterrupt()])
def test_nothing_is_left_of_an_export_that_failed(
    error: BaseException,
    tiny: FrozenModel,
    tmp_path: Path,
    images: Tensor,
    labels: Tensor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(model: FrozenModel, name: str, staging: Path, *_: Tensor) -> None:
        assert set(contents(staging)) - {LOCK} == {"tiny.py", "tiny.safetensors", "tiny.md"}
        assert set(tmp_path.iterdir()) == {staging}
        raise error

    monkeypatch.setattr(nas.export.python, "check", fail)
    with pytest.raises(type(error)):
        write(tiny, "tiny", tmp_path, images, labels)
    assert not list(tmp_path.iterdir())


BAD_NAMES = ["", "a b", "1st", "a-b", "a.py", "../a", "é", "x'; import os #", 'x"""', "a\n", *keyword.kwlist[:3]]


@pytest.mark.parametrize("name", [*BAD_NAMES, "torch", "random", "nas", "__main__"])
def test_a_name_must_be_that_of_a_module_of_its_own(
    name: str, tiny: FrozenModel, tmp_path: Path, images: Tensor, labels: Tensor
) -> None:
    with pytest.raises(InputError, match="name it like") as raised:
        write(tiny, name, tmp_path, images, labels)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to(
    tiny: FrozenModel, tmp_path: Path, images: Tensor, labels: Tensor, unchecked: None
) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="name another") as raised:
        write(tiny, "tiny", tmp_path / "file" / "models", images, labels)
    assert "\n" not in str(raised.value)


def test_the_images_must_be_those_of_the_figure(
    tiny: FrozenModel, tmp_path: Path, images: Tensor, labels: Tensor
) -> None:
    for given_images, given_labels in [
        (images[1:], labels[1:]),
        (images, labels[1:]),
        (images / 255, labels),
        (images[:, :, 1:], labels),
    ]:
        with pytest.raises(InputError, match="all validation images"):
            write(tiny, "tiny", tmp_path, given_images, given_labels)
    assert not list(tmp_path.iterdir())


# The check, with real processes -------------------------------------------------------------------------------------


def put(model: FrozenModel, folder: Path, text: str) -> None:
    (folder / "tiny.py").write_text(text, encoding="utf-8")
    (folder / "tiny.safetensors").write_bytes(weights_file(model))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("\nimport torch\n", "\nimport torch\nimport os, torch\n", "it imports more than torch: import os, torch"),
        ("\nimport torch\n", "\nimport torch\nfrom . import torch\n", "it imports more than torch"),
        ("return self.fc1(x)", "return self.fc1(x", "it is not Python"),
        ("self.pool1(x)", "self.pool(x)", "it cannot be used in a fresh process: AttributeError: 'Net' object"),
        ("return model.eval()", "return model", "RuntimeError: load() did not return the network in eval mode"),
        ("x = x.flatten(1)", "x = x.flatten(1) * 1.0001", "its scores differ by up to"),
        ("x = x.flatten(1)", "x = x.flatten(1) * float('nan')", "its scores differ by up to nan"),
        ("NUM_PARAMS = ", "NUM_PARAMS = 1 + ", "counted as 762, but the file says 763 and has 762"),
    ],
)
def test_check_finds_what_is_wrong(
    old: str, new: str, reason: str, tiny: FrozenModel, tmp_path: Path, images: Tensor, labels: Tensor
) -> None:
    text = source(tiny, "tiny")
    assert old in text
    put(tiny, tmp_path, text.replace(old, new, 1))
    with pytest.raises(ExportError, match=re.escape(reason)) as raised:
        check(tiny, "tiny", tmp_path, images, labels)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith("tiny was not exported, since ")


def test_an_accuracy_that_is_not_reached_again_is_refused(
    tiny: FrozenModel, tmp_path: Path, images: Tensor, labels: Tensor
) -> None:
    one_more = tiny.provenance.validation_accuracy + 1 / N_IMAGES
    claimed = replace(tiny, provenance=replace(tiny.provenance, validation_accuracy=one_more))
    n_correct = tiny.provenance.n_correct
    with pytest.raises(ExportError, match=rf"gets {n_correct} of 500 .* right, but .* {n_correct + 1} were"):
        write(claimed, "tiny", tmp_path, images, labels)
    assert not list(tmp_path.iterdir())


def test_nas_is_out_of_reach_in_the_fresh_process(tmp_path: Path) -> None:
    (tmp_path / "sneaky.py").write_text("import nas.network\n")
    torch.save({"batches": [], "threads": 1, "kind": "source"}, tmp_path / fresh.QUESTION)
    done = subprocess.run(
        [sys.executable, "-I", fresh.__file__, "sneaky", str(ROOT)],  # where nas is
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode
    assert "ModuleNotFoundError" in done.stderr
