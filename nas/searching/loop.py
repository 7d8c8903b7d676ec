"""Keeps the workers busy: new trials, and paused ones that have become promising, until the referee ends the search."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Condition, Lock

import optuna
from optuna.trial import Trial, TrialState

from nas.errors import StudyError, WorkerError
from nas.execution.job import Cancelled
from nas.searching.objective import Objective, Paused
from nas.searching.referee import Referee
from nas.study.pausing import PausingPruner
from nas.study.trial import let_wait, paused_trials

MOST_WORKERS = 100_000  # threads are made when they are needed
POLL_SECONDS = 0.2  # waits end after it: the referee's decision notifies nobody, since that would take a lock


class Loop:
    """As `study.optimize`, but for trials that were interrupted or paused: these go on before a new one is asked for,
    in the same trial, the interrupted ones of an earlier search first.

    A paused trial is one that runs, to the study, with an outcome that says that it is paused. Where the search was
    ended from outside, paused trials stay so for the next search of this study; else they are pruned. An interrupted
    one waits, to the study. As many trials as `n_places` says are under way at a time; it is asked again and again, and
    where there are fewer places than trainings, those are not cut short.
    """

    def __init__(
        self, study: optuna.Study, objective: Objective, referee: Referee, n_places: Callable[[], int]
    ) -> None:
        self._study, self._objective, self._referee, self._n_places = study, objective, referee, n_places
        self._pruner = study.pruner if isinstance(study.pruner, PausingPruner) else None
        self._changed, self._asking = Condition(), Lock()
        self._n_workers = self._n_under_way = 0
        self._n_waiting = len(study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))
        self._paused = {each.number: each._trial_id for each in paused_trials(study)}

    def run(self) -> None:
        """Returns when the search is over; raises what ended it, if something unforeseen did."""
        with ThreadPoolExecutor(MOST_WORKERS) as threads:
            working = set[Future[None]]()
            while self._referee.why_ended is None:
                working |= {threads.submit(self._work) for _ in range(self._n_missing())}
                ended, working = wait(working, POLL_SECONDS, FIRST_COMPLETED)
                for each in ended:
                    each.result()
            for each in working:
                each.result()
        if self._referee.why_ended not in ("interrupted", "timeout"):
            for trial_id in self._paused.values():
                trial = Trial(self._study, trial_id)
                self._objective.give_up(trial)
                self._study.tell(trial, state=TrialState.PRUNED)

    def _n_missing(self) -> int:
        """How many workers are to begin."""
        with self._changed:
            n = max(0, self._n_places() - self._n_workers)
            self._n_workers += n
        return n

    def _work(self) -> None:
        """What one worker does, trial after trial."""
        try:
            while (task := self._next()) is not None:
                self._do(*task)
        except BaseException:
            self._referee.end("interrupted")
            raise
        finally:
            with self._changed:
                self._n_workers -= 1

    def _next(self) -> tuple[Trial, bool] | None:
        """A paused trial that goes on, and True, or one that waits or is new, and False; None when the search is over,
        or there are more workers than places.

        Waits where neither may begin.
        """
        with self._changed:
            while self._referee.why_ended is None and self._n_workers <= self._n_places():
                if self._n_waiting:
                    goes_on, self._n_waiting, self._n_under_way = None, self._n_waiting - 1, self._n_under_way + 1
                    break
                may_begin = self._referee.may_begin(self._n_under_way + len(self._paused))
                goes_on = self._most_promising(none_begins=not may_begin and not self._n_under_way)
                if goes_on is not None or may_begin:
                    self._n_under_way += 1
                    break
                if not self._n_under_way:  # nothing will change any more
                    self._referee.end("trials")
                self._changed.wait(POLL_SECONDS)
            else:
                return None
        if goes_on is not None:
            return Trial(self._study, goes_on), True
        with self._asking:
            return self._study.ask(), False

    def _most_promising(self, none_begins: bool) -> int | None:
        """The id of a paused trial that is to go on."""
        if self._pruner is None or not self._paused:
            return None
        number = self._pruner.goes_on(self._study, self._paused, none_begins)
        return None if number is None else self._paused.pop(number)

    def _do(self, trial: Trial, goes_on: bool) -> None:
        value, state, paused, interrupted = None, None, False, False
        try:
            if self._referee.why_ended is not None:
                raise Paused if goes_on else Cancelled
            value = self._objective(trial)
        except Paused:
            paused = True
        except optuna.TrialPruned:
            state = TrialState.PRUNED
        except Cancelled as cancelled:
            interrupted = True
            let_wait(self._study, trial._trial_id)
            if lost := str(cancelled):
                self._referee.end("interrupted")
                raise WorkerError(lost) from None
        except WorkerError:
            state = TrialState.FAIL
        except StudyError:  # of the database, which cannot be told anything
            raise
        except BaseException:
            self._study.tell(trial, state=TrialState.FAIL)
            raise
        if not paused and not interrupted:
            self._referee.after_trial(self._study.tell(trial, value, state=state))
        with self._changed:
            if paused:
                self._paused[trial.number] = trial._trial_id
            self._n_under_way -= 1
            self._changed.notify_all()
