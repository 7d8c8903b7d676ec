"""Pictures in, classes with probabilities out: by every kind of file that is handed over."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import torch
from frozen_models import solved
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import nas as library
from nas.datasets.dataset import Dataset
from nas.datasets.framing import Framing, box_of, centre_of_mass, framing_of
from nas.errors import InputError
from nas.export.c.names import names_in, stated
from nas.export.python import source, weights_file
from nas.prediction.models import open_model
from nas.prediction.pictures import picture
from nas.training.teacher import read

Run = Callable[..., CompletedProcess[str]]
N = 60
NEARLY_ALL = 0.9  # what is near a border may be beyond it, moved by a pixel: MNIST itself was rounded to whole ones
SHAPE, MEAN = (1, 28, 28), (0.1307,)


@pytest.fixture(scope="session")
def exported(small_search: Path, made_once: Callable[..., Path]) -> Path:
    """A folder with the model of a small search in three formats, as model.*."""

    def make(folder: Path) -> None:
        from nas.cli import cli

        database = str(small_search / "runs" / "nas.db")
        formats = ["--format", "py", "--format", "onnx", "--format", "c"]
        cli.main(
            ["export", "--storage", database, *formats, "--name", "model", "--out", str(folder)], standalone_mode=False
        )

    return made_once("exported", make)


@pytest.fixture(scope="session")
def coloured(made_once: Callable[..., Path]) -> Path:
    """A folder with a model of pictures of two colours, in three formats; `name` has what they are called."""

    def make(folder: Path) -> None:
        random = np.random.default_rng(0)
        for name, colour in (("a rose", (210, 40, 50)), ("the sea", (40, 60, 200))):
            (folder / "train" / name).mkdir(parents=True)
            for n in range(40):
                pixels = np.clip(random.normal(colour, 30, (12, 12, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / "train" / name / f"{n}.png")
        result = library.search(
            dataset=f"folder:{folder}",
            space="tiny",
            budget=2_000,
            epochs=8,
            trials=2,
            workers=1,
            storage=str(folder / "nas.db"),
            out=folder,
            formats=("onnx", "c"),
        )
        assert result.model is not None
        (folder / "name").write_text(result.model.stem)

    return made_once("coloured", make)


@pytest.fixture(scope="session")
def digits(mnist: Dataset, made_once: Callable[..., Path]) -> list[Path]:
    def make(folder: Path) -> None:
        for n, image in enumerate(mnist.images[4000 : 4000 + N, 0].numpy()):
            Image.fromarray(image).save(folder / f"{n:02d}.png")

    return sorted(made_once("digits", make).glob("*.png"))


@pytest.mark.parametrize("suffix", [".py", ".onnx", ".c"])
def test_every_format_knows_the_digits_that_the_network_knows(
    exported: Path, digits: list[Path], mnist: Dataset, suffix: str
) -> None:
    with torch.no_grad():
        wanted = read(exported / "model.py").network(mnist.images[4000 : 4000 + N]).softmax(1)
    found = library.predict(exported / f"model{suffix}", digits)
    assert [each.picture for each in found] == list(map(str, digits))
    assert not any(each.inverted for each in found)
    shares = torch.tensor([[each.probabilities[str(digit)] for digit in range(10)] for each in found])
    if suffix == ".c":  # whole numbers of 8 bits
        assert (shares.argmax(1) == wanted.argmax(1)).float().mean() >= 0.9
        assert (shares - wanted).abs().mean() < 0.02
    else:
        torch.testing.assert_close(shares, wanted, rtol=0, atol=1e-4)
    for each in found:
        assert list(each.probabilities.values()) == sorted(each.probabilities.values(), reverse=True)
        assert sum(each.probabilities.values()) == pytest.approx(1)
    assert open_model(exported / f"model{suffix}").mean == pytest.approx(open_model(exported / "model.py").mean)


@pytest.fixture(scope="session")
def able(mnist: Dataset, made_once: Callable[..., Path]) -> Path:
    """The file of a model that has 97 of 100 digits right."""

    def make(folder: Path) -> None:
        model = solved(mnist.images[:4000], mnist.labels[:4000])
        (folder / "able.py").write_text(source(model, "able"), "utf-8")
        (folder / "able.safetensors").write_bytes(weights_file(model))

    return made_once("able", make) / "able.py"


def test_any_size_and_colour_and_dark_on_light_gives_what_the_plain_picture_gives(
    able: Path, digits: list[Path]
) -> None:
    plain = [Image.open(path) for path in digits]
    wanted = [each.label for each in library.predict(able, plain)]
    clear = Image.new("L", (28, 28))

    def transparent(image: Image.Image) -> Image.Image:  # black ink on nothing
        return Image.merge("RGBA", (clear, clear, clear, image)).resize((112, 112), Image.Resampling.LANCZOS)

    def share(change: Callable[[Image.Image], Image.Image]) -> float:
        found = library.predict(able, list(map(change, plain)))
        return float(np.mean([each.label == label for each, label in zip(found, wanted, strict=True)]))

    assert share(lambda image: Image.eval(image, lambda value: 255 - value)) == 1
    assert share(lambda image: image.convert("RGB")) == 1
    assert share(lambda image: Image.fromarray(np.asarray(image).astype(np.uint16) * 257)) == 1
    assert share(lambda image: image.resize((300, 300), Image.Resampling.BICUBIC)) >= NEARLY_ALL
    assert share(transparent) >= NEARLY_ALL
    assert share(lambda image: image.crop((4, 0, 24, 28)).convert("RGB").resize((60, 84))) >= NEARLY_ALL, "cut close"


def test_a_picture_keeps_its_proportions_and_turns_as_its_camera_says(tmp_path: Path) -> None:
    pixels = np.zeros((40, 80), np.uint8)
    pixels[:, 60:] = 255  # a bar at the right
    wide = picture(Image.fromarray(pixels), SHAPE, MEAN, invert=False).pixels[0]
    assert wide[:6].max() <= 2, "filled up above"
    assert wide[14, -3] == 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif)
    turned = picture(tmp_path / "turned.jpg", SHAPE, MEAN, invert=False).pixels[0]
    assert turned[-3, 14] > 200
    assert turned[3, 14] < 50


@pytest.mark.parametrize(
    ("mean", "on_black", "on_white"),
    [(0.13, False, True), (0.9, True, False), (0.5, False, False)],
)
def test_what_is_inverted_follows_from_the_training_images(mean: float, on_black: bool, on_white: bool) -> None:
    black, white = Image.new("L", (50, 50), 0), Image.new("L", (50, 50), 255)
    assert picture(black, SHAPE, (mean,)).inverted == on_black
    assert picture(white, SHAPE, (mean,)).inverted == on_white
    assert not picture(white, (3, 28, 28), (0.1, 0.1, 0.1)).inverted, "colours are never"
    assert not picture(white, SHAPE, ()).inverted, "nothing is known"
    assert picture(black, SHAPE, (mean,), invert=True).pixels.min() == 255


def test_the_command_shows_one_picture_several_or_json(nas: Run, exported: Path, digits: list[Path]) -> None:
    model = str(exported / "model.py")
    one = nas("predict", model, str(digits[0])).stdout.splitlines()
    assert sum("%" in line for line in one) == 3
    several = nas("predict", model, *map(str, digits[:4]), "--top", "2").stdout
    assert all(str(path) in several for path in digits[:4])
    found = json.loads(nas("predict", model, *map(str, digits[:2]), "--json").stdout)
    assert [each["picture"] for each in found] == list(map(str, digits[:2]))
    assert re.search(rf"^ +{found[0]['class']} +{100 * found[0]['probability']:.2f} %$", "\n".join(one), re.MULTILINE)
    assert len(found[0]["probabilities"]) == 10


@pytest.mark.parametrize("suffix", [".py", ".onnx", ".c"])
def test_pictures_in_colour_get_the_names_of_the_folder(nas: Run, coloured: Path, tmp_path: Path, suffix: str) -> None:
    """A network that tells red from blue, whichever way the picture is brighter: nothing is made grey, or inverted."""
    names, model = {}, coloured / f"{(coloured / 'name').read_text()}{suffix}"
    for name, colour in (("a rose", (250, 20, 40)), ("the sea", (20, 30, 240))):
        Image.new("RGB", (200, 120), colour).save(tmp_path / "picture.png")
        done = nas("predict", str(model), str(tmp_path / "picture.png"), "--json", alone=True)
        (answer,) = json.loads(done.stdout)
        names[name] = answer["class"]
        assert not answer["inverted"]
        assert set(answer["probabilities"]) == {"a rose", "the sea"}
    assert names == {"a rose": "a rose", "the sea": "the sea"}


def test_what_is_no_model_or_no_picture_gets_one_line(
    nas: Run, exported: Path, digits: list[Path], tmp_path: Path
) -> None:
    shutil.copy(exported / "model.c", tmp_path / "alone.c")
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.py").write_text("")
    digit = str(digits[0])
    for model, image, words in (
        ("nowhere.py", digit, ["there is no nowhere.py", "nas export"]),
        (str(exported / "model.safetensors"), digit, ["model.py"]),
        ("empty.py", digit, ["a model", "load()"]),
        ("alone.c", digit, ["alone.h"]),
        (str(exported / "model.py"), "nowhere.png", ["there is no nowhere.png"]),
        (str(exported / "model.py"), "text.png", ["text.png", "image"]),
    ):
        done = nas("predict", model, image)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert all(word in done.stderr for word in words), done.stderr


def test_c_is_compiled_with_the_compiler_that_is_named(
    exported: Path, digits: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(InputError, match="no C compiler"):
        library.predict(exported / "model.c", digits[0])
    monkeypatch.setenv("CC", "false")
    with pytest.raises(InputError, match="cannot be compiled"):
        library.predict(exported / "model.c", digits[0])


@given(classes=st.lists(st.text(st.characters(codec="utf-8")), max_size=5).map(tuple), mean=st.floats(0, 1))
def test_a_header_states_any_name(classes: tuple[str, ...], mean: float) -> None:
    text = f"before\n{stated('model', classes, (mean,))}after\n"
    assert text.isascii()
    assert "??" not in text
    assert names_in(text, "model") == (classes, (mean,))
    assert names_in("an earlier version", "model") == ((), ())


# Digits that somebody photographed ------------------------------------------------------------------------------------


def photograph(digit: np.ndarray, seed: int) -> Image.Image:
    """A digit, some ten times as large, somewhere on a sheet of grey paper that is lit from one side, with noise."""
    random = np.random.default_rng(seed)
    size = int(random.integers(120, 300))
    ink = np.asarray(Image.fromarray(digit).resize((size, size), Image.Resampling.BICUBIC)) / 255.0
    paper = np.full((420, 500), 200.0) + np.linspace(-20, 20, 500) + random.normal(0, 3, (420, 500))
    top, left = int(random.integers(5, 415 - size)), int(random.integers(5, 495 - size))
    paper[top : top + size, left : left + size] -= 150 * ink
    return Image.fromarray(paper.clip(0, 255).astype(np.uint8)).convert("RGB")


def test_a_photographed_digit_becomes_as_the_training_images_are(able: Path, mnist: Dataset) -> None:
    framing = framing_of(mnist.images)
    assert framing == (20, 14.0, 14.01)
    some = mnist.images[4000 : 4000 + N, 0].numpy()
    plain = library.predict(able, [Image.fromarray(image) for image in some])
    photos = [photograph(image, seed) for seed, image in enumerate(some)]
    differences = []
    for image, photo in zip(some, photos, strict=True):
        made = picture(photo, SHAPE, MEAN, framing=framing)
        assert made.inverted
        assert made.centred
        assert box_of(made.pixels[0])[1] - box_of(made.pixels[0])[0] <= framing.size + 1
        assert np.abs(np.subtract(centre_of_mass(made.pixels[0]), framing[1:])).max() < 1
        differences.append(np.abs(made.pixels[0].numpy().astype(int) - image).mean())
    assert np.mean(differences) < 12, "they are the digits that they were"
    found = library.predict(able, photos)
    left = library.predict(able, photos, centre=False)
    alike = [np.mean([a.label == b.label for a, b in zip(each, plain, strict=True)]) for each in (found, left)]
    assert alike[0] >= NEARLY_ALL
    assert alike[1] < 0.5, "too small, and anywhere"
    assert all(each.centred for each in found)
    assert not any(each.centred for each in left)


def test_what_is_cut_close_is_ink_up_to_the_edge() -> None:
    """A bar from edge to edge, of which more than a twentieth is on it: it was taken for ground once."""
    pixels = np.full((40, 40), 200, np.uint8)
    pixels[:, 15:22] = 30
    made = picture(Image.fromarray(pixels), SHAPE, MEAN, framing=Framing(20, 14.0, 14.0))
    top, bottom, left, right = box_of(made.pixels[0])
    assert (bottom - top, made.inverted) == (20, True)
    assert 3 <= right - left <= 5


@pytest.mark.parametrize("suffix", [".py", ".onnx", ".c"])
def test_every_format_states_how_the_training_images_hold_their_digits(exported: Path, suffix: str) -> None:
    framing = open_model(exported / f"model{suffix}").framing
    assert framing is not None
    assert framing.size == 20
    assert framing == pytest.approx((20, 14.0, 14.0), abs=0.05)


def test_only_images_that_are_all_alike_are_said_to_be(mnist: Dataset) -> None:
    some = mnist.images[:300]
    assert framing_of(255 - some) == framing_of(some) is not None
    random = torch.Generator().manual_seed(0)
    moved = torch.stack([image.roll(torch.randint(-3, 4, (2,), generator=random).tolist(), (1, 2)) for image in some])
    cropped = torch.nn.functional.interpolate(some[:, :, 4:24, 4:24].float(), (28, 28)).to(torch.uint8)
    assert framing_of(moved) is None
    assert framing_of(cropped) is None, "they fill the image"
    assert framing_of(some.expand(-1, 3, -1, -1)) is None, "in colour"
    assert framing_of(torch.randint(0, 256, (300, 1, 28, 28), dtype=torch.uint8, generator=random)) is None
    assert framing_of(torch.zeros(300, 1, 28, 28, dtype=torch.uint8)) is None
    assert framing_of(some[:19]) is None, "too few"


def test_the_command_says_what_it_did_to_a_picture(nas: Run, exported: Path, mnist: Dataset, tmp_path: Path) -> None:
    photograph(mnist.images[4000, 0].numpy(), 0).save(tmp_path / "photo.png")
    Image.new("L", (200, 100), 255).save(tmp_path / "empty.png")
    done = nas("predict", str(exported / "model.py"), "photo.png").stdout
    assert "centred by mass; --no-centre leaves that" in done
    assert "centred" not in nas("predict", str(exported / "model.py"), "photo.png", "--no-centre").stdout
    (told,) = json.loads(nas("predict", str(exported / "model.py"), "photo.png", "--json").stdout)
    assert (told["inverted"], told["centred"]) == (True, True)
    assert nas("predict", str(exported / "model.py"), "empty.png").returncode == 0
