"""What all tests share: MNIST, read once, a small part of it, and the command line."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType

import hypothesis
import numpy as np
import pytest
import torch
from filelock import FileLock
from small_study import SmallStudy

from nas import datasets
from nas.cli import main
from nas.datasets.dataset import Dataset
from nas.datasets.torchvision_compat import torchvision_datasets
from nas.execution import processes
from nas.execution.placement import Placement
from nas.replication.confirming import confirm
from nas.searching.search import search

# As a worker has: networks this small lose more by waiting for threads than they gain, above all on a busy machine.
torch.set_num_threads(1)
os.environ.pop("COLUMNS", None)  # pytest-xdist tells its processes a width, and nas obeys it

# `make test` has to pass, or fail, for everyone alike, so its property tests draw the same inputs every time;
# `make test-slow` draws fresh ones. Whoever finds a failing input there adds it to the test as an @example.
hypothesis.settings.register_profile("same", derandomize=True, database=None, deadline=None)
hypothesis.settings.register_profile("fresh", derandomize=False, database=None, deadline=None, print_blob=True)
hypothesis.settings.load_profile("same")

UNKIND = "</script><b>bold</b> & %{x} [red]"
TAKE_A_DATASET = ("search", "check", "reproduce", "ablate")
BESIDE = Path(__file__).parent.parent.parent / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _workers_are_forked() -> Iterator[None]:
    """Workers of what runs in this process come from a server that is warm: a spawned one takes seconds to begin.

    They are processes of their own all the same. What `start` runs spawns its workers, as users' commands do.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():  # as on Windows
        yield
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["warm_worker"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), os.pathsep)  # where the server finds it
        ensure_running()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "get_context", lambda _: context)
        yield


@pytest.fixture(scope="session", autouse=True)
def _workers_have_one_thread() -> Iterator[None]:
    """As with a worker for each core. A single one gets all cores, and its threads wait for those of other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Placement, "threads_of", lambda placement, n_workers: placement.threads or 1)
        yield


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Where the tests find MNIST: NAS_DATA_DIR, else a folder beside the repository, else fetched into the cache."""
    if named := os.environ.get("NAS_DATA_DIR"):
        return Path(named)
    return BESIDE if BESIDE.is_dir() else datasets.fetch("mnist")


@pytest.fixture(scope="session")
def mnist(data_dir: Path) -> Dataset:
    return datasets.load("mnist", data_dir)


@pytest.fixture(scope="session")
def functional() -> ModuleType:
    """What torchvision does to images, with parameters that are handed in."""
    torchvision_datasets()  # imports torchvision, also where that takes some care
    from torchvision.transforms.v2 import functional

    return functional


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Makes a folder of this name, or takes the one that the other process that runs tests has made.

    Both must leave it as it is: what a test changes is a copy (pytest-xdist, "Making session-scoped fixtures execute
    only once").
    """
    own = tmp_path_factory.getbasetemp()
    common = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def folder_of(name: str, make: Callable[[Path], None]) -> Path:
        folder, done = common / name, common / f"{name}.done"
        with FileLock(common / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # half of one, where making it failed
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return folder_of


@pytest.fixture(scope="session")
def few_images(mnist: Dataset, made_once: Callable[..., Path]) -> str:
    """The name of a data set of 3,000 real images, so that an epoch takes a fraction of a second."""

    def make(folder: Path) -> None:
        images, labels = mnist.images[:3600, 0].numpy(), mnist.labels[:3600].numpy()
        parts = {"x_train": images[:3000], "y_train": labels[:3000], "x_test": images[3000:], "y_test": labels[3000:]}
        np.savez(folder / "few.npz", **parts)

    return f"npz:{made_once('few', make) / 'few.npz'}"


@pytest.fixture(scope="session")
def searched(
    few_images: str, made_once: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SmallStudy]:
    """Rejected, pruned and finished trials of a real search, in a study with an unkind name. To change it, copy it."""

    def make(folder: Path) -> None:
        search(
            space="tiny",
            dataset=few_images,
            budget=2500,
            epochs=2,
            trials=10,
            workers=2,
            storage=SmallStudy(folder).storage,
            study=UNKIND,
            out=folder,
        )

    one = SmallStudy(shutil.copytree(made_once("searched", make), tmp_path_factory.mktemp("searched") / "runs"))
    before = one.study.user_attrs
    yield one
    assert one.study.user_attrs == before, "a test changed the study that others look at: let it copy the folder"


@pytest.fixture(scope="session")
def confirmed(
    searched: SmallStudy, made_once: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> SmallStudy:
    """A copy of that study, its winner trained again with two seeds and tested."""

    def make(folder: Path) -> None:
        copy = SmallStudy(shutil.copytree(searched.folder, folder, dirs_exist_ok=True))
        confirm(UNKIND, storage=copy.storage, top=1, seeds=2, workers=1, out=copy.folder)

    return SmallStudy(shutil.copytree(made_once("confirmed", make), tmp_path_factory.mktemp("confirmed") / "runs"))


def with_dataset(args: Sequence[str], dataset: str) -> list[str]:
    """A command's arguments, with this data set if it takes one and none is named."""
    return [*args, *(["--dataset", dataset] if args[0] in TAKE_A_DATASET and "--dataset" not in args else [])]


@pytest.fixture
def one_core() -> Iterator[None]:
    """For what `start` runs with one worker, which gets all cores: one thread, as in `_workers_have_one_thread`."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))  # of the process that runs tests
    os.sched_setaffinity(0, {sorted(before)[number % len(before)]})
    yield
    os.sched_setaffinity(0, before)


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_arrives() -> None:
    """What a shell starts in the background is told to ignore Ctrl-C, and hands that on; tests send it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def nas(
    few_images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., CompletedProcess[str]]:
    """Runs a command as the entry point does, in a folder of its own; on `few_images` unless told, or `alone`."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str, alone: bool = False) -> CompletedProcess[str]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(args if alone else with_dataset(args, few_images))
        code = ended.value.code
        out, err = capfd.readouterr()
        # Without what is told of slow things, which a busy machine makes of quick ones.
        told = "".join(line for line in err.splitlines(keepends=True) if not line.endswith(" …\n"))
        return CompletedProcess([sys.argv[0], *args], code if isinstance(code, int) else 0, out, told)

    return run


@pytest.fixture(scope="session")
def small_search(few_images: str, made_once: Callable[..., Path]) -> Path:
    """A folder in which a small search has been, for copying: some finished trials, some rejected ones, a model.

    With one worker, so that it is always the same.
    """
    options = ["--space", "tiny", "--epochs", "2", "--budget", "1500", "--sampler", "random", "--pruner", "none"]
    asked = ["--trials", "3", "--workers", "1", "--target", "0.99", "--study", "small", "--dataset", few_images]

    def make(folder: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "nas", "search", *options, *asked], cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 3, done.stderr

    return made_once("small", make)


@pytest.fixture
def start(few_images: str, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a command that goes on in the background, with its output as one stream of lines."""
    started = []

    def run(*args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "nas", *with_dataset(args, few_images)],
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
