"""The executor on Ray: the same digits as elsewhere, on clusters whose nodes come and go."""

import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import CompletedProcess, Popen
from threading import Thread
from typing import Any

import pytest
import torch
from processes import needs_proc, read_until
from small_study import SmallStudy

from nas import Budget, datasets
from nas.cli.search import search as search_command
from nas.datasets.splitting import Split
from nas.errors import InputError, WorkerDied, WorkerError
from nas.execution import opening
from nas.execution.inline import InlineExecutor
from nas.execution.job import Cancelled, Executor, Job
from nas.execution.job import Run as RunOfJob
from nas.execution.opening import n_workers, open_executor
from nas.execution.placement import Placement
from nas.searching.events import EpochDone, Event
from nas.searching.options import SearchOptions
from nas.searching.search import search
from nas.space.candidate import Candidate, Task
from nas.space.finding import load
from nas.space.probing import random_candidates

Run = Callable[..., CompletedProcess[str]]
NODE = {"num_cpus": 1, "object_store_memory": 100_000_000}
HEAD = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": 100_000_000}
SEARCH: dict[str, Any] = {
    "space": "tiny", "budget": 3000, "epochs": 4, "trials": 6, "sampler": "random", "pruner": "none",
    "start_from": "nothing", "seed": 5, "workers": 3,
}  # fmt: skip


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without room, to which tests add nodes."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    try:
        cluster = Cluster(initialize_head=True, head_node_args=HEAD)
    except Exception as error:  # whatever Ray misses here
        pytest.skip(f"Ray cannot start on this machine: {error}")
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def few(few_images: str) -> Split:
    return datasets.split(datasets.load(few_images))


def candidate_of(split: Split, epochs: int) -> Candidate:
    task = Task(split.image_shape, split.n_classes, epochs, Budget(3000))
    return next(candidate for candidate, _ in random_candidates(load("tiny"), task, 0))


def curve(executor: Executor, job: Job) -> list[dict[str, float]]:
    """All that a training reports, but how long it took."""
    with executor.run(job) as run:
        return [{name: value for name, value in vars(result).items() if name != "seconds"} for result in run]


@pytest.mark.slow
def test_a_training_has_the_same_digits_inline_in_a_process_and_by_ray(
    few: Split, cluster: Any, tmp_path: Path
) -> None:
    cluster.add_node(**NODE)
    job = Job(candidate_of(few, 3), 7, precision="float32")
    by_ray = open_executor(few, workers=1, placement=Placement("ray", 1, cluster.address))
    by_process = open_executor(few, workers=1, placement=Placement(threads=1))
    assert torch.get_num_threads() == 1
    try:
        curves = [curve(each, job) for each in (InlineExecutor(few), by_process, by_ray)]
        assert curves[0] == curves[1] == curves[2]

        kept = Job(job.candidate, 7, precision="float32", checkpoint=tmp_path / "kept.pt")
        with by_ray.run(kept) as run:
            next(run)
        assert curve(by_process, kept) == curves[0]  # from the checkpoint that came back
        assert curve(by_ray, kept) == curves[0]
    finally:
        by_ray.close()
        by_process.close()


@pytest.mark.slow
def test_a_search_on_three_nodes_loses_one_and_nothing_else(
    few_images: str, cluster: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    nodes = [cluster.add_node(**NODE) for _ in range(3)]
    n_epochs = 0

    def lose_one(event: Event) -> None:
        nonlocal n_epochs
        if isinstance(event, EpochDone):
            n_epochs += 1
            if n_epochs == 5:
                cluster.remove_node(nodes[0], allow_graceful=False)

    where = {"executor": "ray", "ray_address": cluster.address}
    capfd.readouterr()
    disturbed = search(
        **SEARCH, **where, dataset=few_images, storage=str(tmp_path / "a.db"), out=tmp_path, on_event=lose_one
    )
    assert capfd.readouterr().out == ""  # Ray says much about lost nodes
    undisturbed = search(**SEARCH, dataset=few_images, storage=str(tmp_path / "b.db"), out=tmp_path)
    assert n_epochs > 5
    assert disturbed.counts == undisturbed.counts
    assert [t.intermediate_values for t in disturbed.study.trials] == [
        t.intermediate_values for t in undisturbed.study.trials
    ]
    assert disturbed.winner is not None
    assert undisturbed.winner is not None
    assert disturbed.winner.trial == undisturbed.winner.trial


@pytest.mark.slow
def test_a_candidate_waits_for_room_and_takes_a_node_that_comes(few: Split, cluster: Any) -> None:
    heard: list[str] = []
    placement = Placement("ray", 1, cluster.address)
    executor = open_executor(few, workers=1, placement=placement, on_wait=heard.append)
    assert n_workers(placement, None) == 1
    curves: list[list[dict[str, float]]] = []
    training = Thread(target=lambda: curves.append(curve(executor, Job(candidate_of(few, 1), 0))))
    try:
        training.start()
        while not heard:
            time.sleep(0.2)
            assert training.is_alive()
        assert "no room for a candidate (1 CPU)" in heard[0]
        cluster.add_node(**NODE | {"num_cpus": 3})
        training.join()
        assert len(curves[0]) == 1
        assert n_workers(placement, None) == 3
        assert n_workers(Placement("ray", 2, cluster.address), None) == 1
    finally:
        executor.close()


@pytest.mark.slow
def test_shares_of_a_gpu_decide_how_many_train_at_a_time(few: Split, cluster: Any) -> None:
    """What Ray keeps for an actor, that is; there need be no GPU, and they train on the CPU."""
    cluster.add_node(**NODE | {"num_cpus": 8, "num_gpus": 1})
    placement = Placement("ray", 1, cluster.address, gpus_per_candidate=0.4)
    assert n_workers(placement, None) == 2
    executor = open_executor(few, workers=3, placement=placement)
    long, curves = Job(candidate_of(few, 10_000), 0), list[list[dict[str, float]]]()
    third = Thread(target=lambda: curves.append(curve(executor, Job(candidate_of(few, 2), 0))))
    try:
        with executor.run(long) as one, executor.run(long) as other:
            third.start()
            third.join(5)
            assert third.is_alive(), "there is no share of the GPU left"
            assert [next(one).epoch, next(other).epoch] == [1, 1]
        third.join(60)
        assert [len(each) for each in curves] == [2]
    finally:
        executor.close()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_search_has_more_trainings_at_a_time_when_a_node_comes_and_fewer_when_it_goes(
    few_images: str, cluster: Any, tmp_path: Path
) -> None:
    cluster.add_node(**NODE)
    asked = SEARCH | {"workers": None, "trials": 100_000, "dataset": few_images, "out": tmp_path}
    places = {"executor": "ray", "ray_address": cluster.address, "threads": 1, "storage": str(tmp_path / "a.db")}
    under_way, at_a_time = set[int](), list[int]()
    one, three, one_again, enough = (threading.Event() for _ in range(4))

    def watch(event: Event) -> None:
        if isinstance(event, EpochDone):
            under_way.add(event.trial)
            if event.result.epoch == asked["epochs"]:
                at_a_time.append(len(under_way))
                under_way.remove(event.trial)
                one.set()
                if at_a_time[-1] == 3:
                    three.set()
                if three.is_set() and at_a_time[-5:] == [1] * 5:
                    one_again.set()
        if one_again.is_set() or enough.is_set():
            raise KeyboardInterrupt

    def run() -> None:
        with suppress(KeyboardInterrupt):
            search(**asked, **places, on_event=watch)

    searching = Thread(target=run)
    searching.start()
    try:
        assert one.wait(60)
        node = cluster.add_node(**NODE | {"num_cpus": 2})  # which Ray only does in the main thread
        assert three.wait(60)
        cluster.remove_node(node, allow_graceful=False)
        assert one_again.wait(60)
    finally:
        enough.set()
        searching.join()
    assert max(at_a_time) == 3


@pytest.mark.slow
def test_a_cancelled_training_ends_at_once_and_leaves_its_checkpoint(few: Split, cluster: Any, tmp_path: Path) -> None:
    cluster.add_node(**NODE)
    executor = open_executor(few, workers=1, placement=Placement("ray", 1, cluster.address))
    run = executor.run(Job(candidate_of(few, 10_000), 0, checkpoint=tmp_path / "kept.pt"))
    try:
        assert [next(run).epoch, next(run).epoch] == [1, 2]
        executor.cancel()
        with pytest.raises(Cancelled):
            list(run)
        assert (tmp_path / "kept.pt").exists()
    finally:
        executor.close()


@pytest.mark.slow
def test_a_node_with_another_nas_is_named(few: Split, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.add_node(**NODE)
    executor = open_executor(few, workers=1, placement=Placement("ray", 1, cluster.address))
    monkeypatch.setattr("nas.execution.ray_actors.__version__", "0.0.1")
    try:
        with pytest.raises(WorkerError, match=r"must have the nas of the search, 0\.0\.1, but .* install it there"):
            curve(executor, Job(candidate_of(few, 1), 0))
    finally:
        executor.close()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_search_whose_node_is_gone_says_so_and_goes_on_elsewhere(
    few_images: str, cluster: Any, start: Callable[..., "Popen[str]"], nas: Run, tmp_path: Path
) -> None:
    cluster.add_node(**NODE)
    asked = ["search", "--space", "tiny", "--budget", "3k", "--epochs", "40", "--trials", "2", "--workers", "1"]
    asked += ["--sampler", "random", "--pruner", "none", "--dataset", few_images, "--threads", "1"]
    process = start(*asked, "--executor", "ray", "--ray-address", cluster.address)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if re.search(r"epoch +3/40", line):
            cluster.head_node.kill_raylet()  # to which the search is connected
    assert process.wait() == 2
    assert "Traceback" not in "".join(lines)
    on = nas(*asked)
    assert on.returncode == 0
    study = SmallStudy(tmp_path / "runs").study
    assert [len(trial.intermediate_values) for trial in study.trials if trial.intermediate_values] == [40, 40]
    number = next(trial.number for trial in study.trials if trial.intermediate_values)
    assert nas("retrain", "--trial", str(number)).returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_search_whose_clusters_head_is_killed_says_so(
    cluster: Any, start: Callable[..., "Popen[str]"], nas: Run
) -> None:
    """For good: one that comes back within three quarters of a minute would not be missed."""
    cluster.add_node(**NODE)
    asked = ["search", "--space", "tiny", "--budget", "3k", "--epochs", "9999", "--trials", "1", "--workers", "1"]
    asked += ["--sampler", "random", "--pruner", "none", "--threads", "1"]
    process = start(*asked, "--executor", "ray", "--ray-address", cluster.address)
    read_until(process, "epoch 3/9999")
    cluster.head_node.kill_gcs_server()
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 2, output
    assert "Traceback" not in output
    last = output.splitlines()[-1]
    assert "the head of the Ray cluster does not answer any more" in last
    assert "run the same command again to go on" in last
    assert "1 interrupted" in nas("status").stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_whatever_trains_trains_by_ray(
    searched: SmallStudy, cluster: Any, nas: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = SmallStudy(shutil.copytree(searched.folder, tmp_path / "copy"))
    cluster.add_node(**NODE | {"num_cpus": 2})
    n_trained, by_ray = 0, opening.EXECUTORS["ray"]

    def counted(*asked: Any) -> Executor:
        executor = by_ray(*asked)
        run = executor.run

        def counting(job: Job) -> RunOfJob:
            nonlocal n_trained
            n_trained += 1
            return run(job)

        monkeypatch.setattr(executor, "run", counting)
        return executor

    def refused(*asked: Any) -> Executor:
        raise AssertionError("it would train here")

    for name in opening.EXECUTORS:
        monkeypatch.setitem(opening.EXECUTORS, name, counted if name == "ray" else refused)
    where = ["--executor", "ray", "--ray-address", cluster.address]
    study = ["--storage", own.storage, *where]
    finished = next(trial.number for trial in own.study.trials if trial.intermediate_values)
    quick = ["--space", "tiny", "--budget", "3k", "--epochs", "1", "--sampler", "random"]
    for command, n in {
        ("retrain", "--trial", str(finished), *study): 1,
        ("confirm", "--top", "1", "--seeds", "2", "--out", str(own.folder), *study): 2,
        ("ablate", "A10", "--axis", "dropout", "--seeds", "1", "--epochs", "1", *where): 2,
        ("reproduce", "A1", "--seeds", "1", *where): 1,
        ("search", *quick, "--trials", "1", "--workers", "1", *where): 1,
    }.items():
        n_trained = 0
        done = nas(*command)
        assert done.returncode == 0, done.stderr
        assert n_trained >= n, command


@pytest.mark.slow
def test_without_an_address_a_cluster_is_started_here(few: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    try:
        executor = open_executor(few, workers=1, placement=Placement("ray", 1))
    except InputError as error:
        pytest.skip(f"Ray cannot start on this machine: {error}")
    try:
        assert len(ray.nodes()) == 1
        assert len(curve(executor, Job(candidate_of(few, 1), 0))) == 1
    finally:
        executor.close()
        ray.shutdown()


@pytest.mark.slow
def test_auto_meets_the_cluster_that_runs_here(few: Split, cluster: Any) -> None:
    import ray

    cluster.add_node(**NODE)
    executor = open_executor(few, workers=1, placement=Placement("ray", 1, "auto"))
    try:
        assert ray.get_runtime_context().gcs_address == cluster.address
        assert len(curve(executor, Job(candidate_of(few, 1), 0))) == 1
    finally:
        executor.close()


@pytest.mark.slow
@needs_proc
def test_the_data_go_once_to_a_node_whose_actors_share_them(few: Split, cluster: Any) -> None:
    import ray

    cluster.add_node(**NODE | {"num_cpus": 2})
    executor = open_executor(few, workers=2, placement=Placement("ray", 1, cluster.address))
    runs = [executor.run(Job(candidate_of(few, 1000), seed)) for seed in range(2)]
    try:
        assert [next(run).epoch for run in runs] == [1, 1]

        @ray.remote(num_cpus=0)
        def place_of(data: Split) -> str:
            address = data.train_images.data_ptr()
            for line in Path("/proc/self/maps").read_text().splitlines():
                first, last = (int(end, 16) for end in line.split()[0].split("-"))
                if first <= address < last:
                    return line
            return "nowhere"

        place = ray.get(place_of.remote(executor._data))  # type: ignore[attr-defined]
        assert "plasma" in place, "the store that all processes of a node share"
    finally:
        for run in runs:
            run.close()
        executor.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_that_a_node_was_out_of_memory_is_named(
    few: Split, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A node that takes any use of memory for too much."""
    monkeypatch.setenv("RAY_memory_usage_threshold", "0.001")
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "500")
    cluster = request.getfixturevalue("cluster")
    cluster.add_node(**NODE)
    executor = open_executor(few, workers=1, placement=Placement("ray", 1, cluster.address))
    try:
        with pytest.raises(WorkerError, match="its node was out of memory"):
            curve(executor, Job(candidate_of(few, 10_000), 0))
    finally:
        executor.close()


@pytest.mark.parametrize("error", ["OutOfMemoryError", "ObjectLostError", "RuntimeEnvSetupError", "NodeDiedError"])
def test_whatever_ray_calls_it_a_worker_was_lost(error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exceptions = pytest.importorskip("ray.exceptions")
    actors = pytest.importorskip("nas.execution.ray_actors")
    arguments = ("ab" * 28, None, "") if error == "ObjectLostError" else ("Worker was lost, too much",)
    actor = object.__new__(actors._Actor)
    actor._answer = None

    def get(answer: Any) -> Any:
        raise getattr(exceptions, error)(*arguments)

    monkeypatch.setattr(actors.ray, "get", get)
    with pytest.raises(WorkerDied, match="an actor of Ray ended in the middle of a training") as raised:
        actor._get()
    assert ("out of memory" in str(raised.value)) == (error == "OutOfMemoryError")


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["--executor", "rai"], "did you mean 'ray'?"),
        (["--ray-address", "auto"], "ray-address is for executor ray"),
        (["--gpus-per-candidate", "0.5"], "gpus-per-candidate is for executor ray"),
        (["--executor", "ray", "--gpus-per-candidate", "1.5"], "a share of a GPU such as 0.1, or a whole number"),
        (["--executor", "ray", "--device", "cuda"], "add --gpus-per-candidate"),
        (["--executor", "ray", "--device", "cuda:1"], "must be auto, cpu or cuda"),
        (["--executor", "ray", "--ray-address", "127.0.0.1:1"], "must be that of a Ray cluster that runs"),
        (["--threads", "0"], "threads must be a whole number above 0"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(nas: Run, options: list[str], rule: str) -> None:
    refused = nas("search", "--space", "tiny", *options)
    assert refused.returncode == 2
    assert rule in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not Path("runs").exists()


def test_a_missing_ray_is_named(few: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("nas.execution.ray_")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delattr("nas.execution.ray_cluster", raising=False)
    with pytest.raises(InputError, match=r"pip install 'budget-nas\[ray\]'"):
        open_executor(few, workers=1, placement=Placement("ray"))


def test_a_cluster_is_asked_once_how_many_it_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown while a search runs must not wait for a cluster that is gone."""
    room = iter([7, 8])
    monkeypatch.setattr("nas.searching.options.n_workers", lambda placement, workers: next(room))
    options = SearchOptions(executor="ray")
    assert [options.n_workers, options.n_workers] == [7, 7]


def test_what_has_no_share_of_a_gpu_trains_on_a_cpu() -> None:
    assert Placement("ray").device("auto") == "cpu"
    assert Placement("ray", gpus_per_candidate=0.25).device("auto") == "cuda"
    assert Placement("ray", gpus_per_candidate=0.25).precision("auto", "cuda") == "bfloat16"
    assert Placement("ray").threads_of(64) == 1
    assert Placement(threads=3).threads_of(64) == 3


# The examples ---------------------------------------------------------------------------------------------------------

EXAMPLES = Path(__file__).parents[1] / "examples" / "cluster"


@pytest.mark.parametrize("file", sorted(EXAMPLES.iterdir()), ids=lambda file: file.name)
def test_an_example_is_whole_and_calls_what_there_is(file: Path) -> None:
    yaml, text = pytest.importorskip("yaml"), file.read_text("utf-8")
    if file.suffix == ".yaml":
        assert all(yaml.safe_load_all(text))
    else:
        assert subprocess.run(["bash", "-n", str(file)], check=False).returncode == 0
    (arguments,) = re.findall(r"nas search (.*?)(?:'|\"\$@\"|\n\s*submissionMode)", text, re.DOTALL)
    context = search_command.make_context("search", arguments.replace("\\", " ").split())
    assert context.params["executor"] == "ray"


def test_the_launcher_file_is_one_to_ray() -> None:
    yaml, util = pytest.importorskip("yaml"), pytest.importorskip("ray.autoscaler._private.util")
    util.validate_config(util.prepare_config(yaml.safe_load((EXAMPLES / "launcher.yaml").read_text("utf-8"))))
