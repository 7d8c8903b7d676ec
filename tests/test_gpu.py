"""What only a GPU can show; skipped where there is none. No figure in this repository was taken on one yet."""

from dataclasses import replace

import pytest
import torch

from nas.datasets.dataset import Dataset
from nas.datasets.splitting import Split, split
from nas.execution.job import Job
from nas.execution.processes import ProcessExecutor
from nas.space import documented
from nas.training.device import Precision, resolve_precision
from nas.training.run import TrainingRun, evaluate

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")]

CANDIDATE = documented.load("B5").candidate
SHORT = replace(CANDIDATE, recipe=replace(CANDIDATE.recipe, epochs=2))


@pytest.fixture(scope="module")
def part(mnist: Dataset) -> Split:
    whole = split(mnist)
    return replace(whole, train_images=whole.train_images[:10_000], train_labels=whole.train_labels[:10_000])


def run_on_gpu(part: Split, precision: Precision, seed: int = 0) -> TrainingRun:
    return TrainingRun(SHORT.architecture, SHORT.recipe, part.to("cuda"), seed=seed, device="cuda", precision=precision)


def test_a_network_learns_on_the_gpu_what_it_learns_on_the_cpu(part: Split) -> None:
    on_cpu = list(TrainingRun(SHORT.architecture, SHORT.recipe, part, seed=0))[-1]
    for precision in ("float32", resolve_precision("auto", "cuda")):
        on_gpu = list(run_on_gpu(part, precision))[-1]
        # Other random numbers, hence another training: it is as good, not the same.
        assert abs(on_gpu.validation_accuracy - on_cpu.validation_accuracy) < 0.02


def test_scores_on_the_gpu_are_those_on_the_cpu(part: Split) -> None:
    run = run_on_gpu(part, "float32")
    next(run)
    images, labels = part.validation_images, part.validation_labels
    loss, accuracy = evaluate(run.network, images.cuda(), labels.cuda())
    loss_on_cpu, accuracy_on_cpu = evaluate(run.network.cpu(), images, labels)
    assert loss == pytest.approx(loss_on_cpu, rel=1e-4), "which TensorFloat-32 would not reach"
    assert abs(accuracy - accuracy_on_cpu) <= 2 / len(labels)


def test_a_training_goes_on_from_its_state(part: Split) -> None:
    first = run_on_gpu(part, "float32")
    next(first)
    continued = run_on_gpu(part, "float32")
    continued.load_state_dict(first.state_dict())
    assert next(continued).validation_accuracy == pytest.approx(next(first).validation_accuracy, abs=0.002)


def test_two_workers_share_the_gpu(part: Split) -> None:
    executor = ProcessExecutor(part, 2, n_threads=1)
    try:
        runs = [executor.run(Job(SHORT, seed, device="cuda", precision="float32")) for seed in range(2)]
        for results in zip(*runs, strict=True):
            assert all(result.validation_accuracy > 0.8 for result in results)
    finally:
        executor.close()
