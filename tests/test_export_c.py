"""The C source computes what the reference computes, to the last bit; and that is close to the trained network."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from math import prod
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from frozen_models import B5, EVERYTHING, PROVENANCE, TINY, frozen, network_of, with_weights_of
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import architectures
from torch import Tensor, nn

from nas.datasets.dataset import Dataset
from nas.datasets.splitting import Split, normalisation
from nas.errors import ExportError, InputError
from nas.export.c import check, compiled, prepare
from nas.export.c.header import Measured, header
from nas.export.c.operations import Coding, Convolution, Operation, Scaling
from nas.export.c.program import Program
from nas.export.c.quantise import quantise
from nas.export.c.reference import scores_of
from nas.export.c.source import source
from nas.export.frozen import FrozenModel
from nas.export.prepared import Images
from nas.export.writing import write
from nas.network.architecture import Architecture, Layer
from nas.network.build import Network
from nas.network.cost import cost_of
from nas.network.kinds import Activation, AdaptiveAvgPool, AvgPool, BatchNorm, Conv, Flatten, Linear, MaxPool, gap_head
from nas.training.recipe import Recipe
from nas.training.run import TrainingRun

weight_bits = st.sampled_from([8, 4])
needs_cc = pytest.mark.skipif(compiled.compiler() is None, reason="needs a C compiler")
STRICT = ("-std=c99", "-pedantic", "-O1", "-Wall", "-Wextra", "-Werror")
SANITIZED = (*STRICT, "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
MEASURED = Measured(n_correct=490, n_equal=495, n_validation=500, n_calibration=100, compiler="cc 1.0")
BYTES = {"int8_t": 1, "uint8_t": 1, "int32_t": 4, "float": 4}
STEEPEST = {"leaky_relu": 1, "elu": 1, "gelu": 1.13, "silu": 1.1, "hardswish": 1.5}  # slopes of these functions
SMALL = Architecture(
    (1, 28, 28),
    10,
    (
        *(Conv(8, 3, 1, 1), BatchNorm(), Activation(), MaxPool(), Conv(16, 3), BatchNorm(), Activation("silu")),
        *(MaxPool(), Conv(16, 3), Activation("leaky_relu"), BatchNorm(), *gap_head(10)),
    ),
)
# Its scores are numbers of 8 bits.
POOLED_LAST = Architecture((1, 6, 6), 2, (Conv(2, 3), Activation("silu"), MaxPool(4), Flatten()))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def random_images(architecture: Architecture, n: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (n, *architecture.input_shape), generator=generator, dtype=torch.uint8)


@pytest.fixture(scope="module")
def sanitizers(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Strict options, with the sanitizers where this machine's compiler has them."""
    folder, command = tmp_path_factory.mktemp("sanitizers"), compiled.compiler()
    if command is None:
        pytest.skip("needs a C compiler")
    (folder / "any.c").write_text("int main(void) { return 0; }\n")
    works = (
        subprocess.run([*command, *SANITIZED, "any.c", "-o", "any"], cwd=folder, capture_output=True).returncode == 0
    )
    return SANITIZED if works and subprocess.run([folder / "any"]).returncode == 0 else STRICT


def compile_and_run(
    model: FrozenModel, program: Program, images: Tensor, folder: Path, options: tuple[str, ...]
) -> tuple[Tensor, Tensor]:
    (folder / "m.h").write_text(header(model, program, "m", MEASURED))
    (folder / "m.c").write_text(source(program, "m"))
    command = compiled.compiler()
    assert command is not None
    return compiled.run(command, "m", folder, images, program.n_classes, options)


# The arithmetic -----------------------------------------------------------------------------------------------------


@needs_cc
@settings(max_examples=12, deadline=None)
@given(architecture=architectures(), seed=st.integers(0, 1000), bits=weight_bits)
@example(architecture=EVERYTHING, seed=0, bits=8)
@example(architecture=EVERYTHING, seed=0, bits=4)
@example(architecture=SMALL, seed=0, bits=8)
@example(architecture=SMALL, seed=0, bits=4)
def test_c_is_the_reference_to_the_last_bit(
    architecture: Architecture,
    seed: int,
    bits: int,
    sanitizers: tuple[str, ...],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    model, images = with_weights_of(frozen(architecture), bits), random_images(architecture, 40, seed)
    program = quantise(model, images[:20])
    expected = scores_of(program, images)
    scores, classes = compile_and_run(model, program, images, tmp_path_factory.mktemp("c"), sanitizers)
    assert torch.equal(scores, expected)
    assert torch.equal(classes, expected.argmax(1))


def stages(program: Program, images: Tensor) -> Iterator[tuple[Operation, Tensor, Tensor]]:
    """Each operation, with the real numbers that its input and its output stand for."""
    numbers, coding = images, program.operations[0].input
    for n, operation in enumerate(program.operations, 1):
        inputs = (coding.scale * (numbers.double() - coding.zero)).view(-1, *operation.input_shape)
        numbers = scores_of(replace(program, steps=program.steps[:n]), images)
        if operation.output is None:
            yield operation, inputs, numbers.double()
        else:
            coding = operation.output
            yield operation, inputs, coding.scale * (numbers.double() - coding.zero)


def near(numbers: Tensor, exact: Tensor, off: Tensor) -> bool:
    """But for what scales and scores lose as float32, and factors by having 31 binary digits."""
    assert numbers.shape == exact.shape == off.shape
    digits = 2**-22 * (off + exact.abs()) + 1e-12
    return bool(((numbers - exact).abs() <= off + digits).all())


@settings(max_examples=100, deadline=None)
@given(architecture=architectures(), seed=st.integers(0, 1000), bits=weight_bits)
@example(architecture=EVERYTHING, seed=0, bits=8)
@example(architecture=EVERYTHING, seed=0, bits=4)
@example(architecture=B5, seed=0, bits=8)
@example(architecture=POOLED_LAST, seed=0, bits=8)
@torch.no_grad()
def test_each_operation_of_the_reference_is_close_to_its_layers(
    architecture: Architecture, seed: int, bits: int
) -> None:
    """For any images, not only those that were calibrated on: what leaves the ranges is brought to their ends.

    Each operation is compared for the numbers that the one before it put out. From end to end, errors are bounded only
    by what they become if all have the same sign, which soon is more than the scores themselves.
    """
    model, images = with_weights_of(frozen(architecture), bits), random_images(architecture, 30, seed)
    program, network = quantise(model, images[:20]), network_of(model).double()
    levels, groups = Levels(network, architecture.walk, images[:20]), groups_of(model, program)
    for operation, inputs, outputs in stages(program, images):
        if operation is program.operations[0]:
            normalised = (images.double() / 255 - network.mean) / network.std
            encoded = outputs if operation.name == "images" else inputs
            assert near(
                encoded.view_as(normalised), normalised, torch.full_like(normalised, level_of_images(network) / 2)
            )
        if operation.name in groups:
            group = groups[operation.name]
            of_layers = inputs.view(-1, *group[0].input_shape)
            largest = {8: 127, 4: 7}[bits]
            ends = operation.input.scale, operation.output
            exact, off = what_layers_do(group, network, levels, of_layers, *ends, largest)
            assert near(outputs, exact.flatten(1), off.flatten(1)), operation.name
        if operation.name == "scores":
            assert near(outputs, inputs.flatten(1), torch.zeros_like(outputs))


def level_of_images(network: Network) -> float:
    lowest, highest = ((byte - network.mean) / network.std for byte in (0.0, 1.0))
    return (max(0.0, highest.max().item()) - min(0.0, lowest.min().item())) / 255


class Levels:
    """The ranges behind each layer for the images that were calibrated on, 0 among them; 8 bits make 255 levels."""

    def __init__(self, network: Network, walk: Sequence[Layer], images: Tensor) -> None:
        self.ranges: dict[str, tuple[float, float]] = {}
        values = (images.double() / 255 - network.mean) / network.std
        for layer in walk:
            values = getattr(network, layer.name)(values)
            low, high = min(0.0, values.min().item()), max(0.0, values.max().item())
            # Where there was nothing but 0 any range will do, and this one is chosen: as where a ReLU never was on.
            self.ranges[layer.name] = (low, high) if low < high else (0.0, 1.0)

    def half_of_one(self, layer: Layer) -> float:
        low, high = self.ranges[layer.name]
        return (high - low) / 255 / 2

    def limited(self, values: Tensor, layer: Layer) -> Tensor:
        return values.clamp(*self.ranges[layer.name])


def groups_of(model: FrozenModel, program: Program) -> dict[str, list[Layer]]:
    """The layers that each operation stands for, by its name; those that do nothing in use are left out."""
    names = {operation.name for operation in program.operations}
    groups: dict[str, list[Layer]] = {}
    for layer in model.architecture.walk:
        if layer.name in names:
            groups[layer.name] = []
        if not layer.spec.idle_in_use:
            groups[next(reversed(groups))].append(layer)
    return groups


def what_layers_do(
    group: list[Layer],
    network: Network,
    levels: Levels,
    inputs: Tensor,
    input_level: float,
    output: Coding | None,
    largest: int,
) -> tuple[Tensor, Tensor]:
    """What the layers make of inputs that 8 bits hold exactly, and by how much whole numbers may be off.

    - The maximum of exact numbers is exact. A mean is rounded to a 256th of a level of its inputs.
    - Weights, and the bias, are off by what `off_by_weights` says.
    - What is rounded to 8 bits is off by half a level more. So it is where it is brought to an end of the range: 0 is
      made a whole number, and the ends with it are moved by up to half a level.
    - An activation function other than ReLU is a table: what goes in was rounded too, and it is as steep as it is.
    """
    first, last = group[0], group[-1]
    exact = getattr(network, first.name)(inputs)
    off = torch.zeros_like(exact)
    if isinstance(first.spec, MaxPool):
        return exact, off
    if isinstance(first.spec, AvgPool | AdaptiveAvgPool):
        off += input_level / 256 / 2
    elif not first.spec.elementwise:
        off += off_by_weights(group, network, inputs, input_level, largest)
        for before, layer in pairwise(group):
            if isinstance(layer.spec, Activation) and layer.spec.function != "relu":
                exact, off = levels.limited(exact, before), off + levels.half_of_one(before)
                off *= STEEPEST[layer.spec.function]
            exact = getattr(network, layer.name)(exact)
    if output is None:
        return exact, off
    return levels.limited(exact, last), off + levels.half_of_one(last)


def off_by_weights(group: list[Layer], network: Network, inputs: Tensor, input_level: float, largest: int) -> Tensor:
    """Each weight is off by half a step, and the bias by half a step times a level of the input.

    A step is a 127th of the largest weight of an output channel, batch norms included, or a 7th for 4 bits; or larger,
    so that no sum can exceed 2^30.
    """
    weights, bias = folded(group, network)
    sizes = weights.abs().flatten(1)
    step = torch.maximum(sizes.amax(1) / largest, (sizes.sum(1) * 255 + bias.abs() / input_level) / 2**30)
    module, added = getattr(network, group[0].name), inputs.abs()
    if isinstance(module, nn.Conv2d):
        ones = torch.ones_like(module.weight)
        added = F.conv2d(added, ones, None, module.stride, module.padding, groups=module.groups)
    elif isinstance(module, nn.Linear):
        added = added.sum(1, keepdim=True)
    return step.view(-1, *[1] * (added.ndim - 2)) / 2 * (added + input_level)


def folded(group: list[Layer], network: Network) -> tuple[Tensor, Tensor]:
    """Weights `(out, ...)` and bias `(out,)` of a layer and the batch norms behind it."""
    modules = [getattr(network, layer.name) for layer in group if not layer.spec.elementwise]
    channels = group[0].output_shape[0]
    weights, bias = torch.ones(channels, 1).double(), torch.zeros(channels).double()
    for module in modules:
        if isinstance(module, nn.Conv2d | nn.Linear):
            weights = module.weight.flatten(1)
            bias = bias if module.bias is None else module.bias
        else:
            factor = (module.running_var + module.eps).rsqrt() * (1 if module.weight is None else module.weight)
            weights = weights * factor.view(-1, 1)
            bias = (bias - module.running_mean) * factor + (0 if module.bias is None else module.bias)
    return weights, bias


@settings(max_examples=100, deadline=None)
@given(architecture=architectures(), bits=weight_bits)
@example(architecture=EVERYTHING, bits=8)
@example(architecture=EVERYTHING, bits=4)
def test_buffers_hold_what_they_must_and_no_more_than_counted(architecture: Architecture, bits: int) -> None:
    program = quantise(with_weights_of(frozen(architecture), bits), random_images(architecture, 2, 0))
    unpacked = max(operation.n_scratch for operation in program.operations)
    most = cost_of(architecture).memory // 4
    assert program.ram <= most + unpacked, "a byte a number, and the image is the caller's"
    held: range | None = None
    memory = program.memory
    for operation, place, scratch in zip(program.operations, memory.places, memory.scratches, strict=True):
        assert (scratch is not None) == bool(operation.n_scratch)
        assert bool(operation.n_scratch) == (bits == 4 and isinstance(operation, Convolution))
        if scratch is not None:
            used = range(scratch, scratch + operation.n_scratch)
            assert 0 <= scratch <= used.stop <= program.ram
            for other in (held, None if place is None else range(place, place + operation.n_out)):
                assert other is None or used.stop <= other.start or other.stop <= used.start, "it would overwrite"
        if place is None:
            continue
        written = range(place, place + operation.n_out)
        assert place >= 0
        assert written.stop <= program.ram
        if held is not None and not (operation.in_place and written == held):
            assert written.stop <= held.start or held.stop <= written.start, "it would overwrite what it reads"
        held = written


@settings(max_examples=50, deadline=None)
@given(architecture=architectures(), bits=weight_bits)
@example(architecture=EVERYTHING, bits=8)
@example(architecture=EVERYTHING, bits=4)
def test_flash_is_what_the_constants_take(architecture: Architecture, bits: int) -> None:
    program = quantise(with_weights_of(frozen(architecture), bits), random_images(architecture, 2, 0))
    arrays = re.findall(r"static const (\w+) \w+\[\] = \{(.*?)\};", source(program, "m"), re.DOTALL)
    assert program.flash == sum(BYTES[kind] * len(re.findall(r"[^\s,]+", values)) for kind, values in arrays)


@given(st.floats(2**-30, 2**29))
def test_a_scaling_is_the_nearest_there_is(factor: float) -> None:
    scaling = Scaling.of(factor)
    assert 2**30 <= scaling.multiplier < 2**31
    assert scaling.multiplier / 2**scaling.shift == pytest.approx(factor, rel=2**-31)


@given(st.floats(0, 1e30))
def test_a_scaling_of_any_factor_stays_within_32_bits(factor: float) -> None:
    scaling = Scaling.of(factor)
    assert 0 <= scaling.multiplier < 2**31
    assert 1 <= scaling.shift <= 62


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_zero_is_a_number_of_every_coding(low: float, high: float) -> None:
    coding = Coding.of_range(min(low, high), max(low, high))
    assert 0 <= coding.zero <= 255
    assert coding.scale > 0


def test_batch_norm_and_relu_are_folded_into_the_convolution() -> None:
    program = quantise(frozen(TINY), random_images(TINY, 2, 0))
    assert [operation.name for operation in program.operations] == ["conv1", "pool1", "fc1"]
    assert [operation.input.zero for operation in program.operations] == [33, 0, 0], "an image's mean; ReLU's lower end"


@needs_cc
@pytest.mark.parametrize("bias", [1e9, -1e9, 0.0])
def test_channels_without_weights_and_with_a_huge_bias(
    bias: float, sanitizers: tuple[str, ...], tmp_path: Path
) -> None:
    model = frozen(Architecture((1, 4, 4), 2, (Conv(3, 3, padding=1), Flatten(), Linear(2))))
    state = dict(model.state) | {"conv1.bias": torch.tensor([bias, 1.0, 0.0])}
    state["conv1.weight"] = model.state["conv1.weight"] * torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1, 1)
    model, images = replace(model, state=state), random_images(model.architecture, 10, 0)
    program = quantise(model, images)
    assert torch.equal(compile_and_run(model, program, images, tmp_path, sanitizers)[0], scores_of(program, images))


# A network that was trained, on real images -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(mnist: Dataset) -> tuple[FrozenModel, Images]:
    """A small network after two epochs on 4,000 images, and 1,000 others to validate with."""
    mean, std = normalisation(mnist.images[:4000])
    parts = mnist.images[:4000], mnist.labels[:4000], mnist.images[4000:5000], mnist.labels[4000:5000]
    recipe = Recipe(epochs=2, batch_size=50, lr=0.1, schedule="linear")
    run = TrainingRun(SMALL, recipe, Split(*parts, mean, std, 10, (1, 28, 28)), seed=0)
    *_, last = run
    said = replace(PROVENANCE, n_validation=1000, epochs=2, validation_accuracy=last.validation_accuracy, n_train=4000)
    model = frozen(SMALL, mean=mean, std=std, recipe=recipe, provenance=said, state=run.network.state_dict())
    return model, Images(parts[2], parts[3], parts[0])


@needs_cc
def test_a_trained_network_loses_little_and_says_how_much(trained: tuple[FrozenModel, Images], tmp_path: Path) -> None:
    model, images = trained
    before = model.provenance.validation_accuracy
    assert before > 0.9
    written = write(
        model, "m", tmp_path, images.validation, images.labels, training_images=images.training, formats=("c",)
    )
    command = compiled.compiler()
    assert command is not None
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for name in ("m.c", "m.h"):
        shutil.copy(tmp_path / name, copy)
    _, classes = compiled.run(command, "m", copy, images.validation, 10, STRICT)
    n_correct = int((classes == images.labels).sum())
    with torch.no_grad():
        n_equal = int((classes == network_of(model)(images.validation).argmax(1)).sum())
    assert before - n_correct / 1000 <= 0.01
    assert n_equal >= 980
    (note,) = written.notes
    text = " ".join((tmp_path / "m.h").read_text().replace("\n *", "").split())
    assert f"{n_correct / 10:.2f} % of 1,000 validation images right, {100 * before:.2f} % in float" in note
    assert f"{100 * before:.2f} % in float ({round(1000 * before)} right), {n_correct / 10:.2f} % as it is here" in text
    assert f"{n_equal} predictions are those of the trained network" in text
    assert "Calibrated on 2,000 of the images it was trained on" in text
    assert "to the last bit" in text
    program = quantise(model, images.validation)
    assert written.notes[0].count(f"of which {program.flash:,} are weights and tables") == 1
    assert text.count(f"of which {program.flash:,} are weights and tables") == 1


def test_validation_images_have_no_part_in_the_calibration(trained: tuple[FrozenModel, Images]) -> None:
    model, images = trained
    assert images.training is not None
    first = prepare(model, "m", images).contents["m.c"]
    inverted = replace(images, validation=255 - images.validation)
    assert prepare(model, "m", inverted).contents["m.c"] == first
    assert prepare(model, "m", replace(images, training=images.training // 2)).contents["m.c"] != first


# Handing it over ----------------------------------------------------------------------------------------------------


@needs_cc
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("int best = 0;", "int best = 0", "cannot be compiled and run: m.c:"),
        ("int best = 0;", "int best = 0; scores = 0;", "cannot be compiled and run: exit code -11"),
        ("(shift - 32)) + zero", "(shift - 32)) + zero + 1", "gives other scores than expected for"),
        ("scores[i] > scores[best]", "scores[i] < scores[best]", "gives other scores than expected for 0 of"),
    ],
)
def test_the_check_finds_what_is_wrong(
    old: str, new: str, reason: str, trained: tuple[FrozenModel, Images], tmp_path: Path
) -> None:
    model, images = trained
    assert images.training is not None
    program = quantise(model, images.training[:10])
    (tmp_path / "m.h").write_text(header(model, program, "m", MEASURED))
    text = source(program, "m")
    assert old in text
    (tmp_path / "m.c").write_text(text.replace(old, new, 1))
    few = images.validation[:20]
    with pytest.raises(ExportError, match=re.escape(reason)) as raised:
        check("m", tmp_path, few, scores_of(program, few), compiled.compiler())
    assert "\n" not in str(raised.value)


def test_without_a_compiler_it_is_written_and_said_to_be_unchecked(
    trained: tuple[FrozenModel, Images], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, images = trained
    monkeypatch.setenv("CC", "no-such-compiler")
    written = write(
        model, "m", tmp_path, images.validation, images.labels, training_images=images.training, formats=("c",)
    )
    assert {path.name for path in written.files} == {"m.c", "m.h", "m.md"} == {path.name for path in tmp_path.iterdir()}
    assert "m.c was not compiled, since there is no C compiler here" in written.notes[1]
    assert "NOT COMPILED when it was written" in (tmp_path / "m.h").read_text()


@needs_cc
@pytest.mark.parametrize("can_link", [True, False])
def test_with_a_cross_compiler_it_is_compiled_and_said_not_to_have_run(
    can_link: bool, trained: tuple[FrozenModel, Images], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it makes is nothing that this machine can run; or, without an operating system there, no program at all."""
    model, images = trained
    cross = tmp_path / "cross cc"
    spoil = 'printf other > "$2"' if can_link else "exit 1"
    cross.write_text(
        f'#!/bin/sh\ncc "$@" || exit\nwhile [ $# -gt 1 ] && [ "$1" != -o ]; do shift; done\n'
        f'case "$2" in ""|*.o) ;; *) {spoil} ;; esac\n'
    )
    cross.chmod(0o755)
    monkeypatch.setenv("CC", f"'{cross}'")
    assert images.training is not None
    program, folder = quantise(model, images.training[:10]), tmp_path / "models"
    written = write(
        model, "m", folder, images.validation, images.labels, training_images=images.training, formats=("c",)
    )
    assert {path.name for path in written.files} == {"m.c", "m.h", "m.md"} == {path.name for path in folder.iterdir()}
    assert "m.c was compiled but not run here, since what " in written.notes[1]
    text = " ".join((folder / "m.h").read_text().replace("\n *", "").split())
    assert "but NOT RUN when it was written" in text
    assert "to the last bit" not in text

    (tmp_path / "m.h").write_text(header(model, program, "m", MEASURED))
    (tmp_path / "m.c").write_text(source(program, "m").replace("int best = 0;", "int best = 0", 1))
    few = images.validation[:20]
    with pytest.raises(ExportError, match=r"cannot be compiled and run: m\.c:"):
        check("m", tmp_path, few, scores_of(program, few), compiled.compiler(), can_run=False)


def test_training_images_are_needed(trained: tuple[FrozenModel, Images], tmp_path: Path) -> None:
    model, images = trained
    with pytest.raises(InputError, match="needs training images"):
        write(model, "m", tmp_path / "none", images.validation, images.labels, formats=("c",))
    assert not (tmp_path / "none").exists()


def test_weights_that_are_no_numbers_are_refused() -> None:
    model = frozen(TINY)
    broken = {**model.state, "fc1.bias": torch.full((10,), float("nan"))}
    with pytest.raises(ExportError, match="finite"):
        quantise(replace(model, state=broken), random_images(TINY, 2, 0))


@needs_cc
@pytest.mark.parametrize("text", ["*/ int x; /*", "a*/", "??/", "ends with \\", "\\\n*/", "w" * 5000, "ü \ud800", "//"])
def test_any_text_is_harmless_in_the_comment(text: str, tmp_path: Path) -> None:
    said = replace(PROVENANCE, dataset=text, study=text, versions=text, precision=text, device=text)
    model = frozen(TINY, provenance=said, classes=(text, *map(str, range(1, 10))))
    images = random_images(TINY, 3, 0)
    program = quantise(model, images)
    scores, _ = compile_and_run(model, program, images, tmp_path, STRICT)
    assert torch.equal(scores, scores_of(program, images))
    lines = (tmp_path / "m.h").read_text().splitlines()
    assert "\n".join(line for line in lines if "CLASS_NAMES" not in line).count("*/") == 3


def test_the_image_is_described_in_the_header() -> None:
    text = header(frozen(EVERYTHING), quantise(frozen(EVERYTHING), random_images(EVERYTHING, 2, 0)), "m", MEASURED)
    assert f"int m_predict(const uint8_t image[{prod(EVERYTHING.input_shape)}], float scores[3]);" in text
    assert "#define M_CHANNELS 2\n#define M_HEIGHT 13\n#define M_WIDTH 11\n#define M_CLASSES 3\n" in text
