"""The example notebook, run as Jupyter runs it."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parent.parent / "examples" / "notebook.ipynb"


@pytest.mark.slow
def test_the_example_notebook_runs(tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_DATA_DIR", str(data_dir))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=280, resources={"metadata": {"path": str(tmp_path)}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    pages = ["".join(out.get("data", {}).get("text/html", "") for out in cell.outputs) for cell in cells]
    assert pages[0].count("<tr>") >= 2, "the best candidates"
    assert "parameters" in pages[1]
    assert "Confirmed: trial" in pages[2]
    assert "[1, 10]" in str(cells[3].outputs)
    assert list((tmp_path / "runs").glob("mnist_*.py"))
    shown = "".join(out.get("text", "") + out.get("data", {}).get("text/plain", "") for out in cells[0].outputs)
    assert "Searching space 'tiny'" in shown, "progress is shown"
    assert "Best is trial" not in shown, "by nas, and not by Optuna too"


def test_the_example_notebook_is_kept_without_what_it_printed() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
