"""The database that a study lies in, used by several threads as a search uses it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import optuna

from nas.study.storage import open_storage

ROUNDS = 100  # Optuna's storage by itself starts a trial twice in one of some thirty


def test_a_waiting_trial_is_started_by_one_thread_only(tmp_path: Path) -> None:
    study = optuna.create_study(storage=open_storage(str(tmp_path / "nas.db")))
    both = Barrier(2)

    def ask() -> int:
        both.wait()
        return study.ask().number

    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            study.enqueue_trial({"x": 1})
            study.enqueue_trial({"x": 2})
            one, other = (pool.submit(ask) for _ in range(2))
            assert one.result() != other.result()
