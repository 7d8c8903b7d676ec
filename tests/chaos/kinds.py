"""What is done to a search: each kind a function that does it, sees to it that the search goes on, and looks."""

import json
import os
import resource
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from attacked import SEARCH, Lost, Search, check_output, run_to_end, study_in
from commands import begin, kill, workers

from nas.study.confirmation import readings
from nas.study.trial import TrialAttributes

SMALL = "small"  # the study that is confirmed and exported
SMALL_SEARCH = [*SEARCH[:3], "--study", SMALL, *SEARCH[5:], "--epochs", "2", "--trials", "3"]
CONFIRM = ["confirm", "--study", SMALL, "--top", "2", "--seeds", "2", "--workers", "2", "--out", "models", "--json"]
EXPORT = ["export", "--study", SMALL, "--trial"]


def worker(search: Search, random: Random) -> bool:
    """One of its workers is killed."""
    assert search.command is not None
    victims = workers(search.command)
    if not victims:
        return False
    with suppress(ProcessLookupError):
        os.kill(random.choice(victims), signal.SIGKILL)
    return True


def controller(search: Search, random: Random) -> bool:
    """The controlling process is killed, with its workers or without."""
    assert search.command is not None
    orphans = workers(search.command) if random.random() < 0.5 else []
    search.stop(signal.SIGKILL)
    for pid in orphans:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    search.start()
    return True


def interrupted(search: Search, random: Random) -> bool:
    """Ctrl-C or a termination signal, at any moment, also right after the start."""
    begun = search.n_written()
    code = search.stop(random.choice([signal.SIGINT, signal.SIGTERM]))
    check_output(search.written_since(begun))
    if code not in (130, -signal.SIGINT, -signal.SIGTERM):
        raise Lost(f"an interrupted search ended with {code}: {search.written_since(begun)[-1500:]}")
    search.start()
    return True


def export(search: Search, random: Random) -> bool:
    """An export is killed or interrupted, and repeated."""
    with small_study(search) as folder:
        best = finished_trial(folder)
        args, out = [*EXPORT, str(best), "--out", "models"], folder / "models"
        code = killed(args, folder, random, longest=1.5)
        models = list(out.glob("*.py")) if out.exists() else []
        if any(not model.with_suffix(suffix).exists() for model in models for suffix in (".safetensors", ".md")):
            raise Lost(f"half an export is left: {sorted(out.iterdir())}")
        if code == -signal.SIGINT and not models and out.exists() and any(out.iterdir()):
            raise Lost(f"an interrupted export left {sorted(out.iterdir())}")
        run_to_end(args, folder)
        names = sorted(file.suffix for file in out.iterdir())
        if names != [".md", ".py", ".safetensors", ".sh"]:
            raise Lost(f"an export that was repeated left {sorted(out.iterdir())}")
    return True


def confirm(search: Search, random: Random) -> bool:
    """A confirmation is killed or interrupted, once or twice, and repeated: it must end as if nothing had happened."""
    with small_study(search) as folder:
        expected = json.loads((search.folder.parent / "confirmed.json").read_text())
        for _ in range(random.randint(1, 2)):
            killed(CONFIRM, folder, random, longest=3.0)
        run_to_end(CONFIRM, folder)
        confirmed = figures(folder)
        if confirmed != expected:
            raise Lost(f"a confirmation that was killed gave {confirmed} and not {expected}")
        left = [each for each in folder.rglob("*") if each.name.endswith(".tmp") or each.name.startswith(".")]
        old = [each for each in left if "trainings" not in each.parts]  # these go after ten minutes
        if old or list((folder / "runs" / "trainings").glob("*.pt")):
            raise Lost(f"a confirmation that was repeated left {sorted(folder.rglob('*'))}")
    return True


def full(search: Search, random: Random) -> bool:
    """The disk is full for a while; where the search has ended, with one line, it goes on once there is room."""
    begun = search.n_written()
    with filled(search.folder / "runs") if os.path.ismount(search.folder / "runs") else limited(search):
        time.sleep(random.uniform(0.2, 2))
    return goes_on_or_ended_with_one_line(search, begun, ("full", "No space left", "room"))


def locked(search: Search, random: Random) -> bool:
    """Another process locks the database for a while."""
    begun = search.n_written()
    with closing(sqlite3.connect(search.database, timeout=60)) as other:
        other.execute("begin exclusive")
        time.sleep(random.uniform(0.2, 2))
        other.rollback()
    return goes_on_or_ended_with_one_line(search, begun, ("locked",))


def moved(search: Search, random: Random) -> bool:
    """The database file of a search that is under way is moved away, and back."""
    search.wait_for_a_training()
    begun, away = search.n_written(), search.database.with_name("away.db")
    search.database.rename(away)
    time.sleep(random.uniform(0.05, 1.5))
    if search.database.exists():
        raise Lost("a new database was made in the place of one that was moved")
    away.rename(search.database)
    return goes_on_or_ended_with_one_line(search, begun, ("was deleted", "replaced", "must exist"))


def two(search: Search, random: Random) -> bool:
    """A second search of the same study is refused with one line."""
    assert search.command is not None
    search.wait_for_a_training()
    if search.command.poll() is not None:
        return False
    text = run_to_end(SEARCH, search.folder, expected=2)
    lines = [line for line in text.splitlines() if not line.endswith(" …")]  # what is being done
    if "works on 'chaos': wait for it" not in text or len(lines) != 1:
        raise Lost(f"a second search was not refused with one line: {text}")
    return True


def clock(search: Search, random: Random) -> bool:
    """The search is killed, and goes on with a wall clock that is set back by an hour in the middle."""
    begun = search.n_written()
    search.stop(signal.SIGKILL)
    search.start(set_back_after=random.uniform(2, 5))
    search.wait_for_a_training()
    time.sleep(random.uniform(1, 3))
    check_output(run_to_end(["status"], search.folder))
    check_output(search.written_since(begun))
    if random.random() < 0.5:  # else the next kind finds it
        search.stop(signal.SIGINT)
        search.start()
    return True


@dataclass(frozen=True)
class Kind:
    """Of all that is done it has a `share`; `pause`: seconds before it, at most."""

    name: str
    share: float
    do: Callable[[Search, Random], bool]
    pause: float = 1.0


KINDS = (
    Kind("worker killed", 0.45, worker),
    Kind("controller killed", 0.15, controller, 2.0),
    Kind("search interrupted", 0.08, interrupted, 1.5),
    Kind("export killed", 0.08, export, 0.3),
    Kind("confirmation killed", 0.05, confirm, 0.3),
    Kind("disk full", 0.05, full),
    Kind("database locked", 0.05, locked),
    Kind("database moved", 0.04, moved),
    Kind("second controller", 0.03, two),
    Kind("clock set back", 0.02, clock),
)


def goes_on_or_ended_with_one_line(search: Search, begun: int, words: tuple[str, ...]) -> bool:
    """Starts it anew where it ended; raises `Lost` where it did without saying why in its last line.

    One of its trainings may go on, while it ends for the sake of another one, and a busy machine may be slow to end it:
    that is looked at before the next kind.
    """
    assert search.command is not None
    deadline = time.monotonic() + 2
    while search.command.poll() is None and time.monotonic() < deadline:
        if "epoch" in search.written_since(begun):
            break
        time.sleep(0.05)
    if search.command.poll() is None:
        search.has_ended = lambda: goes_on_or_ended_with_one_line(search, begun, words)
    else:
        text = search.written_since(begun)
        check_output(text)
        last = (text.splitlines() or [""])[-1]
        if search.command.returncode != 2 or not any(word in last for word in words):
            raise Lost(f"it ended with {search.command.returncode}: {text[-2000:]}")
        search.start()
    return True


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Nothing can be written to this folder's disk."""
    ballast = folder / "ballast"
    try:
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1 << 8):
                with suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass
        yield
    finally:
        ballast.unlink(missing_ok=True)


@contextmanager
def limited(search: Search) -> Iterator[None]:
    """Where no disk can be mounted: the workers cannot write files as large as a checkpoint."""
    assert search.command is not None
    pids = workers(search.command)
    for size in (1000, resource.RLIM_INFINITY):
        for pid in pids:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        if size == 1000:
            yield


def killed(args: list[str], folder: Path, random: Random, longest: float) -> int:
    """Runs a command and kills or interrupts it; the signal as a negative number, or 0 where it was over before."""
    number = random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGINT])
    log = folder / "killed.log"
    command = begin(args, folder, log)
    time.sleep(random.uniform(0, longest))
    over = command.poll() is not None
    kill(command, number)
    code = command.wait(60)
    check_output(log.read_text(errors="replace") if log.exists() else "")
    if not over and number == signal.SIGINT and code not in (0, 130, -signal.SIGINT):
        raise Lost(f"nas {args[0]} was interrupted and ended with {code}")
    return 0 if over else -number


def prepare(folder: Path) -> None:
    """Makes the study that is confirmed and exported, and what its confirmation gives undisturbed."""
    made = folder / "small"
    for part in (made, folder / "whole"):
        shutil.rmtree(part, ignore_errors=True)  # of a run that was ended here
    made.mkdir()
    shutil.copy(folder / "few.npz", made)
    run_to_end(SMALL_SEARCH, made)
    shutil.copytree(made, folder / "whole")
    run_to_end(CONFIRM, folder / "whole")
    (folder / "confirmed.json").write_text(json.dumps(figures(folder / "whole")))


@contextmanager
def small_study(search: Search) -> Iterator[Path]:
    """A copy of that study's folder."""
    folder = search.folder / "copy"
    shutil.copytree(search.folder.parent / "small", folder)
    yield folder
    shutil.rmtree(folder)


def finished_trial(folder: Path) -> int:
    """The number of a trial that has weights."""
    study = study_in(folder / "runs" / "nas.db", SMALL)
    return next(trial.number for trial in study.trials if TrialAttributes(trial).outcome == "finished")


def figures(folder: Path) -> list[list[object]]:
    """What each network had of the test set, once it read it; which networks, and how often, is a part of it."""
    study = study_in(folder / "runs" / "nas.db", SMALL)
    done = [each for each in readings(study) if each.accuracy is not None]
    return sorted([each.network, each.seed, each.accuracy] for each in done)
