"""Limits of a device: what is over them is not trained, what is timed is timed once, and all of it is shown."""

import json
import random
import re
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import median
from subprocess import CompletedProcess

import click
import optuna
import pytest
from frozen_models import TINY, frozen, measured
from optuna.trial import BaseTrial, FixedTrial, TrialState

import nas as library
from nas import datasets
from nas.cli.options import Bytes, Milliseconds
from nas.deployment.deployment import Deployment, deployment_for, shape_of
from nas.deployment.screening import FEWEST, features, predicted
from nas.deployment.timing import ROUNDS, Timing, main_file
from nas.errors import ExportError, InputError, NasError
from nas.export.c.footprint import footprint_of
from nas.export.c.objects import toolchain
from nas.export.card import card, renewed
from nas.export.figures import Figure, figures_of, read, wilson
from nas.export.writing import write
from nas.network.architecture import Architecture
from nas.network.cost import COSTS, Budget
from nas.network.kinds import Conv, Flatten, Linear, MaxPool, gap_head
from nas.searching.aim import aimed_at
from nas.space import finding
from nas.space.candidate import Candidate, Task
from nas.space.probing import random_candidates
from nas.study.opening import find_study
from nas.study.storage import open_storage
from nas.study.trial import TrialAttributes
from nas.training.recipe import Recipe

Run = Callable[..., CompletedProcess[str]]
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
SEARCH = ("search", "--space", "tiny", "--epochs", "1", "--budget", "3k", "--workers", "1", "--seed", "1")


def small(channels: int, depth: int = 1) -> Architecture:
    return Architecture((1, 16, 16), 4, (*(Conv(channels, 3, padding=1),) * depth, MaxPool(2), *gap_head(4)))


def clock(folder: Path, text: str = "echo $(($(wc -c < $1) / 1000)).5") -> Path:
    """A program that is given a file and prints milliseconds; what it was given is noted beside it."""
    script = folder / "clock.sh"
    script.write_text(f"#!/bin/sh\nsha256sum < $1 >> {folder}/timed\n{text}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


# Flash and RAM --------------------------------------------------------------------------------------------------------


@needs_cc
def test_what_is_over_the_flash_is_not_trained(few_images: str) -> None:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    split = datasets.split(datasets.load(few_images))
    drawn = islice(
        random_candidates(finding.load("tiny"), Task(split.image_shape, split.n_classes, 1, Budget(3_000))), 9
    )
    limit = median(int(Deployment("c").cost("flash", candidate.architecture)) for candidate, _ in drawn)
    budget = Budget(3_000, flash=limit)
    objective = library.Objective("tiny", few_images, budget, epochs=1, formats=("c",), deployment=Deployment("c"))
    study.optimize(objective, n_trials=6)
    attributes = [TrialAttributes(trial) for trial in study.trials]
    told = [each for each in attributes if each.cost is not None and "flash" in each.cost]
    over = [each for each in told if each.cost.flash > limit]
    assert over
    assert len(over) < len(told)
    assert all(each.outcome == "rejected" and not each.has_candidate for each in over)
    assert all(each.has_candidate or each.repeats is not None for each in told if each not in over)
    assert all("ram" in each.cost for each in told), "what is told at once is told of all"
    violations = [trial.constraints["flash"] for trial in study.trials if "flash" in trial.constraints]
    assert sorted(each > 0 for each in violations) == sorted(each in over for each in told)


def one_of_two(trial: BaseTrial, task: Task) -> Candidate:
    """A small network or a large one."""
    n = trial.suggest_categorical("channels", [2, 40])
    layers = (Conv(n, 3), Conv(n, 3), MaxPool(2), *gap_head(task.n_classes))
    return Candidate(Architecture(task.image_shape, task.n_classes, layers), Recipe(epochs=task.epochs, batch_size=256))


@pytest.mark.parametrize(
    ("runs_as", "name"),
    [
        pytest.param("c", "ram", marks=needs_cc),
        ("torch", "flash"),
        pytest.param("onnx", "flash", marks=pytest.mark.slow),
    ],
)
def test_what_is_over_a_limit_of_a_device_is_not_trained(runs_as: str, name: str, few_images: str) -> None:
    if runs_as == "onnx":
        pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    deployment, data = Deployment(runs_as), datasets.split(datasets.load(few_images))
    task = Task(data.image_shape, data.n_classes, 1, Budget(40_000))
    costs = {n: deployment.cost(name, one_of_two(FixedTrial({"channels": n}), task).architecture) for n in (2, 40)}
    limit = int(sum(costs.values()) / 2)
    budget = Budget(40_000, **{name: limit})
    objective = library.Objective(one_of_two, few_images, budget, epochs=1, formats=(runs_as,), deployment=deployment)
    study = optuna.create_study(direction="maximize")
    for n in (2, 40):
        study.enqueue_trial({"channels": n})
    study.optimize(objective, n_trials=2)
    for trial, n in zip(study.trials, (2, 40), strict=True):
        attributes = TrialAttributes(trial)
        assert attributes.cost is not None
        assert attributes.cost[name] == costs[n]
        assert trial.constraints[name] == pytest.approx(costs[n] / limit - 1)
    assert [each.state for each in study.trials] == [TrialState.COMPLETE, TrialState.PRUNED]
    rejected = TrialAttributes(study.trials[1])
    assert rejected.outcome == "rejected"
    assert f"over the budget of {budget}" == rejected.reason
    assert not rejected.has_candidate


@needs_cc
@pytest.mark.slow
@pytest.mark.parametrize("name", ["micro", "budget_fill", "documented"])
def test_a_space_is_told_what_the_device_has_room_for(name: str) -> None:
    """About half of what it suggests then is within the limits, where next to nothing was."""
    space, deployment = finding.load(name), Deployment("c")
    task = Task((1, 28, 28), 10, 5, Budget(20_000, flash=16_000))

    def n_within(budget: Budget) -> int:
        drawn = random_candidates(space, Task(task.image_shape, 10, 5, budget), 7)
        return sum(deployment.cost("flash", next(drawn)[0].architecture) <= 16_000 for _ in range(24))

    aim = aimed_at(space, task, deployment, ("c",))
    assert aim.params < 20_000
    assert n_within(aim) >= max(8, n_within(task.budget))


@needs_cc
def test_weights_of_four_bits_have_room_for_more_of_them() -> None:
    """What is told, and what a space is told to keep to, are those of the program that is exported."""
    tools = toolchain()
    assert tools is not None
    wide = Architecture((1, 28, 28), 10, (Conv(8, 3), MaxPool(4), Flatten(), Linear(10)))
    eight, four = (Deployment("c", weight_bits=bits) for bits in (8, 4))
    takes = footprint_of(wide, tools, 4)
    assert (four.cost("flash", wide), four.cost("ram", wide)) == (takes.flash, takes.ram + takes.stack)
    assert eight.cost("flash", wide) == footprint_of(wide, tools).flash > takes.flash + 1000
    space, task = finding.load("tiny"), Task((1, 28, 28), 10, 5, Budget(9_000, flash=5_500))
    assert aimed_at(space, task, four, ("c",)).params > 1.2 * aimed_at(space, task, eight, ("c",)).params


@needs_cc
def test_a_space_is_told_what_ram_the_device_has() -> None:
    """Left to itself it suggests next to nothing that fits: its first images alone are larger."""
    space, deployment = finding.load("micro"), Deployment("c")
    task = Task((1, 28, 28), 10, 5, Budget(20_000, ram=4_000))

    def n_within(budget: Budget) -> int:
        drawn = random_candidates(space, replace(task, budget=budget), 7)
        return sum(deployment.cost("ram", next(drawn)[0].architecture) <= 4_000 for _ in range(8))

    aim = aimed_at(space, task, deployment, ("c",))
    assert aim["params"] == 20_000, "nothing limits flash"
    assert aim["memory"] < 4 * 4_000, "there must be room for the stack"
    assert n_within(aim) >= 6
    assert n_within(task.budget) <= 2


@needs_cc
def test_a_limit_that_no_candidate_meets_is_one_line(nas: Run, tmp_path: Path) -> None:
    done = nas(*SEARCH, "--max-flash", "900", "--for", "c")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("Loading")]
    assert "bytes of flash and the limit is 900: raise max-flash or give a smaller --space" in line
    assert not (tmp_path / "runs" / "nas.db").exists()


def test_without_a_compiler_a_limit_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    task = Task((1, 28, 28), 10, 1, Budget(3_000, flash=9_000))
    with pytest.raises(ExportError, match="told by a compiler, but there is none here: install one, or name it in CC"):
        aimed_at(finding.load("tiny"), task, Deployment("c"), ("c",))
    assert Deployment("c").at_once == ()


@needs_cc
def test_a_search_under_flash_and_ram_hands_over_what_fits_and_says_so(nas: Run, tmp_path: Path) -> None:
    limits = ("--max-flash", "6k", "--max-ram", "20k", "--for", "c")
    done = nas(*SEARCH, *limits, "--trials", "2", "--study", "mine")
    assert done.returncode == 0, done.stderr
    (source,) = (tmp_path / "runs").glob("*.c")
    header = " ".join(source.with_suffix(".h").read_text().replace("\n *", "").split())
    flash = int(header.partition(" bytes of flash, of which")[0].rpartition(" ")[2].replace(",", ""))
    assert flash <= 6_000 + 256
    figures = {each.label: each for each in read(source.with_suffix(".md").read_text())}
    assert list(figures)[-2:] == ["accuracy in float", "accuracy in eight bits"]
    assert figures["flash"].value == f"{flash:,} bytes"
    assert "compiled with cc" in figures["flash"].how
    assert figures["RAM"].value.endswith("bytes")
    shown = nas("show", source.stem.rpartition("_")[2], "--study", "mine")
    for command in (("status",), ("report", "-o", "report.html")):
        assert nas(*command).returncode == 0
    assert "bytes of flash" in shown.stdout
    assert "bytes of RAM" in shown.stdout
    rows = json.loads(nas("trials", "--json").stdout)
    assert all(row["flash"] is None or row["ram"] is not None for row in rows)
    assert list(rows[0]) == nas("trials", "--csv").stdout.splitlines()[0].split(",")
    assert "latency" not in rows[0]
    front = json.loads(nas("pareto", "--by", "flash", "--json").stdout)
    assert front["limit"] == 6_000
    assert front["front"]
    again = nas("search", "--study", "mine", "--trials", "2", alone=True)
    assert again.returncode == 0, again.stderr
    other = nas(*SEARCH, "--max-flash", "6k", "--max-ram", "20k", "--for", "c", "--on", "c", "--study", "mine")
    assert other.returncode == 2
    assert "deployment 'c timed' (the study has 'c')" in other.stderr


# Latency --------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@needs_cc
def test_a_shape_is_timed_once_also_where_a_study_goes_on(nas: Run, tmp_path: Path) -> None:
    command = clock(tmp_path)
    timed = ("--max-latency", "20ms", "--on", str(command), "--for", "c", "--study", "mine")
    for n_trials in ("2", "4"):
        done = nas(*SEARCH, *timed, "--trials", n_trials)
        assert done.returncode == 0, done.stderr
    files = (tmp_path / "timed").read_text().split("-\n")
    assert len(files) > 3
    assert all(files.count(each) == 3 for each in files if each), "three runs a shape, and never again"
    attributes = [TrialAttributes(trial) for trial in find_study(open_storage("runs/nas.db"), "mine").get_trials()]
    measured_ones = [each for each in attributes if each.timing is not None]
    assert {each.timing["shape"] for each in measured_ones}
    assert all(each.cost.latency == each.timing["median"] for each in measured_ones)
    over = [each.cost.latency > 20 for each in measured_ones]
    assert any(over)
    assert not all(over)
    assert [each.outcome == "rejected" for each in measured_ones] == over
    shown = nas("pareto", "--by", "latency")
    assert "ms an image" in shown.stdout


@needs_cc
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("echo fast", "must print milliseconds and nothing else, such as 4.8, but .* printed 'fast'"),
        ("echo -3", "printed '-3'"),
        ("true", "printed nothing"),
        ("echo no board >&2; exit 3", r"must end with exit code 0, but .* ended with 3 \(no board\)"),
    ],
)
def test_a_command_that_tells_no_time_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ExportError, match=says) as caught:
        Deployment("c", str(clock(tmp_path, text))).timing(TINY)
    assert "\n" not in str(caught.value)


@needs_cc
def test_such_a_command_ends_a_search_before_anything_is_trained(nas: Run, tmp_path: Path) -> None:
    done = nas(*SEARCH, "--max-latency", "20ms", "--on", str(clock(tmp_path, "echo fast")), "--for", "c")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.count("must print milliseconds") == 1
    assert not (tmp_path / "runs" / "nas.db").exists()


@needs_cc
def test_c_is_timed_here_by_itself() -> None:
    deployment = Deployment("c", "c")
    timing = deployment.timing(TINY)
    assert 0 < timing.low <= timing.median <= timing.high
    assert deployment.timing(TINY) is timing
    assert deployment.stored(TINY)["shape"] == shape_of(TINY)  # type: ignore[index]
    later = Deployment("c", "c")
    later.learn(json.loads(json.dumps(deployment.stored(TINY))))
    assert later.timing(TINY) == timing


@needs_cc
def test_an_exported_file_is_timed_as_it_is_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    model, images, labels = measured(TINY)
    written = write(model, "m", tmp_path, images, labels, training_images=images, formats=("c",))
    before = sorted(tmp_path.iterdir())
    timing, said = Deployment("c", "c").run(written.files[0], TINY)
    assert 0 < timing.low <= timing.median <= timing.high
    assert (timing.n, said) == (ROUNDS, "")
    assert sorted(tmp_path.iterdir()) == before
    (tmp_path / "m.c").write_text("int x;")
    with pytest.raises(ExportError, match="C is timed by running what"):
        Deployment("c", "c").run(tmp_path / "m.c", TINY)


def test_what_is_hopeless_by_all_that_was_timed_is_not_timed() -> None:
    deployment = Deployment("c", "true")  # which prints nothing: to time with it would raise

    def tell(architecture: Architecture, milliseconds: float) -> None:
        timing = Timing.of([milliseconds])
        deployment.learn({"shape": shape_of(architecture), "features": features(architecture), **vars(timing)})

    assert deployment.screened(small(60, 3), 1.0) is None, "nothing is known yet"
    for channels in range(2, 2 + FEWEST):
        tell(small(channels), library.cost_of(small(channels)).macs / 1e5)
    told = deployment.screened(small(60, 3), 1.0)
    assert told is not None
    assert f"predicted from {FEWEST} networks that were measured" in str(told)
    assert deployment.screened(small(3), 1.0) is None
    tell(small(60, 3), 0.5)
    assert deployment.screened(small(60, 3), 1.0) is None, "it was measured"


def test_what_is_hopeless_is_rejected_with_the_predictions_error(few_images: str) -> None:
    """It is not timed, nor trained; the sampler is told by how much it is over."""
    deployment = Deployment("c", "true")  # which prints nothing: to time with it would raise
    for channels in range(2, 2 + FEWEST):
        architecture = small(channels)
        timing = Timing.of([library.cost_of(architecture).macs / 1e5])
        deployment.learn({"shape": shape_of(architecture), "features": features(architecture), **vars(timing)})

    def large(trial: BaseTrial, task: Task) -> Candidate:
        layers = (Conv(trial.suggest_int("channels", 30, 30), 3, padding=1), MaxPool(2), *gap_head(task.n_classes))
        return Candidate(Architecture(task.image_shape, task.n_classes, layers), Recipe(epochs=task.epochs))

    objective = library.Objective(large, few_images, Budget(9_000, latency=0.5), epochs=1, deployment=deployment)
    study = optuna.create_study(direction="maximize")
    study.optimize(objective, n_trials=1)
    (trial,) = study.trials
    attributes = TrialAttributes(trial)
    assert attributes.outcome == "rejected"
    told = re.fullmatch(
        rf"(.+) ms ± \d+ % \(one standard error\), predicted from {FEWEST} networks that were measured; the limit is "
        r"0\.5 ms",
        attributes.reason or "",
    )
    assert told is not None
    assert trial.constraints["latency"] == pytest.approx(float(told[1]) / 0.5 - 1, rel=0.01)
    assert not attributes.has_candidate
    assert attributes.timing is None
    assert "latency" not in (attributes.cost or {}), "a prediction is no measurement"


@pytest.mark.slow
@pytest.mark.parametrize("on", ["torch", "onnx"])
def test_a_file_is_timed_here(on: str, tmp_path: Path) -> None:
    if on == "onnx":
        pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    deployment = Deployment(on, on)
    timing = deployment.timing(small(2))
    assert 0 < timing.low <= timing.median <= timing.high
    assert timing.n == ROUNDS
    broken = main_file(tmp_path / "m.any", on)
    broken.write_text("no network")
    with pytest.raises(ExportError, match=f"^{on} must be able to run what was exported, but ") as caught:
        deployment.run(tmp_path / "m.any", small(2))
    assert "\n" not in str(caught.value)


def test_a_prediction_says_how_far_it_may_be_off() -> None:
    """By the error of each network that was left out: of those not seen, two in three are within twice as much."""
    noise = random.Random(0)
    drawn = random_candidates(finding.load("documented"), Task((1, 28, 28), 10, 5, Budget(20_000)), 0)
    networks = [next(drawn)[0].architecture for _ in range(60)]

    def time(architecture: Architecture) -> float:
        does = features(architecture)
        rate = {"conv macs": 2e-6, "conv numbers": 1e-5, "max_pool numbers": 3e-5}
        return (0.2 + sum(rate.get(name, 0.0) * number for name, number in does.items())) * noise.uniform(0.9, 1.1)

    known = [(features(each), time(each)) for each in networks[:40]]
    hits = 0
    for each in networks[40:]:
        told = predicted(features(each), known)
        assert told is not None
        assert 0.03 < told.error < 0.3
        hits += abs(told.milliseconds / time(each) - 1) < 2 * told.error
    assert hits >= 14


# What is said wrongly -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [("32k", 32_000), ("32kB", 32_000), ("32Ki", 32_768), ("1MiB", 2**20), ("1.5k", 1500), ("7", 7)],
)
def test_sizes(text: str, expected: int) -> None:
    assert Bytes().convert(text, None, None) == expected


@pytest.mark.parametrize(("text", "expected"), [("5ms", 5), ("0.5 s", 500), ("800us", 0.8), ("7", 7), ("5.0", 5)])
def test_times(text: str, expected: float) -> None:
    assert Milliseconds().convert(text, None, None) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "32q", "k", "1.0001k", "3 4"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(click.BadParameter, match="a size must be bytes or such as 32k"):
        Bytes().convert(text, None, None)


@pytest.mark.parametrize("text", ["", "5mm", "ms", "1h"])
def test_what_is_no_latency(text: str) -> None:
    with pytest.raises(click.BadParameter, match="a latency must be milliseconds or such as 5ms"):
        Milliseconds().convert(text, None, None)


@pytest.mark.parametrize(
    ("runs_as", "on", "limits", "says"),
    [
        (None, None, {"flash": 9}, "max-flash depends on what a network runs as, but got no --for: use --for"),
        ("onnx", None, {"ram": 9}, "max-ram depends on what a network runs as, but got --for onnx: use --for c"),
        ("c", None, {"latency": 9}, "max-latency must be measured on something, but got no --on"),
        (None, "cat", {"latency": 9}, "a command must be given a file to time, but got --on 'cat' without --for"),
        ("c", "onnx", {"latency": 9}, "on onnx times onnx itself, but what is searched is for c: use --for onnx"),
        ("c", "no-such-program 3", {}, "there is no program 'no-such-program'"),
        ("c", "'", {}, "on must be a command as a shell reads it"),
        ("py", None, {}, "for must be one of onnx, torch, c, but got 'py'"),
    ],
)
def test_what_does_not_fit_together_is_one_line(
    runs_as: str | None, on: str | None, limits: dict[str, float], says: str
) -> None:
    with pytest.raises(InputError) as caught:
        deployment_for(runs_as, on, Budget(9, **limits))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("limits", [{"flash": 0}, {"ram": -4}, {"flash": 3.5}, {"latency": 0}, {"latency": "5ms"}])
def test_a_limit_is_a_number_above_0(limits: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"must be a(?: whole)? number above 0, but got"):
        Budget(9, **limits)


def test_on_c_is_for_c() -> None:
    options = library.SearchOptions(Budget(9, latency=5.0), on="c")
    assert options.all_formats == ("c",)
    assert options.deployment is not None
    assert options.deployment.tells == ("flash", "ram", "latency")
    assert library.SearchOptions(formats=("onnx",), runs_as="c").all_formats == ("c", "onnx")
    assert library.SearchOptions().all_formats == ()
    with pytest.raises(NasError, match="max-ram depends"):
        library.SearchOptions(minimize="ram", target=0.9)


# The card -------------------------------------------------------------------------------------------------------------


def test_a_card_has_each_figure_once_and_gets_those_of_formats_that_are_added() -> None:
    model = frozen(TINY)
    eight = Figure("accuracy in eight bits", "90.00 %", "9 of 10 | all")
    first = card(model, "m", None)
    later = renewed(first, model, "m", None, [eight])
    assert later is not None
    assert read(later) == [*figures_of(model), eight]
    assert renewed(later, model, "m", None, []) == later, "another format takes nothing away"
    better = eight._replace(value="91.00 %")
    assert read(renewed(later, model, "m", None, [better]) or "")[-1] == better
    assert renewed(later + "mine\n", model, "m", None, [eight]) is None


def test_a_format_that_is_added_adds_its_figures_to_the_card_alone(tmp_path: Path) -> None:
    model, images, labels = measured(TINY)
    write(model, "m", tmp_path, images, labels)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write(model, "m", tmp_path, images, labels, training_images=images, formats=("c",))
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"m.md"}
    assert "accuracy in eight bits" in (tmp_path / "m.md").read_text()
    (tmp_path / "m.md").write_text("notes of my own")
    with pytest.raises(ExportError, match="is there already"):
        write(model, "m", tmp_path, images, labels, formats=("py",))


def test_an_interval_holds_the_share_and_stays_within_0_and_1() -> None:
    for n_correct, n in ((0, 10), (10, 10), (7, 10), (9_950, 10_000)):
        low, high = wilson(n_correct, n)
        assert 0 <= low <= n_correct / n <= high <= 1
    assert wilson(9_900, 10_000) == pytest.approx((0.98786, 0.99177), abs=5e-5)


def test_the_registry_says_of_each_cost_how_it_is_had() -> None:
    assert {kind.had for kind in COSTS.values()} == {"counted", "predicted", "measured"}
    assert all((kind.of is not None) == kind.counted for kind in COSTS.values())
    assert len({kind.option for kind in COSTS.values()}) == len(COSTS)
