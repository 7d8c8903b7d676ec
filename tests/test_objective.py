"""The objective by itself, on a user's own Optuna study."""

import optuna
import pytest
from optuna.trial import BaseTrial, TrialState

import nas
from nas import datasets
from nas.datasets.dataset import Dataset
from nas.network.architecture import Architecture
from nas.network.kinds import Activation, Conv, gap_head
from nas.space.candidate import Candidate, Task
from nas.training.recipe import Recipe


@pytest.fixture(scope="module")
def dataset(few_images: str) -> Dataset:
    return datasets.load(few_images)


def one_convolution(trial: BaseTrial, task: Task) -> Candidate:
    channels = trial.suggest_int("channels", 1, 40)
    lr = trial.suggest_categorical("lr", [0.05, 1e30])
    layers = (Conv(channels), Activation(), *gap_head(task.n_classes))
    architecture = Architecture(task.image_shape, task.n_classes, layers)
    return Candidate(architecture, Recipe(epochs=task.epochs, lr=lr, batch_size=256))


def test_it_works_on_a_study_of_ones_own(dataset: Dataset) -> None:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1))
    study.optimize(nas.Objective("tiny", dataset, 3000, epochs=1, seed=5), n_trials=6)
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    assert complete
    for trial in complete:
        assert trial.value == trial.intermediate_values[1]
        assert trial.user_attrs["params"] <= 3000
        assert trial.user_attrs["seed"] == 5 * 1_000_003 + trial.number


def test_a_candidate_over_the_budget_is_pruned_before_anything_is_built(dataset: Dataset) -> None:
    study = optuna.create_study(direction="maximize")
    study.enqueue_trial({"channels": 40, "lr": 0.05})
    study.optimize(nas.Objective(one_convolution, dataset, nas.Budget(params=500, macs=10**9), epochs=1), n_trials=1)
    (trial,) = study.trials
    assert trial.state == TrialState.PRUNED
    assert trial.constraints == {
        "params": pytest.approx(810 / 500 - 1),
        "macs": pytest.approx(243_360 / 10**9 - 1, abs=1),
    }
    assert (trial.user_attrs["outcome"], trial.user_attrs["params"]) == ("rejected", 810)
    assert "seed" not in trial.user_attrs
    assert trial.intermediate_values == {}


def test_a_loss_that_is_not_finite_ends_the_trial_with_its_reason_and_the_search_goes_on(dataset: Dataset) -> None:
    study = optuna.create_study(direction="maximize")
    study.enqueue_trial({"channels": 4, "lr": 1e30})
    study.enqueue_trial({"channels": 4, "lr": 0.05})
    study.optimize(nas.Objective(one_convolution, dataset, 500, epochs=2), n_trials=2)
    diverged, fine = study.trials
    assert (diverged.state, fine.state) == (TrialState.PRUNED, TrialState.COMPLETE)
    assert "not finite" in diverged.user_attrs["reason"]


def test_a_study_that_minimizes_is_refused(dataset: Dataset) -> None:
    with pytest.raises(nas.NasError, match="direction='maximize'"):
        optuna.create_study().optimize(nas.Objective("tiny", dataset, 3000, epochs=1), n_trials=1)


def test_a_trial_can_be_trained_again_exactly(dataset: Dataset) -> None:
    def accuracies(seed: int) -> dict[int, float]:
        study = optuna.create_study(direction="maximize")
        study.enqueue_trial({"channels": 8, "lr": 0.05})
        study.optimize(nas.Objective(one_convolution, dataset, 500, epochs=3, seed=seed), n_trials=1)
        return study.trials[0].intermediate_values

    assert accuracies(0) == accuracies(0) != accuracies(1)
