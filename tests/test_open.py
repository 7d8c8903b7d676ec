"""What the house is open to: a layer kind, a cost, an executor, a sampler, a pruner, a scheme, each stated once.

What is added here is added as its author would add it, and used from the command line to the exported files.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import optuna
import pytest
import torch
from frozen_models import measured
from torch.utils.flop_counter import FlopCounterMode

from nas import datasets
from nas.datasets import Dataset, schemes
from nas.errors import ExportError, InputError
from nas.execution import opening
from nas.execution.inline import InlineExecutor
from nas.execution.job import Began, Job, Message
from nas.execution.processes import ProcessExecutor
from nas.export.writing import write
from nas.network import cost
from nas.network.architecture import Architecture
from nas.network.blocks import Residual
from nas.network.build import Network
from nas.network.cost import COSTS, Budget, Cost, CostKind, cost_of
from nas.network.kinds import (
    KINDS,
    STATEMENTS,
    Activation,
    BatchNorm,
    Constructor,
    Conv,
    LayerSpec,
    Shape,
    gap_head,
)
from nas.searching.events import EpochDone, Event
from nas.searching.objective import Objective
from nas.study import pruners, samplers
from nas.study.opening import find_study
from nas.study.record import LISTED, records
from nas.study.storage import open_storage
from nas.study.trial import TrialAttributes

Run = Callable[..., CompletedProcess[str]]


# A layer kind ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def hardtanh() -> Iterator[type[LayerSpec]]:
    """An element-wise kind, as its author would write it, until the end of the test."""

    @dataclass(frozen=True)
    class Hardtanh(LayerSpec):
        """Cut off at both ends."""

        kind = "hardtanh"
        label = "clip"
        in_place = True
        elementwise = True
        limit: float = 1.0

        def output_shape(self, shape: Shape) -> Shape:
            return shape

        def params(self, shape: Shape) -> int:
            return 0

        def macs(self, shape: Shape) -> int:
            return 0

        def constructor(self, shape: Shape) -> Constructor:
            return Constructor("Hardtanh", options={"min_val": -self.limit, "max_val": self.limit})

        def describe(self) -> str:
            return f"hardtanh {self.limit:g}"

    yield Hardtanh
    del KINDS["hardtanh"]


def test_a_layer_kind_is_one_class(hardtanh: Any, tmp_path: Path) -> None:
    layers = (Conv(4, 3), BatchNorm(), hardtanh(2.0), Conv(4, 3, bias=False), hardtanh(), *gap_head(3))
    architecture = Architecture((1, 9, 9), 3, layers)
    assert Architecture.from_dict(json.loads(json.dumps(architecture.to_dict()))) == architecture
    assert "hardtanh 2, conv 3×3 4, hardtanh 1" in str(architecture)
    network = Network(architecture, (0.5,), (0.25,))
    assert sum(p.numel() for p in network.parameters()) == cost_of(architecture).params
    with FlopCounterMode(display=False) as counted:
        network.eval()(torch.zeros(1, 1, 9, 9))
    assert counted.get_total_flops() == 2 * cost_of(architecture).macs
    model, images, labels = measured(architecture)
    written = write(model, "clipped", tmp_path, images, labels, training_images=images, formats=("py", "torch", "c"))
    assert "nn.Hardtanh(min_val=-2.0, max_val=2.0)" in (tmp_path / "clipped.py").read_text()
    assert tmp_path / "clipped.c" in written.files, "a table, as any function of single numbers"


@pytest.mark.parametrize("forgotten", STATEMENTS)
def test_a_kind_that_forgets_to_state_something_cannot_be_defined(forgotten: str) -> None:
    body = {name: getattr(Activation, name) for name in STATEMENTS if name != forgotten}
    with pytest.raises(TypeError, match=f"must state its {forgotten}, but Sloppy does not"):
        type("Sloppy", (LayerSpec,), {"kind": "sloppy", "label": "sloppy", **body})
    assert "sloppy" not in KINDS


@pytest.mark.parametrize("forgotten", ["parts", "n_live"])
def test_nor_can_a_block_that_does_not_tell_what_it_holds(forgotten: str) -> None:
    body = {name: getattr(Residual, name) for name in (*STATEMENTS, "parts", "n_live") if name != forgotten}
    with pytest.raises(TypeError, match=f"must state its {forgotten}, but Sloppy does not"):
        type("Sloppy", (LayerSpec,), {"kind": "sloppy", "label": "sloppy", "chains": ("body",), **body})


def test_two_kinds_of_one_name_cannot_be_defined() -> None:
    with pytest.raises(TypeError, match="'conv' is taken"):
        type("Other", (Conv,), {"kind": "conv"})


@pytest.fixture
def cumulative() -> Iterator[type[LayerSpec]]:
    """A kind that C has no operation for: neither element-wise nor a convolution or a pool."""

    @dataclass(frozen=True)
    class Shuffled(LayerSpec):
        """Channels in another order."""

        kind = "shuffled"
        label = "shuffle"

        def output_shape(self, shape: Shape) -> Shape:
            return shape

        def params(self, shape: Shape) -> int:
            return 0

        def macs(self, shape: Shape) -> int:
            return 0

        def constructor(self, shape: Shape) -> Constructor:
            return Constructor("ChannelShuffle", (2,))

        def describe(self) -> str:
            return "channel shuffle"

    yield Shuffled
    del KINDS["shuffled"]


def test_a_kind_that_c_does_not_have_is_one_line(cumulative: Any, tmp_path: Path) -> None:
    architecture = Architecture((1, 9, 9), 3, (Conv(4, 3), cumulative(), *gap_head(3)))
    model, images, labels = measured(architecture)
    with pytest.raises(ExportError, match=r"C has no operation for .* 'shuffled' \(shuffle1, channel shuffle\)"):
        write(model, "shuffled", tmp_path, images, labels, training_images=images, formats=("c",))
    assert list(tmp_path.iterdir()) == []
    assert write(model, "shuffled", tmp_path, images, labels).files


# A cost ---------------------------------------------------------------------------------------------------------------


def depth(architecture: Architecture) -> int:
    """Layers with weights to multiply with."""
    return sum(layer.macs > 0 for layer in architecture.walk)


def kind_of_cost(**changes: Any) -> CostKind:
    plain: dict[str, Any] = {
        "name": "depth",
        "noun": "weighted layers",
        "column": "depth",
        "label": "layers with weights",
        "unit": "",
        "phrase": "layers with weights",
        "option": "max-depth",
        "help": "Most layers with weights.",
        "of": depth,
    }
    return CostKind(**(plain | changes))


def test_a_counted_cost_is_one_entry(
    nas: Run, small_search: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Limited, shown, minimised; studies from before it was there are read without it."""
    monkeypatch.setitem(COSTS, "depth", kind_of_cost())
    architecture = Architecture((1, 9, 9), 3, (Conv(4, 3), *gap_head(3)))
    assert cost_of(architecture).depth == 2
    assert not Budget(20_000, depth=1).admits(cost_of(architecture))
    assert str(Budget(20_000, depth=2)) == "20,000 parameters, 2 weighted layers"
    shutil.copytree(small_search, tmp_path, dirs_exist_ok=True)
    before = [record for record in records(find_study(open_storage("runs/nas.db"))) if record.cost is not None]
    assert before
    assert all("depth" not in record.cost and record.cost.params for record in before)
    for command in (["trials"], ["show", str(before[0].trial)], ["pareto"], ["status"]):
        done = nas(*command)
        assert done.returncode == 0, done.stderr
    front = nas("pareto", "--by", "depth")
    assert front.returncode == 2
    assert "Traceback" not in front.stderr


def test_a_measured_cost_is_one_entry_and_is_measured_where_it_is_limited(
    few_images: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Architecture] = []

    def latency(architecture: Architecture) -> float:
        asked.append(architecture)
        return cost_of(architecture).macs / 1e6

    kind = kind_of_cost(
        name="latency", noun="ms", option="max-latency", of=latency, had="measured", quantity="milliseconds"
    )
    monkeypatch.setitem(COSTS, "latency", kind)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    budget = Budget(2_000, latency=0.2)
    study.optimize(Objective("tiny", few_images, budget, epochs=1), n_trials=12)
    attributes = [TrialAttributes(trial) for trial in study.get_trials()]
    costs = [each.cost for each in attributes]
    assert all(each is not None for each in costs)
    over = [each for each in costs if each.params > 2_000]
    counted_in = [each for each in costs if each.params <= 2_000]
    assert over
    assert all("latency" not in each for each in over), "counting is free, measuring is not"
    assert all("latency" in each for each in counted_in)
    assert len(asked) == len(counted_in)
    outcomes = {each.outcome for each in attributes if each.cost.get("latency", 0.0) > 0.2}
    assert outcomes == {"rejected"}
    assert any(each.outcome == "finished" for each in attributes)


def test_a_limit_on_a_cost_that_does_not_exist_gets_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'params'"):
        Budget(parms=3)
    assert Cost(params=3) == Cost(params=3) != Cost(params=4)
    assert Budget(3, macs=None) == Budget(3)
    assert Budget(3).macs is None
    with pytest.raises(AttributeError):
        _ = Cost(params=3).macs


def test_columns_are_those_of_the_registry() -> None:
    assert [kind.name for kind in LISTED] == [name for name in COSTS if COSTS[name].listed]
    counted = {name for name, kind in COSTS.items() if kind.counted}
    assert cost.cost_of(Architecture((1, 9, 9), 3, (Conv(4, 3), *gap_head(3)))).keys() == counted


# An executor ----------------------------------------------------------------------------------------------------------


class Elsewhere(InlineExecutor):
    """As if another machine trained: what it says of itself is what a trial must hold."""

    def _messages(self, job: Job) -> Generator[Message, None, None]:
        for message in super()._messages(job):
            yield Began({**message.made_with, "machine": "elsewhere"}) if isinstance(message, Began) else message


def test_an_executor_is_one_line_and_tells_its_own_environment(
    few_images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nas

    monkeypatch.setitem(opening.EXECUTORS, "elsewhere", lambda data, n_workers, placement, on_wait: Elsewhere(data))
    monkeypatch.chdir(tmp_path)
    result = nas.search(
        space="tiny", dataset=few_images, budget=4_000, epochs=1, trials=2, workers=1, executor="elsewhere"
    )
    trained = [record for record in records(result.study) if record.epochs]
    assert {record.made_with["machine"] for record in trained} == {"elsewhere"}
    with pytest.raises(InputError, match="did you mean 'elsewhere'"):
        nas.search(space="tiny", dataset=few_images, epochs=1, trials=1, workers=1, executor="elsewere", study="other")


class EachElsewhere(ProcessExecutor):
    """As if each worker ran on a machine of its own sort, on which the digits of others cannot be gone on with."""

    n_started = 0

    def _messages_of_one_worker(self, job: Job) -> Generator[Message, None, None]:
        self.n_started += 1
        for message in super()._messages_of_one_worker(job):
            here = f"machine {self.n_started}"
            yield (
                replace(message, made_with=message.made_with | {"machine": here})
                if isinstance(message, Began)
                else message
            )

    def kill_worker(self) -> None:
        (worker,) = self._workers
        worker._process.kill()


def test_a_training_whose_worker_is_followed_by_one_of_another_sort_begins_anew_in_its_trial(
    few_images: str, tmp_path: Path
) -> None:
    split = datasets.split(datasets.load(few_images))
    executor = EachElsewhere(split, 1, 1)
    seen: list[int] = []

    def watch(event: Event) -> None:
        if isinstance(event, EpochDone):
            seen.append(event.result.epoch)
            if seen == [1, 2, 3]:
                executor.kill_worker()

    (tmp_path / "kept").mkdir()
    objective = Objective(
        "tiny", 4_000, epochs=4, split=split, executor=executor, observer=watch, folder=tmp_path / "kept"
    )
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    try:
        while not seen:
            study.optimize(objective, n_trials=1)
        trial = study.trials[-1]
        attributes = TrialAttributes(trial)
        with executor.run(Job(attributes.candidate, attributes.seed, "cpu", objective.precision)) as undisturbed:
            again = {result.epoch: result.validation_accuracy for result in undisturbed}
    finally:
        executor.close()
    assert seen == [1, 2, 3, 1, 2, 3, 4]
    assert trial.intermediate_values == again
    assert attributes.made_with["machine"] == "machine 2"


# A sampler, a pruner, a scheme ----------------------------------------------------------------------------------------


def test_a_sampler_and_a_pruner_are_a_line_each(nas: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def sampler(seed: int, basis: samplers.Basis) -> optuna.samplers.BaseSampler:
        asked.append("sampler")
        return optuna.samplers.RandomSampler(seed=seed)

    def pruner(epochs: int, goal: Any, until_target: bool) -> optuna.pruners.BasePruner:
        asked.append("pruner")
        return optuna.pruners.NopPruner()

    monkeypatch.setitem(samplers.SAMPLERS, "mine", sampler)
    monkeypatch.setitem(pruners.PRUNERS, "mine", pruner)
    quick = ("--space", "tiny", "--budget", "4k", "--epochs", "1", "--trials", "1", "--workers", "1")
    done = nas("search", *quick, "--sampler", "mine", "--pruner", "mine")
    assert done.returncode == 0, done.stderr
    assert set(asked) == {"pruner", "sampler"}


def test_a_scheme_is_a_reader_and_a_line(few_images: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from nas import datasets

    def read(name: str, path: str) -> Dataset:
        return schemes.SCHEMES["npz"].read(name, path)

    monkeypatch.setitem(schemes.SCHEMES, "mine", schemes.Scheme("anything", read))
    name = few_images.replace("npz:", "mine:")
    assert datasets.load(name).name == name
    assert datasets.is_here(name)


def test_a_process_that_trains_tells_its_environment(few_images: str, tmp_path: Path) -> None:
    """Its own, not that of the process that asks: here one with three threads."""
    code = (
        "import sys, torch\n"
        "from nas import datasets\n"
        "from nas.execution.job import Job\n"
        "from nas.execution.processes import ProcessExecutor\n"
        "from nas.space.documented import load\n"
        "if __name__ == '__main__':\n"
        "    torch.set_num_threads(3)\n"
        f"    split = datasets.split(datasets.load({few_images!r}))\n"
        "    executor = ProcessExecutor(split, 1, 1)\n"
        "    with executor.run(Job(load('B5').candidate, 0)) as run:\n"
        "        print(run.made_with['threads'], run.made_with['kernels'])\n"
        "    executor.close()\n"
    )
    (tmp_path / "asks.py").write_text(code)
    done = subprocess.run([sys.executable, tmp_path / "asks.py"], capture_output=True, text=True)
    assert done.stdout.split() == ["1", "numba"], done.stderr
