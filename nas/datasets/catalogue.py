"""The built-in data sets, as data: what their files are called, hold, and hash to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from nas.datasets.schemes import FORMS_IN_WORDS
from nas.errors import DataError, nearest

Part = Literal["train", "test"]
DIGITS = tuple("0123456789")
FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
GREY_28 = (1, 28, 28)
PARTS: tuple[Part, Part] = ("train", "test")


@dataclass(frozen=True)
class Builtin:
    """A data set that can be fetched by name."""

    name: str
    title: str
    folder: str  # below the data folder, as torchvision lays it out
    n_images: Mapping[Part, int]
    image_shape: tuple[int, int, int]  # (channels, height, width)
    classes: tuple[str, ...]
    files: Mapping[Part, tuple[str, ...]]  # IDX: images, labels; CIFAR-10: its batches
    megabytes: int  # to download from a mirror
    format: Literal["idx", "cifar"] = "idx"
    md5: Mapping[str, str] = field(default_factory=dict)  # of the unpacked official files, where known
    transposed: bool = False  # EMNIST stores its images mirrored along the diagonal
    also: tuple[str, ...] = ()  # files that only torchvision needs


def _idx(train: str, test: str) -> dict[Part, tuple[str, ...]]:
    return {
        "train": (f"{train}-images-idx3-ubyte", f"{train}-labels-idx1-ubyte"),
        "test": (f"{test}-images-idx3-ubyte", f"{test}-labels-idx1-ubyte"),
    }


BUILTINS = {
    builtin.name: builtin
    for builtin in (
        Builtin(
            name="mnist",
            title="MNIST",
            megabytes=12,
            folder="MNIST/raw",
            n_images={"train": 60_000, "test": 10_000},
            image_shape=GREY_28,
            classes=DIGITS,
            files=_idx("train", "t10k"),
            md5={
                "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
                "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
                "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
                "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
            },
        ),
        Builtin(
            name="fashion-mnist",
            title="Fashion-MNIST",
            megabytes=31,
            folder="FashionMNIST/raw",
            n_images={"train": 60_000, "test": 10_000},
            image_shape=GREY_28,
            classes=FASHION,
            files=_idx("train", "t10k"),
            md5={
                "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
                "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
                "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
                "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
            },
        ),
        Builtin(
            name="kmnist",
            title="Kuzushiji-MNIST",
            megabytes=21,
            folder="KMNIST/raw",
            n_images={"train": 60_000, "test": 10_000},
            image_shape=GREY_28,
            classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
            files=_idx("train", "t10k"),
        ),
        Builtin(
            name="emnist-digits",
            title="EMNIST Digits",
            megabytes=562,
            folder="EMNIST/raw",
            n_images={"train": 240_000, "test": 40_000},
            image_shape=GREY_28,
            classes=DIGITS,
            files=_idx("emnist-digits-train", "emnist-digits-test"),
            transposed=True,
        ),
        Builtin(
            name="emnist-balanced",
            title="EMNIST Balanced",
            megabytes=562,
            folder="EMNIST/raw",
            n_images={"train": 112_800, "test": 18_800},
            image_shape=GREY_28,
            classes=tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"),
            files=_idx("emnist-balanced-train", "emnist-balanced-test"),
            transposed=True,
        ),
        Builtin(
            name="cifar10",
            title="CIFAR-10",
            megabytes=170,
            folder="cifar-10-batches-py",
            n_images={"train": 50_000, "test": 10_000},
            image_shape=(3, 32, 32),
            classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
            files={"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)},
            format="cifar",
            md5={
                "data_batch_1": "c99cafc152244af753f735de768cd75f",
                "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
                "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
                "data_batch_4": "634d18415352ddfa80567beed471001a",
                "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
                "test_batch": "40351d587109b95175f43aff81a1287e",
            },
            also=("batches.meta",),
        ),
    )
}


def names() -> tuple[str, ...]:
    """The names of the built-in data sets."""
    return tuple(BUILTINS)


def builtin_named(name: str) -> Builtin:
    """The built-in data set of that name; DataError, naming the nearest, if there is none."""
    if name in BUILTINS:
        return BUILTINS[name]
    hint = nearest(name.lower(), BUILTINS, cutoff=0.5).removeprefix(": ").replace("'", "")
    raise DataError(
        f"there is no data set {name!r}: {hint and hint + ' '}Choose one of {', '.join(BUILTINS)}, {FORMS_IN_WORDS}"
    )
