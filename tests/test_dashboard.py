"""The dashboard as a browser gets it: over HTTP from a real server, and in a real Chromium."""

import ast
import json
import os
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from subprocess import CompletedProcess
from threading import Thread
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import optuna
import pytest
from optuna.trial import create_trial
from processes import read_until

from nas.network.cost import Budget
from nas.study import details
from nas.study.confirmation import confirmations
from nas.study.goal import Goal
from nas.study.opening import find_study
from nas.study.record import record_of
from nas.study.status import Status
from nas.study.storage import open_storage
from nas.study.terms import TERMS, Terms

pytest.importorskip("optuna_dashboard", reason="the dashboard is not installed: pip install '.[dashboard]'")

from nas.dashboard import models
from nas.dashboard.notes import study_note
from nas.dashboard.server import open_view, serve

Run = Callable[..., CompletedProcess[str]]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def searched(small_search: Path, tmp_path: Path) -> Path:
    """A folder of its own in which a small search has been; the database's path."""
    shutil.copytree(small_search, tmp_path, dirs_exist_ok=True)
    return tmp_path / "runs" / "nas.db"


@contextmanager
def served(database: Path) -> Iterator[str]:
    """The address of a dashboard of this database."""
    with serve(open_view(str(database)), "127.0.0.1", 0) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def get(url: str) -> Any:
    with urlopen(url, timeout=30) as answer:
        return json.loads(answer.read())


def send(method: str, url: str, **content: Any) -> int:
    request = Request(url, json.dumps(content).encode(), {"Content-Type": "application/json"}, method=method)
    try:
        with urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code


def dump(database: Path) -> list[str]:
    with sqlite3.connect(database) as connection:
        return list(connection.iterdump())


def test_rejected_trials_and_no_others_are_infeasible(searched: Path) -> None:
    with served(searched) as url:
        shown = get(f"{url}/api/studies/1")
    known = find_study(open_storage(str(searched))).trials
    assert len(shown["trials"]) == len(known)
    states = {"rejected": "Infeasible", "finished": "Complete", "repeated": "Complete"}
    for trial, real in zip(shown["trials"], known, strict=True):
        assert trial["state"] == states[real.user_attrs["outcome"]]
        assert trial["constraints"] == list(real.constraints.values())
        assert (max(trial["constraints"]) > 0) == (trial["state"] == "Infeasible")
    assert {trial["state"] for trial in shown["trials"]} >= {"Infeasible", "Complete"}
    assert [trial["state"] for trial in shown["best_trials"]] == ["Complete"]


def test_notes_explain_the_study_and_every_trial(searched: Path) -> None:
    with served(searched) as url:
        shown = get(f"{url}/api/studies/1")
    for words in (
        "at most 1,500 parameters",
        "**Infeasible**: rejected",
        "test set has not been read",
        "3 candidates",
        "not continued",
    ):
        assert words in shown["note"]["body"]
    for trial in shown["trials"]:
        note = trial["note"]["body"]
        params = int(next(attr["value"] for attr in trial["user_attrs"] if attr["key"] == "params"))
        layers = re.findall(
            r"^\| \w+ \|.* \| ([\d,]+) \| [\d.]+ % \| [\d,]+ \| [\d×]+ \| [\d×]+ \|$", note, re.MULTILINE
        )
        assert sum(int(count.replace(",", "")) for count in layers) == params
        if trial["state"] == "Infeasible":
            assert f"{100 * params / 1500 - 100:.1f} % more than the budget of 1,500" in note
            assert "Learning curve" not in note
        else:
            assert f"| 2 | {100 * trial['values'][0]:.2f} % |" in note


def test_commands_of_a_note_work_as_they_are(searched: Path, nas: Run) -> None:
    database = searched.parent.rename(searched.parent.parent / "it's mine") / "nas.db"
    later = optuna.create_study(storage=open_storage(str(database)), study_name="later")
    later.tell(later.ask(), 0.5)
    with served(database) as url:
        note = get(f"{url}/api/studies/1")["note"]["body"]
    commands = [shlex.split(line) for line in note.splitlines() if line.startswith("    nas ")]
    assert [command[1] for command in commands] == ["status", "show", "export"]
    for command in commands:
        done = nas(*command[1:])
        assert done.returncode == 0, done.stderr
        assert "later" not in done.stdout


def a_status(**changed: Any) -> Status:
    terms = Terms("tiny", "0" * 16, "mnist", "f" * 16, 50_000, 10_000, 0, 3, {"params": 20_000}, **changed)
    best = record_of(create_trial(value=0.99, intermediate_values={3: 0.99}, user_attrs={"outcome": "finished"}))
    return Status("small", terms, {}, False, {}, best, 0.0, 0, None)


def test_the_note_says_what_values_mean_when_the_smallest_network_is_looked_for() -> None:
    plain, smallest = study_note(a_status()), study_note(a_status(minimize="macs", target=0.98))
    assert "looks for the most accurate network" in plain
    assert "cannot be told apart" in plain
    assert "looks for the network with the fewest MACs that has 98.00 % validation accuracy" in smallest
    assert "no accuracy" in smallest
    assert Goal("macs", 0.98).formula(Budget(20_000)) in smallest
    assert "not smaller than a network" in smallest


def test_the_note_counts_what_was_read_of_the_test_set_before_a_confirmation_has_ended() -> None:
    assert "The test set has not been read." in study_note(a_status())
    assert "The test set was read 2 times, by a confirmation that has not ended." in study_note(
        a_status(), n_readings=2
    )


def test_plots_and_models_are_there(searched: Path) -> None:
    with served(searched) as url:
        shown = get(f"{url}/api/studies/1")
        (source,) = searched.parent.glob("*.py")
        number = int(source.stem.rpartition("_")[2])
        attached = {trial["number"]: trial["artifacts"] for trial in shown["trials"] if trial["artifacts"]}
        assert list(attached) == [number]
        names = {artifact["filename"] for artifact in attached[number]}
        assert names == {f"{source.stem}.{suffix}" for suffix in ("py", "safetensors", "md", "sh")}
        for artifact in attached[number]:
            with urlopen(f"{url}/artifacts/1/{number + 1}/{artifact['artifact_id']}") as answer:
                assert answer.read() == (searched.parent / artifact["filename"]).read_bytes()
        again = get(f"{url}/api/studies/1")["trials"][number]["artifacts"]
    assert again == attached[number]
    assert len(list((searched.parent / "artifacts").iterdir())) == 4, "each content once"
    assert {plot["id"] for plot in shown["plotly_graph_objects"]} == {"accuracy-and-parameters"}, (
        "the importance of axes needs more candidates"
    )


def offered(database: Path) -> dict[int, set[str]]:
    """The names of the files that can be downloaded, by trial."""
    with served(database) as url:
        shown = get(f"{url}/api/studies/1")["trials"]
    return {t["number"]: {each["filename"] for each in t["artifacts"]} for t in shown if t["artifacts"]}


def test_whatever_an_export_writes_can_be_downloaded(searched: Path, nas: Run) -> None:
    (source,) = searched.parent.glob("*.py")
    done = nas("export", "--format", "c", "--format", "torch")
    assert done.returncode == 0, done.stderr
    assert offered(searched) == {
        int(source.stem.rpartition("_")[2]): {file.name for file in searched.parent.glob(f"{source.stem}.*")}
    }


def test_a_confirmation_is_told_and_its_model_can_be_downloaded(searched: Path, nas: Run) -> None:
    done = nas("confirm", "--top", "1", "--seeds", "1")
    assert done.returncode == 0, done.stderr
    (found,) = confirmations(find_study(open_storage(str(searched))))
    (model,) = searched.parent.glob("*_confirmed.py")
    with served(searched) as url:
        note = get(f"{url}/api/studies/1")["note"]["body"]
    assert f"Confirmed: trial {found.trial}, trained 1 time" in note
    assert f"**{found.accuracy.per_cent()} %** of the test set. The test set was read 1 time in this study" in note
    names = offered(searched)
    assert list(names) == [found.trial]
    assert {file.name for file in searched.parent.glob(f"{model.stem}.*")} < names[found.trial]


def test_models_are_looked_for_where_a_search_puts_them_unless_told(
    searched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(searched.parent.parent)
    elsewhere = Path("elsewhere") / "nas.db"
    elsewhere.parent.mkdir()
    searched.rename(elsewhere)
    assert len(offered(elsewhere)) == 1


def test_a_file_is_read_once_until_it_changes(searched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = searched.parent / "something_else.py"
    other.write_text("x = 1\n")
    read: list[str] = []
    watched = SimpleNamespace(**{**vars(ast), "parse": lambda text: read.append(text) or ast.parse(text)})
    monkeypatch.setattr(models, "ast", watched)
    for _ in range(2):
        assert len(list(models.exports([searched.parent]))) == 1
    assert len(read) == 2
    other.write_text("x = 1, 2\n")
    assert len(list(models.exports([searched.parent]))) == 1
    assert read[2:] == ["x = 1, 2\n"]


@pytest.mark.parametrize("change", [("of the study 'small'", "of the study 'other'"), ("with seed ", "with seed 1")])
def test_a_model_of_another_study_is_not_attached(searched: Path, change: tuple[str, str]) -> None:
    (source,) = searched.parent.glob("*.py")
    text = " ".join(source.read_text().split('"""')[1].split())
    assert change[0] in text
    source.write_text(f'"""{text.replace(*change)}"""\n')
    with served(searched) as url:
        assert not any(trial["artifacts"] for trial in get(f"{url}/api/studies/1")["trials"])


def test_looking_changes_nothing_in_the_study(searched: Path) -> None:
    before = dump(searched)
    with served(searched) as url:
        get(f"{url}/api/studies")
        get(f"{url}/api/studies/1")
        get(f"{url}/api/studies/1/param_importances")
        for method, path in (
            ("DELETE", "/api/studies/1"),
            ("POST", "/api/studies/1/rename"),
            ("POST", "/api/studies"),
            ("POST", "/api/trials/1/tell"),
            ("POST", "/api/trials/1/user-attrs"),
            ("POST", "/api/artifacts/1"),
        ):
            assert send(method, url + path, study_name="other", directions=["maximize"], state="Fail") == 403
    assert dump(searched) == before


def test_an_edited_note_is_kept_and_nothing_else_is_written(searched: Path) -> None:
    before = [line for line in dump(searched) if "study_system_attributes" not in line]
    with served(searched) as url:
        notes = {trial["trial_id"]: trial["note"] for trial in get(f"{url}/api/studies/1")["trials"]}
        version = notes[1]["version"] + 1
        assert send("PUT", f"{url}/api/studies/1/1/note", version=version, body="mine") == 204
        assert get(f"{url}/api/studies/1")["trials"][0]["note"]["body"] == "mine"
    with served(searched) as url:
        after = {trial["trial_id"]: trial["note"] for trial in get(f"{url}/api/studies/1")["trials"]}
    assert after.pop(1) == {"version": version, "body": "mine"}
    del notes[1]
    assert after == notes
    assert [line for line in dump(searched) if "study_system_attributes" not in line] == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:{port}"}, 200),
        ({"Host": "192.168.1.7:{port}"}, 200),  # an address is nobody's name
        ({"Host": "evil.example:{port}"}, 403),  # a name that somebody has lead to this machine
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:{port}"}, 403),
        ({"Origin": "http://127.0.0.1:{port}"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),  # another server on this machine
        ({"Origin": "null"}, 403),
    ],
)
def test_pages_of_others_cannot_read_studies_or_write_notes(
    searched: Path, headers: dict[str, str], status: int
) -> None:
    database = searched
    before = dump(database)
    with served(database) as url:
        port = int(url.split(":")[2].split("/")[0])
        own = {name: value.format(port=port) for name, value in headers.items()}

        def asked(method: str, path: str, body: bytes | None = None) -> int:
            with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
                connection.request(method, path, body, {**own, "Content-Type": "application/json"})
                return connection.getresponse().status

        assert asked("GET", "/api/studies") == status
        if status == 403:
            assert asked("PUT", "/api/studies/1/note", b'{"version": 1, "body": "theirs"}') == 403
            assert dump(database) == before


def test_a_note_that_somebody_wrote_before_is_shown_as_it_is(searched: Path) -> None:
    from optuna_dashboard import save_note

    study = find_study(open_storage(str(searched)))
    save_note(study, "mine")
    # A long name makes the other note a long one, which is stored in several parts.
    study.set_user_attr(TERMS, {**study.user_attrs[TERMS], "dataset": "npz:" + "long" * 1000})
    with served(searched) as url:
        shown = get(f"{url}/api/studies/1")
    assert shown["note"]["body"] == "mine", "and not followed by the rest of a longer one"
    assert all(trial["note"]["body"] for trial in shown["trials"])


@pytest.mark.usefixtures("one_core")
def test_a_continued_search_finds_the_same_with_a_dashboard_beside_it(searched: Path, nas: Run) -> None:
    shutil.copytree(searched.parent, searched.parent.parent / "without")
    more = ("search", "--space", "tiny", "--epochs", "2", "--budget", "1500", "--study", "small", "--workers", "1")
    more = (*more, "--trials", "4", "--pruner", "none")  # TPE, which models the constraints
    with served(searched) as url:
        notes = get(f"{url}/api/studies/1")
        assert send("PUT", f"{url}/api/studies/1/note", version=notes["note"]["version"] + 1, body="mine") == 204
        assert nas(*more).returncode == 0
        deadline = time.monotonic() + 30  # it asks the database for trials every two seconds at most
        while len((shown := get(f"{url}/api/studies/1"))["trials"]) == len(notes["trials"]):
            assert time.monotonic() < deadline, "no new trial is shown"
            time.sleep(0.2)
    assert nas(*more, "--storage", "without/nas.db", "--out", "without").returncode == 0
    one, other = (find_study(open_storage(str(path))).trials for path in (searched, Path("without/nas.db")))
    assert [(t.params, t.values, t.constraints) for t in one] == [(t.params, t.values, t.constraints) for t in other]
    assert len(shown["trials"]) == len(one) > len(notes["trials"])


def test_only_what_is_new_is_prepared(searched: Path) -> None:
    view = open_view(str(searched))
    view.prepare(1)
    first = dict(view._notes[1])
    view.prepare(1)
    assert all(view._notes[1][trial] is note for trial, note in first.items() if trial is not None)


def test_a_space_is_loaded_once_for_all_rejected_trials(searched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, load = [], details.spaces.load
    monkeypatch.setattr(details.spaces, "load", lambda name: loaded.append(name) or load(name))
    details._shipped_space.cache_clear()
    study = find_study(open_storage(str(searched)))
    rejected = [trial.number for trial in study.trials if trial.user_attrs["outcome"] == "rejected"]
    assert len(rejected) > 1
    assert all(details.details_of(study, number).layers for number in rejected)
    assert loaded == ["tiny"]


@pytest.mark.slow
def test_a_running_search_is_shown_and_goes_on(start: Start, tmp_path: Path) -> None:
    slow = ("search", "--space", "tiny", "--epochs", "400", "--budget", "3k", "--pruner", "none", "--trials", "1")
    process = start(*slow, "--workers", "2", "--study", "long")  # one thread each
    read_until(process, "epoch 2/400")
    with served(tmp_path / "runs" / "nas.db") as url:
        shown = get(f"{url}/api/studies/1")
        assert "A search is running" in shown["note"]["body"]
        (running,) = (trial for trial in shown["trials"] if trial["state"] == "Running")
        assert "### Layers" in running["note"]["body"]
        read_until(process, f"epoch {len(running['intermediate_values']) + 2}/400")
        later = get(f"{url}/api/studies/1")["trials"][running["number"]]
        assert later["note"]["body"] != running["note"]["body"], "its learning curve grows"
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1"])
def test_only_this_machine_sees_it_unless_told(searched: Path, nas: Run, host: str) -> None:
    done = nas("dashboard", "--no-browser", "--port", "0", "--host", host)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "--allow-remote" in done.stderr


def test_a_port_in_use_gets_one_line(searched: Path, nas: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = nas("dashboard", "--no-browser", "--port", port)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert port in done.stderr
    assert "--port" in done.stderr


@pytest.mark.parametrize("package", ["optuna_dashboard", "plotly"])
def test_what_is_not_installed_is_named(nas: Run, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    done = nas("dashboard")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert package.replace("_", "-") in done.stderr
    assert "[dashboard]" in done.stderr


@contextmanager
def command(folder: Path, *options: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """`nas dashboard` in a process of its own, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "nas", "dashboard", "--no-browser", "--port", "0", *options],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield read_until(process, "Dashboard:").split()[1], process
    finally:
        process.kill()
        process.communicate()


def test_ctrl_c_ends_it_cleanly(searched: Path) -> None:
    with command(searched.parent.parent, "--allow-remote", "--host", "0.0.0.0") as (url, process):
        get(url.replace("0.0.0.0", "127.0.0.1").replace("/dashboard", "/api/studies/1"))
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output.strip()) == (0, "")
    (warning,) = errors.splitlines()
    assert "Warning" in warning


@pytest.fixture
def browser() -> Iterator[Any]:
    """A real Chromium without a window."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install '.[dev]'")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs a Chromium and its driver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1500,1300"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


def wait_for(browser: Any, text: str) -> str:
    """What the page shows, once this is among it."""
    deadline = time.monotonic() + 60
    while text not in (shown := browser.execute_script("return document.body.innerText")):
        assert time.monotonic() < deadline, f"{text!r} never appeared in: {shown}"
        time.sleep(0.2)
    return shown


def test_models_are_shown_whatever_a_page_asks_for_first(searched: Path) -> None:
    with served(searched) as url:  # the dashboard keeps the trials that this read for the next two seconds
        get(f"{url}/api/studies/1/param_importances?evaluator=ped_anova")
        shown = get(f"{url}/api/studies/1")["trials"]
    names = [artifact["filename"] for trial in shown for artifact in trial["artifacts"]]
    assert any(name.endswith(".safetensors") for name in names)


def test_a_browser_shows_notes_plots_models_and_what_was_rejected(searched: Path, browser: Any) -> None:
    trials = find_study(open_storage(str(searched))).trials
    rejected = next(trial for trial in trials if trial.user_attrs["outcome"] == "rejected")
    best = max((t for t in trials if t.user_attrs["outcome"] == "finished"), key=lambda trial: trial.value or 0)
    with command(searched.parent.parent) as (url, _):
        browser.get(url)
        wait_for(browser, "small")
        browser.get(f"{url}/studies/1")
        wait_for(browser, "Accuracy and parameters")
        browser.get(f"{url}/studies/1/note")
        assert "One standard error" in wait_for(browser, "looks for the most accurate network")
        browser.get(f"{url}/studies/1/trials?numbers={rejected.number}")
        shown = wait_for(browser, "Rejected, never trained")
        page = shown[shown.index(f"Trial {rejected.number} (trial_id") :]
        assert page.split("\n")[1] == "Infeasible"
        assert "more than the budget of 1,500" in page
        browser.get(f"{url}/studies/1/trials?numbers={best.number}")
        shown = wait_for(browser, ".safetensors")
        page = shown[shown.index(f"Trial {best.number} (trial_id") :]
        assert page.split("\n")[1] == "Complete"
        assert "Learning curve" in page
        assert f"_trial_{best.number}.py" in page.replace("\n", "")
        assert len(browser.find_elements("css selector", "table")) >= 3, "Markdown tables are drawn as tables"
        assert browser.get_log("browser") == []
