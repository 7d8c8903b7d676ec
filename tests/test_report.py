"""What a report shows, as plain data: the front, curves, progress, importance, mistakes, and harmless HTML."""

import errno
import math
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial
from small_study import SmallStudy

from nas.datasets.dataset import Dataset
from nas.errors import DataError, ExportError, InputError, StudyError
from nas.report import figures, front, importance, mistakes, progress, summary, trials
from nas.report.chart import size_axis
from nas.report.curves import curves
from nas.report.front import Point, front_of, pareto
from nas.report.markup import Html, bars, joined, table, tag
from nas.report.page import report_page, write
from nas.report.scale import MARGIN, scale_of
from nas.study.busy import busy_seconds, busy_spans
from nas.study.confirmation import Confirmed, confirmations, readings, winner_of
from nas.study.opening import open_study
from nas.study.record import ranked, records
from nas.study.storage import open_storage
from nas.study.terms import OPTIONS, Terms
from nas.table import Table
from nas.training.checkpoint import checkpoint_path

Run = Callable[..., CompletedProcess[str]]

# The front ------------------------------------------------------------------------------------------------------------

points = st.builds(
    Point,
    label=st.just("trial"),
    study=st.just("study"),
    size=st.integers(1, 12),  # few sizes and accuracies, so that ties and equal points occur
    accuracy=st.integers(0, 12).map(lambda n: n / 12),
    network=st.just("layers"),
)


def dominates(one: Point, other: Point) -> bool:
    as_good = one.size <= other.size and one.accuracy >= other.accuracy
    return as_good and (one.size, one.accuracy) != (other.size, other.accuracy)


@given(st.lists(points, max_size=30))
def test_nothing_dominates_the_front_and_something_dominates_everything_else(everything: list[Point]) -> None:
    members = pareto(everything)
    assert not any(dominates(one, other) for one in everything for other in members)
    rest = list(everything)
    for member in members:
        rest.remove(member)
    assert all(any(dominates(member, other) for member in members) for other in rest)
    assert [member.size for member in members] == sorted(member.size for member in members)


def test_equal_points_are_on_the_front_together_and_one_point_is_a_front() -> None:
    one, same, larger = Point("a", "", 5, 0.9, ""), Point("b", "", 5, 0.9, ""), Point("c", "", 6, 0.9, "")
    assert pareto([larger, one, same]) == (one, same)
    assert pareto([one]) == (one,)
    assert pareto([]) == ()


def study_without_trials(folder: Path, name: str, **changed: object) -> optuna.Study:
    terms = Terms("tiny", "0" * 16, "mnist", "f" * 16, 50_000, 10_000, 0, 3, {"params": 20_000})
    storage = open_storage(str(folder / "nas.db"))
    return open_study(storage, name, Terms(**{**vars(terms), **changed}), "random", "none", 0)


def test_documented_iterations_are_drawn_in_for_mnist_alone_and_labelled(tmp_path: Path) -> None:
    digits = front_of([study_without_trials(tmp_path, "digits")])
    assert {"A1", "B5"} < {point.label for point in digits.documented}
    assert all("test set" in point.study for point in digits.documented)
    assert "best epochs on the test set" in front.documented_table(digits).notes[0]
    assert front_of([study_without_trials(tmp_path, "clothes", dataset="fashion-mnist")]).documented == ()


def test_studies_that_were_validated_on_other_images_share_no_front(tmp_path: Path) -> None:
    one, longer = study_without_trials(tmp_path, "one"), study_without_trials(tmp_path, "longer", epochs=9)
    assert front_of([one, longer]).points == ()
    for changed in ({"n_validation": 5}, {"dataset_fingerprint": "e" * 16}, {"split_seed": 1}):
        other = study_without_trials(tmp_path, f"other {changed}", **changed)
        with pytest.raises(StudyError, match="same data and validation part"):
            front_of([one, other])


def check_refused(done: CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    for word in words:
        assert word in line, f"{word!r} is missing in: {line}"


def test_bad_input_of_pareto_and_report_gets_one_line(nas: Run, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    study_without_trials(tmp_path / "runs", "empty")
    check_refused(nas("pareto"), "finished trial", "search on")
    check_refused(nas("pareto", "emty"), "'emty'", "did you mean 'empty'?")
    check_refused(nas("pareto", "--by", "weight"), "weight", "params")
    check_refused(nas("report", "-o", "nowhere/report.html"), "nowhere", "folder that exists")
    check_refused(nas("report", "-o", "r.html", "--target", "99.4"), "99.4")
    check_refused(nas("report", "-o", "r.html", "--storage", "other.db"), "other.db")
    two = optuna.create_study(storage=open_storage("two.db"), study_name="two", directions=["maximize", "minimize"])
    two.tell(two.ask(), (0.9, 100.0))
    check_refused(nas("report", "-o", "r.html", "--storage", "two.db"), "study must be one of nas", "'two'")
    check_refused(nas("pareto", "--storage", "two.db"), "study must be one of nas", "'two'")
    assert not list(tmp_path.glob("*.html"))


def test_a_page_that_cannot_be_written_whole_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "report.html"
    write("old", out)
    write_text = Path.write_text

    def full(path: Path, text: str, *args: str, **more: str) -> None:
        write_text(path, text[:3], *args, **more)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError, match="No space left"):
        write("the new one", out)
    assert {path: path.read_text() for path in tmp_path.iterdir()} == {out: "old"}


def test_a_page_goes_where_a_link_points_and_into_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "link.html").symlink_to("page.html")
    write("page", tmp_path / "link.html")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "page.html").read_text() == "page"
    write("page", Path(os.devnull))
    assert not Path(os.devnull).is_file()


def test_pages_need_no_plotly(nas: Run, searched: SmallStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "plotly"] + ["plotly"]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in [name for name in sys.modules if name.startswith("nas.report.")]:
        monkeypatch.delitem(sys.modules, name)
    storage = searched.storage
    assert nas("report", "--storage", storage, "-o", "r.html").returncode == 0
    assert nas("pareto", "--storage", storage, "--plot", "p.html").returncode == 0
    assert {path.name for path in tmp_path.glob("*.html")} == {"r.html", "p.html"}


# A real study ---------------------------------------------------------------------------------------------------------


def test_the_front_of_a_study_is_that_of_its_finished_trials(searched: SmallStudy) -> None:
    found = front_of([searched.study], "macs")
    finished = [record for record in records(searched.study) if record.finished]
    assert sorted(point.size for point in found.points) == sorted(r.cost.macs for r in finished if r.cost)
    assert ranked(searched.study)[0].accuracy == max(point.accuracy for point in found.members)
    assert len(front.table(found).rows) == len(found.members)
    twice = front_of([searched.study, searched.study])
    assert len(twice.points) == 2 * len(found.points)


def test_every_trained_candidate_has_a_curve_and_a_row_and_no_rejected_one(searched: SmallStudy) -> None:
    trained = {r.trial: r for r in records(searched.study) if r.outcome in ("finished", "pruned")}
    rejected = {r.trial for r in records(searched.study) if r.outcome == "rejected"}
    assert trained
    assert rejected
    shown = {curve.trial: curve for curve in curves(searched.study)}
    assert shown.keys() == trained.keys()
    for trial, record in trained.items():
        assert len(shown[trial].accuracies) == record.epochs
        assert shown[trial].accuracies[-1] == record.accuracy
    found = records(searched.study)
    assert {int(row[0]) for row in trials.trained_table(found).rows} == trained.keys()
    assert rejected <= {int(row[0]) for row in trials.untrained_table(found).rows}


def test_what_failed_in_training_was_trained_and_what_never_began_was_not(searched: SmallStudy) -> None:
    finished = ranked(searched.study)[0]
    died = replace(finished, outcome="failed", reason="signal 9", accuracy=None, epochs=0)
    never = replace(died, outcome="interrupted", candidate=None)
    assert [row[3] for row in trials.trained_table([died, never]).rows] == ["failed: signal 9"]
    assert [row[1] for row in trials.untrained_table([died, never]).rows] == ["interrupted"]


def test_progress_leaves_rejected_candidates_out_and_never_falls(searched: SmallStudy) -> None:
    moments = progress.progress(searched.study)
    assert {moment.trial for moment in moments} == {curve.trial for curve in curves(searched.study)}
    assert [moment.seconds for moment in moments] == sorted(moment.seconds for moment in moments)
    best = [moment.best for moment in moments if moment.best is not None]
    assert best == sorted(best)
    assert best[-1] == ranked(searched.study)[0].accuracy


def test_a_pause_between_two_runs_of_a_search_does_not_count() -> None:
    start = datetime(2024, 1, 1)
    minutes = [(0, 2), (1, 4), (3, 3), (600, 605), (602, 603)]
    trials = [
        create_trial(
            value=0.5,
            user_attrs={"outcome": "finished"},
        )
        for _ in minutes
    ]
    for trial, (begin, end) in zip(trials, minutes, strict=True):
        trial.datetime_start, trial.datetime_complete = start + timedelta(minutes=begin), start + timedelta(minutes=end)
    spans = busy_spans(trials)
    assert busy_seconds(spans, start + timedelta(minutes=3)) == 180
    assert busy_seconds(spans, start + timedelta(minutes=300)) == 240
    assert busy_seconds(spans) == 540


def test_mistakes_are_those_of_the_stored_weights_on_the_validation_part(searched: SmallStudy) -> None:
    winner = ranked(searched.study)[0]
    found = mistakes.on_validation_part(searched.study, winner, searched.checkpoints, n_hardest=500)
    matrix = np.array(found.confusion)
    assert matrix.sum() == 500
    assert matrix.trace() / 500 == winner.accuracy
    assert sum(each.wrong for each in found.hardest) == 500 - matrix.trace()
    frequent = mistakes.most_frequent(found.classes, found.confusion, 1000)
    assert sum(each.images for each in frequent) == 500 - matrix.trace()
    assert frequent[0].images == max(each.images for each in frequent)
    # Hardness grows with the certainty of what is wrong, and falls with that of what is right.
    right = [each.certainty for each in found.hardest if not each.wrong]
    assert right == sorted(right)


def test_missing_weights_or_data_leave_a_section_out_and_it_says_why(searched: SmallStudy, tmp_path: Path) -> None:
    winner = ranked(searched.study)[0]
    with pytest.raises(ExportError, match="weights of trial"):
        mistakes.on_validation_part(searched.study, winner, tmp_path)
    page = report_page(searched.study, tmp_path)
    assert "the-hardest-images" not in page
    assert "left out: The hardest images" in text_of(page)
    assert "the weights of trial" in text_of(page)
    moved = SmallStudy(shutil.copytree(searched.folder, tmp_path / "copy"))
    weights = checkpoint_path(moved.checkpoints, winner.trial)
    for damaged in (weights.read_bytes()[:1000], b"nothing of the kind", b""):
        weights.write_bytes(damaged)
        with pytest.raises(StudyError, match="are damaged"):
            mistakes.on_validation_part(moved.study, winner, moved.checkpoints)
    moved.study.set_user_attr("nas", {**moved.study.user_attrs["nas"], "dataset": "npz:gone.npz"})
    with pytest.raises(DataError, match=r"gone\.npz"):
        mistakes.on_validation_part(moved.study, winner, moved.checkpoints)
    assert "gone.npz" in text_of(report_page(moved.study, moved.checkpoints))
    (empty := tmp_path / "empty").mkdir()
    moved.study.set_user_attr("nas", {**moved.study.user_attrs["nas"], "dataset": "mnist"})
    with pytest.raises(DataError, match=f"not in {empty}.*--data-dir"):
        report_page(moved.study, moved.checkpoints, empty)


def test_the_report_does_not_read_the_test_set(confirmed: SmallStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dataset, "read_test", lambda self: pytest.fail("the test set was read"))
    before = readings(confirmed.study)
    text = text_of(report_page(confirmed.study, confirmed.checkpoints, target=0.5))
    assert readings(confirmed.study) == before
    (found,) = confirmations(confirmed.study)
    assert f"{found.accuracy.per_cent()} %" in text
    assert f"read {len(before)} times" in text
    assert "chance that a fresh training has 50.00 %" in text
    assert "a fresh training has 50.00 % of it with a chance of" in text.lower()
    assert "2 confirmed networks together" in text


def test_a_report_on_a_study_without_trials_says_so(tmp_path: Path) -> None:
    page = report_page(study_without_trials(tmp_path, "empty"), tmp_path)
    assert "No network for mnist yet" in text_of(page)
    assert "Nothing was found yet, since no training has finished." in text_of(page)
    assert re.findall('<section id="([^"]*)"', page) == ["how-everything-was-measured"]


def test_a_report_names_the_target_and_whether_it_was_reached(searched: SmallStudy, tmp_path: Path) -> None:
    study = SmallStudy(shutil.copytree(searched.folder, tmp_path / "copy")).study
    best = ranked(study)[0]
    for target, words in ((0.01, "was reached, by"), (1.0, "was not reached:")):
        study.set_user_attr(OPTIONS, {"target": target})
        assert f"until one has {100 * target:.2f} % validation accuracy" in summary.question(study)
        told = summary.story(study, best, None, None)
        assert len(told) == 5
        assert f"The target of {100 * target:.2f} % {words} trial {best.trial}" in " ".join(told)
    study.set_user_attr(OPTIONS, {})
    assert "until" not in summary.question(study)
    assert "target" not in " ".join(summary.story(study, best, None, None))


def test_a_search_for_the_smallest_network_is_described_as_one(tmp_path: Path) -> None:
    study = study_without_trials(tmp_path, "smallest", minimize="macs", target=0.99)
    text = text_of(report_page(study, tmp_path))
    assert "Asked was the network with the fewest MACs that has 99.00 % validation accuracy" in text
    assert "of the finished candidates the network with the fewest MACs" in text
    assert "most accurate network" not in text
    assert "best validation accuracy; of equal ones" not in text


def test_a_record_in_a_notebook_is_headed_by_its_trial(searched: SmallStudy) -> None:
    for record in records(searched.study):
        page = record._repr_html_()
        assert f"<caption>Trial {record.trial}, {record.outcome}" in page
        assert "Best" not in page
        assert record.cost is not None
        assert f"{record.cost.params:,}" in page


# Importance, layers, scale --------------------------------------------------------------------------------------------


def study_of(n: int, outcome: Callable[[int], str]) -> optuna.Study:
    """Candidates whose accuracy is decided by `x`; each epoch brings more."""
    study = optuna.create_study(direction="maximize")
    rng = np.random.default_rng(0)
    space = {name: FloatDistribution(0, 1) for name in ("x", "y", "z")}
    for i in range(n):
        params = {name: float(rng.uniform()) for name in space}
        epochs = {"finished": 3, "pruned": 1}.get(outcome(i), 0)
        values = {epoch: params["x"] * 0.9 + 0.02 * epoch for epoch in range(1, epochs + 1)}
        study.add_trial(
            create_trial(
                params=params,
                distributions=space,
                value=values[3] if epochs == 3 else None,
                state=TrialState.COMPLETE if epochs == 3 else TrialState.PRUNED,
                intermediate_values=values,
                user_attrs={"outcome": outcome(i)},
            )
        )
    return study


def test_the_axis_that_decides_is_found_and_the_answer_is_always_the_same() -> None:
    study = study_of(60, lambda i: "finished")
    found = importance.importances(study)
    assert found[0].axis == "x"
    assert found[0].share > 0.5
    assert math.isclose(sum(each.share for each in found), 1)
    assert importance.importances(study) == found


def test_the_bars_of_importance_are_few_and_names_stay_names() -> None:
    shown = figures.bars([importance.Importance(f"<b>{i}</b>", 0.01) for i in range(100)])
    assert len(shown) == figures.N_AXES + 1
    assert math.isclose(sum(each.share for each in shown), 1)
    assert "b" not in read(bars("shares", shown)).tags


def test_importance_needs_enough_trained_candidates_pruned_ones_among_them() -> None:
    outcomes = ["finished", "pruned", "rejected", "repeated"]
    assert importance.importances(study_of(4 * importance.N_NEEDED // 2 - 4, lambda i: outcomes[i % 4])) == []
    assert importance.importances(study_of(4 * importance.N_NEEDED // 2, lambda i: outcomes[i % 4])) != []


@given(st.lists(st.integers(0, 10_000).map(lambda n: n / 10_000), min_size=1))
def test_the_scale_shows_every_accuracy_in_its_order_with_readable_ticks(accuracies: list[float]) -> None:
    scale = scale_of(accuracies)
    errors = [scale.error(accuracy) for accuracy in sorted(accuracies)]
    assert errors == sorted(errors, reverse=True)
    assert all(scale.smallest <= error <= scale.largest for error in errors)
    assert 1 <= len(scale.ticks) <= 12
    places = np.log(scale.ticks) / np.log(scale.largest / scale.smallest)
    assert (np.diff(-places) >= 1 / 12 - 1e-9).all(), "no label lies on another"
    assert all(scale.smallest <= tick <= min(1, scale.largest) for tick in scale.ticks)
    assert len(set(scale.labels)) == len(scale.labels)
    assert scale.largest / scale.smallest >= MARGIN


# HTML -----------------------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """What a browser sees: elements, and text outside of scripts and styles. Fails where elements do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag not in ("img", "meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.texts.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def text_of(page: str) -> str:
    return " ".join("".join(read(page).texts).split())


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])), st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_any_text_stays_text(text: str, other: str) -> None:
    page = read(tag("p", text, tag("b", other), title=other))
    assert page.tags == ["p", "b"]
    assert "".join(page.texts) == text + other
    shown = read(table(Table(text, (other, "n"), ((text, other),))))
    assert set(shown.tags) <= {"div", "table", "caption", "thead", "tbody", "tr", "th", "td"}


def test_joined_keeps_html_and_escapes_text() -> None:
    assert joined([Html("<b>x</b>"), "<i>"]) == "<b>x</b>&lt;i&gt;"


def test_a_page_nests_names_nothing_elsewhere_and_shows_names_as_they_are(searched: SmallStudy) -> None:
    page = report_page(searched.study, searched.checkpoints)
    seen = read(page)
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in seen.addresses)
    assert seen.tags.count("h1") == 1
    assert seen.tags.count("script") == 2, "the page's own, and the network as data"
    assert page.count("<script>") == page.count('<script type="application/json"') == 1
    assert f"Study {searched.study.study_name}" in text_of(page)
    assert "<b>bold" not in page
    assert len(page.encode()) < 1_500_000


def test_every_section_says_something_and_the_others_are_left_out_with_a_reason(searched: SmallStudy) -> None:
    page = report_page(searched.study, searched.checkpoints)
    bodies = re.findall("<section .*?</h2>(.*?)</section>", page, re.DOTALL)
    assert len(bodies) == len(re.findall('<li><a href="#', page)) == 9
    assert all(re.search("<table|<ul|<dl|<svg", body) for body in bodies)
    trained = importance.n_trained(searched.study)
    assert trained < importance.N_NEEDED
    assert "what-decides" not in page
    assert f"left out: What decides{trained} candidates trained, and {importance.N_NEEDED} are needed." in text_of(page)


# The top --------------------------------------------------------------------------------------------------------------


def of_seeds(confirmed: Confirmed, *accuracies: float) -> Confirmed:
    """As if these were the test accuracies of as many seeds."""
    reading = confirmed.readings[0]
    return replace(confirmed, readings=tuple(replace(reading, accuracy=each) for each in accuracies))


def test_the_accuracy_at_the_top_has_its_interval_or_says_why_it_has_none(confirmed: SmallStudy) -> None:
    study, (found,) = confirmed.study, confirmations(confirmed.study)
    winner = winner_of(study, found)
    assert winner is not None
    three = of_seeds(found, 0.90, 0.91, 0.92)
    assert three.interval is not None
    ends = "{:.2f} to {:.2f} %".format(*(100 * end for end in three.interval))
    for known, value, note in (
        (three, "91.00 %", f"95 % interval of the mean of 3 trainings: {ends}"),
        (of_seeds(found, 0.90, 0.92), "91.00 %", "an interval needs 3"),
        (of_seeds(found, 0.9, 0.9, 0.9), "90.00 %", "all equal: no interval"),
        (None, f"{100 * (winner.accuracy or 0):.2f} %", "not confirmed: no interval"),
    ):
        accuracy = summary.key_figures(study, winner, known)[0]
        assert accuracy.value == value
        assert accuracy.name == ("of the test set recognised" if known else "of the validation part recognised")
        assert note in accuracy.notes[0]
        assert value in summary.heading(study, winner, known)
        assert len(summary.story(study, winner, known, None)) == 5
        assert len(summary.story(study, winner, known, 0.5)) == 5


def test_parameters_stand_with_their_budget_and_costs_with_theirs(searched: SmallStudy, tmp_path: Path) -> None:
    winner = ranked(searched.study)[0]
    assert winner.cost is not None
    _, params, cost = summary.key_figures(searched.study, winner, None)
    assert (params.value, params.notes) == (
        f"{winner.cost.params:,}",
        (f"{winner.cost.params / 25:.1f} % of the 2,500 allowed",),
    )
    assert cost.value == f"{winner.cost.macs:,}"
    assert cost.notes[:2] == (
        f"{winner.cost.memory / 1024:.1f} KiB of RAM for activations",
        f"{winner.cost.bytes / 1024:.1f} KiB of flash for weights",
    )
    limited = study_without_trials(tmp_path, "limited", budget={"memory": 65_536})
    _, params, cost = summary.key_figures(limited, winner, None)
    assert params.notes == ("no limit on them",)
    assert cost.notes[0].endswith("RAM for activations, of 64.0 KiB allowed")


# Figures --------------------------------------------------------------------------------------------------------------


measured = st.integers(1, 100_000).map(lambda n: n / 100)


@given(st.lists(st.integers(0, 10**10), min_size=1) | st.lists(measured, min_size=1))
def test_an_axis_of_sizes_shows_all_of_them_and_has_ticks_in_view(sizes: list[float]) -> None:
    axis = size_axis("parameters", sizes)
    assert all(0 <= axis.place(size) <= 1 for size in sizes)
    places = [axis.place(tick) for tick, _ in axis.ticks]
    assert places == sorted(places)
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)
    assert 1 <= len(places) <= 8
    assert len({label for _, label in axis.ticks}) == len(places)


def test_figures_have_names_and_every_candidate_has_a_mark_with_its_title(searched: SmallStudy) -> None:
    page = report_page(searched.study, searched.checkpoints)
    plots = re.findall('<div class="plot">(.*?)</div>', page, re.DOTALL)
    assert len(plots) == 3  # the front, curves, and progress
    assert all(re.match('<svg role="img" aria-label="[^"]{20,}"', plot) for plot in plots)
    finished = [record for record in records(searched.study) if record.finished]
    trained = [record for record in records(searched.study) if record.began]
    for plot, shown in zip(plots, (finished, trained, trained), strict=True):
        titles = re.findall('<(?:circle|path)[^>]*class="mark [^>]*><title>trial ([0-9]+)', plot)
        assert sorted(map(int, titles)) == [record.trial for record in shown]
        assert plot.count('class="mark winner"') == 1
