"""Studies as things: listed, deleted, renamed, copied, taken along in a file, gone on with by their name alone."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from nas.study.locks import sole_controller
from nas.study.opening import find_study
from nas.study.record import ranked, records
from nas.study.storage import checkpoint_folder, open_storage
from nas.study.terms import OPTIONS, note_search, options_of

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def searched(nas: Run, small_search: Path, tmp_path: Path) -> Run:
    """The command line in a folder where a small search has been."""
    shutil.copytree(small_search, tmp_path, dirs_exist_ok=True)
    return nas


def content(name: str, storage: str = "runs/nas.db") -> tuple[Any, ...]:
    """All that is known of a study, but for its name: attributes, trials, files."""
    database = open_storage(storage, must_exist=True)
    study = find_study(database, name)
    trials = [
        (each.number, each.state, each.value, each.params, each.user_attrs, each.intermediate_values,
         each.constraints, each.datetime_start, each.datetime_complete)
        for each in study.get_trials()
    ]  # fmt: skip
    folder = checkpoint_folder(database, name)
    files = {each.name: each.read_bytes() for each in folder.iterdir() if each.name not in ("lock", "confirming")}
    return study.user_attrs, trials, files


def test_a_study_goes_around_and_comes_back_as_it_was(searched: Run, tmp_path: Path) -> None:
    before = content("small")
    assert before[2], "there are weights"
    assert searched("studies", "copy", "small", "twin").returncode == 0
    assert content("twin") == content("small") == before
    assert searched("studies", "rename", "twin", "a/b c").returncode == 0
    assert content("a/b c") == before
    assert searched("studies", "export", "a/b c", "taken.nas").returncode == 0
    for name in ("small", "a/b c"):
        assert searched("studies", "delete", name, "--yes").returncode == 0
        assert not checkpoint_folder(open_storage("runs/nas.db"), name).exists()
    assert json.loads(searched("studies", "list", "--json").stdout) == []
    assert searched("studies", "import", "taken.nas", "--as", "small").returncode == 0
    assert content("small") == before
    assert searched("studies", "import", "taken.nas", "--storage", "other.db").returncode == 0
    assert content("a/b c", "other.db") == before
    assert searched("export", "--study", "small", "--out", "models").returncode == 0, "weights came along"


def test_a_deletion_is_asked_for(searched: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["n\n", "y\n"])
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: next(answers).strip())
    assert searched("studies", "delete", "small").returncode == 130
    assert len(json.loads(searched("studies", "list", "--json").stdout)) == 1
    assert searched("studies", "delete", "small").returncode == 0
    assert json.loads(searched("studies", "list", "--json").stdout) == []
    assert Path("runs").glob("*.py"), "models stay"


def test_what_cannot_be_done_gets_one_line_and_changes_nothing(searched: Run, tmp_path: Path) -> None:
    before = content("small")
    (tmp_path / "taken.nas").write_text("mine")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "")
    with zipfile.ZipFile(tmp_path / "half.nas", "w") as archive:
        archive.writestr("study.json", '{"study": "half"}')
        archive.writestr("study.db", "no database")
    for command, words in (
        ("copy small small", ["free", "'small'"]),
        ("rename small small", ["free"]),
        ("copy nowhere new", ["'nowhere'"]),
        ("delete nowhere --yes", ["'nowhere'"]),
        ("export small taken.nas", ["taken.nas", "--force"]),
        ("export small no/where.nas", ["there is no"]),
        ("import other.zip", ["other.zip", "nas studies export"]),
        ("import nowhere.nas", ["nowhere.nas", "no such file"]),
        ("import half.nas", ["study.db"]),
        ("import taken.nas", ["taken.nas"]),
    ):
        done = searched("studies", *command.split())
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), (command, done.stderr)
        assert all(word in done.stderr for word in words), (command, done.stderr)
    assert (tmp_path / "taken.nas").read_text() == "mine"
    with sole_controller(open_storage("runs/nas.db"), "small"):
        for command in ("delete small --yes", "rename small new", "copy small new", "export small new.nas"):
            assert "works on 'small'" in searched("studies", *command.split()).stderr
    assert [each["study"] for each in json.loads(searched("studies", "list", "--json").stdout)] == ["small"]
    assert content("small") == before
    assert not (tmp_path / "new.nas").exists()


def test_a_search_by_the_name_of_its_study_goes_on_with_its_options(searched: Run, few_images: str) -> None:
    study = find_study(open_storage("runs/nas.db"), "small")
    n_before, options = len(ranked(study)), study.user_attrs[OPTIONS]
    done = searched("search", "--study", "small", "--trials", "4", "--dataset", few_images, "--workers", "1")
    assert done.returncode == 2, "a data set says what is searched, by itself: all else is then as by default"
    done = searched("search", "--study", "small", "--trials", "4", "--workers", "1", "--json", alone=True)
    result = json.loads(done.stdout)
    assert (done.returncode, result["counts"]["finished"]) == (3, n_before + 1), done.stderr
    after = find_study(open_storage("runs/nas.db"), "small").user_attrs[OPTIONS]
    assert after == {**options, "trials": 4, "workers": 1} or after == {**options, "trials": 4}


def test_a_command_is_told_that_a_search_is_over(searched: Run) -> None:
    tell = 'cat > told.json; echo "$NAS_STUDY $NAS_ENDED $NAS_MODEL" > told.txt; false'
    done = searched("search", "--study", "small", "--notify", tell, alone=True)
    assert done.returncode == 3, "as without it"
    assert "--notify ended with exit code 1" in done.stderr
    told = json.loads(Path("told.json").read_text())
    assert Path("told.txt").read_text().split()[:2] == ["small", "trials"] == [told["study"], told["ended"]]
    assert Path(told["model"]).exists()


def test_figures_come_as_json(searched: Run) -> None:
    (only,) = json.loads(searched("status", "--json").stdout)
    assert (only["study"], only["searching"], only["counts"]["finished"]) == ("small", False, 3)
    front = json.loads(searched("pareto", "--json").stdout)
    assert front["n_candidates"] == 3
    assert all(each["study"] == "small" for each in front["front"])
    checked = json.loads(searched("check", "--space", "tiny", "--budget", "2500", "--workers", "1", "--json").stdout)
    assert 0 < checked["feasible_share"] <= 1
    assert checked["seconds_an_epoch"] > 0


# Side by side ---------------------------------------------------------------------------------------------------------


def test_two_studies_stand_side_by_side_with_what_differs(searched: Run, tmp_path: Path) -> None:
    nas = searched
    nas("studies", "copy", "small", "twin")
    same = nas("studies", "compare", "small", "twin").stdout
    assert "All settings are the same." in same
    assert "setting:" not in same
    known, twin = (find_study(open_storage("runs/nas.db"), name) for name in ("small", "twin"))
    note_search(twin, {**(options_of(twin) or {}), "trials": 4, "target": 0.98}, [])
    done = nas("studies", "compare", "small", "twin", "--by", "macs", "-o", "both.html")
    rows = {line.split("  ")[1]: line.split()[-2:] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert rows["setting: trials"] == ["3", "4"]
    assert rows["setting: target"] == ["0.99", "0.98"]
    assert rows["epochs trained"] == [str(sum(r.epochs for r in records(study) if r.began)) for study in (known, twin)]
    assert {each for each in rows if each.startswith("setting")} == {"setting: target", "setting: trials"}
    page = (tmp_path / "both.html").read_text("utf-8")
    assert page.count('class="line finished"') == page.count('class="line other"') == 1, "a front each, in one figure"
    plain = json.loads(nas("studies", "compare", "small", "twin", "--json").stdout)
    assert [each["study"] for each in plain["studies"]] == ["small", "twin"]
    assert plain["differing"] == {"target": [0.99, 0.98], "trials": [3, 4]}
    finished = sum(len(ranked(study)) for study in (known, twin))
    assert plain["front"]["n_candidates"] == finished


def test_a_study_that_is_not_there_is_not_compared(searched: Run) -> None:
    for words in (["small", "nowhere"], ["nowhere", "small"]):
        done = searched("studies", "compare", *words)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "nowhere" in done.stderr
