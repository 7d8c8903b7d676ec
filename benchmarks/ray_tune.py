"""Ray Tune with its Optuna searcher, as `scale.py` measures it: an actor a trial, whose epochs are waited for.

Needs `ray.tune`, which is more than the extra `ray`: `pip install 'ray[tune]'`.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from optuna.distributions import BaseDistribution
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import ConcurrencyLimiter
from ray.tune.search.optuna import OptunaSearch


@dataclass
class Replay:
    """What is played: `training` is that of a digest, its accuracies and the seconds of an epoch.

    `began` hears of each trial, `trained` of the beginning and end of each epoch, by the clock `time.monotonic`, which
    is one for all processes of a machine.
    """

    distributions: dict[str, BaseDistribution]
    training: Callable[[str], tuple[Sequence[float], float]]
    n_epochs: int
    began: Callable[[str], None]
    trained: Callable[[float, float], None]
    is_over: Callable[[], bool]


_playing: list[Replay] = []  # Tune stores what it is given in a file, and locks cannot be stored: so they are here


def play(replay: Replay, n_workers: int, folder: Path) -> None:
    """Searches until it is over: TPE, and asynchronous successive halving, actors used again for the next trial."""
    _playing[:] = [replay]
    # A share of a CPU that lets all of them begin; few, so that Ray holds no processes ready that nobody asked for.
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    searcher = OptunaSearch(_suggest, metric="accuracy", mode="max", seed=0)
    tuner = tune.Tuner(
        tune.with_resources(Waiting, {"cpu": 0.9 / n_workers}),
        tune_config=tune.TuneConfig(
            search_alg=ConcurrencyLimiter(searcher, max_concurrent=n_workers),
            scheduler=ASHAScheduler(
                metric="accuracy", mode="max", max_t=replay.n_epochs, grace_period=1, reduction_factor=3
            ),
            num_samples=-1,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(storage_path=str(folder), callbacks=[Listener()], verbose=0, stop=WhenOver()),
    )
    tuner.fit()
    ray.shutdown()


class Waiting(tune.Trainable):  # type: ignore[misc]
    """Waits for as long as each epoch of its training took, and tells what that had come to."""

    def setup(self, config: dict[str, Any]) -> None:
        self.accuracies, self.seconds = config["accuracies"], config["seconds"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        begin, n = time.monotonic(), self.iteration + 1
        time.sleep(self.seconds)
        done = n == len(self.accuracies)
        return {"accuracy": self.accuracies[n - 1], "begin": begin, "end": time.monotonic(), "done": done}

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        return {}

    def load_checkpoint(self, checkpoint: Any) -> None:
        pass


class Listener(tune.Callback):  # type: ignore[misc]
    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        _playing[0].began(trial.trial_id)

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        _playing[0].trained(result["begin"], result["end"])


class WhenOver(tune.Stopper):  # type: ignore[misc]
    """Ends all of it: a function would end one trial after the other, and each would be followed by a new one."""

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return _playing[0].is_over()

    def stop_all(self) -> bool:
        return _playing[0].is_over()


def _suggest(trial: Any) -> dict[str, Any]:
    """Tune knows Optuna's distributions by the methods of its trials alone."""
    values = [_suggested(trial, name, each) for name, each in _playing[0].distributions.items()]
    accuracies, seconds = _playing[0].training(f"{abs(hash(tuple(map(str, values)))):x}")
    return {"accuracies": accuracies, "seconds": seconds}


def _suggested(trial: Any, name: str, distribution: BaseDistribution) -> Any:
    settings = dict(distribution._asdict())
    if "choices" in settings:
        return trial.suggest_categorical(name, settings["choices"])
    suggest = trial.suggest_int if isinstance(settings["low"], int) else trial.suggest_float
    return suggest(name, settings.pop("low"), settings.pop("high"), **settings)
