"""The measurement of how many workers a controlling process keeps busy: small, and as it is run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "scale.py"


@pytest.mark.slow
def test_a_few_replaying_workers_are_kept_busy_and_measured(tmp_path: Path) -> None:
    searches = ["learned, pausing", "optuna tpe, halving"]
    done = subprocess.run(
        [
            sys.executable, BENCHMARK, "--workers", "3", "--earlier", "0", "40", "--seconds", "3", "--measured", "6",
            "--warm-up", "1", "--json", tmp_path / "figures.jsonl", "--searches", *searches,
        ],
        capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = [json.loads(line) for line in (tmp_path / "figures.jsonl").read_text().splitlines()]
    assert [(each["n_earlier"], each["search"]) for each in figures] == [
        (n, name) for n in (0, 40) for name in searches
    ]
    for each in figures:
        assert each["candidates"] > 0, each
        assert each["epochs"] >= each["candidates"] / 2, each
        assert 0 < each["busy"] <= 1, each
        assert each["seconds_of_core"] > 0, each
