"""The names of a database's studies, for those who press TAB and wait."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from nas.study.folders import SQLITE


def study_names(url: str) -> list[str]:
    """All names, in the order of making. A database that cannot be read raises whatever it raises.

    An SQLite file is asked directly, since Optuna and SQLAlchemy alone take longer to load than anyone waits.
    """
    if "://" in url and not url.startswith(SQLITE):
        import optuna

        from nas.study.storage import open_storage

        return list(optuna.get_all_study_names(open_storage(url, must_exist=True)))
    return [name for (name,) in _rows(url, "select study_name from studies order by study_id")]


def has_study(url: str, name: str) -> bool:
    """Whether there is a database that can be read, and the study in it."""
    try:
        return name in study_names(url)
    except Exception:  # whoever opens it for good says what is wrong with it
        return False


def trial_numbers(url: str, study: str | None) -> list[tuple[int, str]]:
    """The trials of a study, else of the one begun last, and their states; of an SQLite file alone."""
    last = """select study_id from studies order by
              (select min(datetime_start) from trials where trials.study_id = studies.study_id) desc limit 1"""
    chosen = "select study_id from studies where study_name = ?" if study is not None else last
    query = f"select number, state from trials where study_id in ({chosen}) order by number"
    return [(number, state) for number, state in _rows(url, query, *([study] if study is not None else []))]


def _rows(url: str, query: str, *values: str) -> list[tuple[Any, ...]]:
    file = Path(url.removeprefix(SQLITE)).resolve()
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query, values).fetchall()
