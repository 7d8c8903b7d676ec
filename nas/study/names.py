"""The names of a database's studies, for those who press TAB and wait."""

import sqlite3
from contextlib import closing
from pathlib import Path

from nas.study.folders import SQLITE


def study_names(url: str) -> list[str]:
    """All names, in the order of making. A database that cannot be read raises whatever it raises.

    An SQLite file is asked directly, since Optuna and SQLAlchemy alone take longer to load than anyone waits.
    """
    if "://" in url and not url.startswith(SQLITE):
        import optuna

        from nas.study.storage import open_storage

        return list(optuna.get_all_study_names(open_storage(url, must_exist=True)))
    file = Path(url.removeprefix(SQLITE)).resolve()
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        return [name for (name,) in connection.execute("select study_name from studies order by study_id")]
