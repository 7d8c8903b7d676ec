"""What the user sees of trainings over several seeds: a bar in a terminal, line by line elsewhere."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from threading import Lock
from types import TracebackType

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from nas.network.cost import cost_of
from nas.progress import working
from nas.replication.batch import Training
from nas.table import per_cent, plural
from nas.training.run import EpochResult

FIRST = "workers start; the first epoch takes longest"
PERIOD = 300.0  # seconds whose epochs tell how long the others take; with Rich's 30, slow ones never tell


class Bar(Progress):
    """A bar, and the description of its task in a line below."""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield from (Text(task.description) for task in self.tasks)


class TrainingsDisplay:
    """Follows trainings by the work that is done: in a terminal as a bar, elsewhere a line an epoch.

    The last epoch stands below the bar: beside it, in a narrow terminal, it would leave no room for the bar and the
    time that remains. There the bar gets shorter, and a line that is too long goes on in the next one. A terminal that
    cannot move its cursor (TERM=dumb) gets lines, as a file does.
    """

    def __init__(self, console: Console, trainings: Sequence[Training]) -> None:
        self._console, self._lock = console, Lock()
        self._n_done, self._n = 0, len(trainings)
        self._progress = Bar(
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[n_done]}" + f" of {self._n} trainings"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_interactive,
            speed_estimate_period=PERIOD,
        )
        work = sum(_work(each) * each.candidate.recipe.epochs for each in trainings)
        self._task = self._progress.add_task(FIRST, total=work, n_done=0)

    def __enter__(self) -> "TrainingsDisplay":
        self.start()
        if not self._console.is_interactive:
            self._console.print(f"{FIRST[0].upper()}{FIRST[1:]}.")
        return self

    def start(self) -> "TrainingsDisplay":
        """Without a line for a file that says what is waited for: its last one does."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        if isinstance(error, KeyboardInterrupt):  # for who tells of it
            error.args = (f"{self._n_done} of {self._n} trainings are done and kept. The same command goes on.",)

    def epoch(self, training: Training, result: EpochResult) -> None:
        """An epoch is done, now or in an earlier run."""
        epochs = training.candidate.recipe.epochs
        with self._lock:
            self._n_done += result.epoch == epochs
            line = f"{training.label}  epoch {result.epoch}/{epochs}  {per_cent(result.validation_accuracy)}"
            self._progress.update(self._task, advance=_work(training), n_done=self._n_done, description=line)
            if not self._console.is_interactive:
                self._console.print(f"{line}  ({self._n_done} of {self._n} trainings done)", soft_wrap=True)


def _work(training: Training) -> float:
    """How long an epoch takes, roughly: products, and what a step costs however small the network is."""
    macs: int = cost_of(training.candidate.architecture).macs
    return macs + 2e8 / training.candidate.recipe.batch_size


class Stages:
    """Follows the trainings of one stage after the other."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._display: TrainingsDisplay | None = None
        self._shown = ExitStack()

    def __enter__(self) -> "Stages":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shown.__exit__(kind, error, trace)

    def stage(self, name: str, trainings: Sequence[Training]) -> None:
        """These are about to be trained; or something else is done, where there are none."""
        self._shown.close()
        if not trainings:
            self._shown.enter_context(working(name))
            return
        self._screen.print(f"{name}: {plural(len(trainings), 'training')}.")
        self._display = TrainingsDisplay(self._screen, trainings).start()
        self._shown.push(self._display)

    def epoch(self, training: Training, result: EpochResult) -> None:
        """An epoch is done, now or in an earlier run."""
        assert self._display is not None
        self._display.epoch(training, result)

    def tell(self, text: str) -> None:
        """A line for whoever watches."""
        self._screen.print(text, soft_wrap=True)
