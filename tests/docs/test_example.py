"""The notebook of the documents, executed as it stands in a kernel of its own."""

from __future__ import annotations

import base64
import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient

import harness

NOTEBOOK = Path(__file__).parents[2] / "docs" / "example.ipynb"

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Executed:
    """The cells after their execution, and the folder in which they worked."""

    cells: list[Any]
    folder: Path


def stored() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


def code(cells: list[Any]) -> list[Any]:
    return [cell for cell in cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Executed:
    folder, own = tmp_path_factory.mktemp("example"), tmp_path_factory.mktemp("jupyter")
    notebook = stored()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
            patch.setenv(name, str(own))  # no profile or setting of the user's
        patch.setenv("HARNESS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        resources = {"metadata": {"path": str(folder)}}
        NotebookClient(notebook, timeout=540, kernel_name="python3", resources=resources).execute()
    return Executed(notebook.cells, folder)


@pytest.fixture
def study() -> harness.Study:
    """The study that the notebook declares."""
    names: dict[str, Any] = {}
    exec(code(stored().cells)[0].source, names)
    declared = names["study"]
    assert isinstance(declared, harness.Study)
    return declared


def log_errors(folder: Path) -> pd.DataFrame:
    """Logarithms of the share of errors of 360 test images, read from the files; a column a variant."""
    runs = pd.concat(map(pd.read_parquet, (folder / "results" / "example" / "runs").glob("*.parquet")))
    wrong = ((1 - runs["test_accuracy"]) * 360).round()
    return runs.assign(value=np.log((wrong + 0.5) / 361)).pivot(
        index=["seed", "batch_size"], columns="variant", values="value"
    )


def test_ten_cells_go_from_the_declaration_to_a_figure_and_a_report(executed: Executed) -> None:
    assert len(executed.cells) == 10
    assert [cell.execution_count for cell in code(executed.cells)] == [1, 2, 3, 4, 5, 6]
    shown = [output for cell in code(executed.cells) for output in cell.outputs]
    assert {output.output_type for output in shown} == {"execute_result", "display_data"}  # nothing printed
    assert shown[0].data["text/plain"] == "{'completed': 24}"
    assert sum("image/png" in output.data for output in shown) == 1
    page = (executed.folder / "reports" / "example.html").read_text()
    assert "Does batch normalization help a small CNN on small batches, too?" in page
    assert "harness run example" in page


def test_what_the_notebook_shows_is_stored_with_it_small_and_without_traces_of_a_machine(
    executed: Executed,
) -> None:
    def shape(text: str) -> list[str]:
        return re.sub(r"-?\d+(\.\d+)?", "#", text).split()

    kept, fresh = code(stored().cells), code(executed.cells)
    assert [cell.execution_count for cell in kept] == [1, 2, 3, 4, 5, 6]
    for then, now in zip(kept, fresh, strict=True):
        for one, other in zip(then.outputs, now.outputs, strict=True):
            assert set(one.data) == set(other.data)
            assert shape(one.data["text/plain"]) == shape(other.data["text/plain"])
    text = NOTEBOOK.read_text()
    assert not re.search(r"/(tmp|home|root|work|Users)/", text)
    (picture,) = [o.data["image/png"] for cell in kept for o in cell.outputs if "image/png" in o.data]
    assert len(base64.b64decode(picture)) <= 60_000


def test_its_verdict_is_that_of_all_sign_flips_of_the_recorded_runs(
    executed: Executed, study: harness.Study
) -> None:
    means = log_errors(executed.folder).groupby("seed").mean()
    differences = (means["bn"] - means["plain"]).to_numpy()
    flips = np.array(list(itertools.product((-1, 1), repeat=6)))
    p = np.mean(np.abs(flips @ differences) >= abs(differences.sum()) - 1e-12)
    (row,) = harness.compare(study, results=executed.folder / "results").to_dict("records")
    assert row["p"] == p == row["p_adjusted"]
    assert row["estimate"] == pytest.approx(np.exp(differences.mean()))
    assert row["verdict"] == (
        "undecided" if p >= 0.05 else "supported" if differences.sum() < 0 else "contradicted"
    )
    (shown,) = code(executed.cells)[3].outputs
    assert f"{row['estimate']:.4f}" in shown.data["text/html"]
    assert row["verdict"] in shown.data["text/html"]


def test_what_its_words_say_of_the_figure_is_so(executed: Executed) -> None:
    said = " ".join(executed.cells[8].source.split())
    assert "with batches of 32 every seed gains, with batches of 8 some lose" in said
    both = log_errors(executed.folder).reset_index("batch_size")
    gains = both["plain"] > both["bn"]
    assert gains[both["batch_size"] == 32].all()
    assert not gains[both["batch_size"] == 8].all()
