"""Edge: a study's copy as it lies in Optuna's storage."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path

import optuna
from optuna.artifacts import FileSystemArtifactStore
from optuna.trial import FrozenTrial
from optuna_dashboard import save_note, save_plotly_graph_object
from plotly.graph_objects import Figure

from harness.dashboard.storage import close_storage, open_storage, shown
from harness.errors import InputError

MARK = "written_by"
"""The user attribute of a study that the harness may delete and write anew."""

METRIC_NAMES = "study:metric_names"
"""What `Study.set_metric_names` sets; that call warns that it is experimental."""

ARTIFACTS = "artifacts"
"""The folder of the files that hang on a study, beside its results."""


class Stored:
    """A study in Optuna's storage, opened; use it on one thread, and close it."""

    def __init__(self, name: str, url: str) -> None:
        """Open a study, or make it.

        Args:
            name: of the study.
            url: of the storage.

        Raises:
            InputError: the study there was not written by the harness.
            Exception: whatever the database says.
        """
        self._name = name
        self._storage = open_storage(url)
        try:
            self._make()
            if self._study.user_attrs.get(MARK) is None:
                raise InputError(
                    f"{shown(url)} has a study {name!r} that the harness did not write",
                    rule="the mirror may be deleted and written anew; so what others wrote is left alone",
                    remedy="give another database with --storage, or another name to the study",
                )
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let the connections go."""
        close_storage(self._storage)

    def trials(self) -> list[FrozenTrial]:
        """All trials, oldest first."""
        return self._study.get_trials(deepcopy=False)

    def add(self, trial: FrozenTrial) -> None:
        """Add a trial, whole or not at all."""
        self._study.add_trial(trial)

    def delete(self) -> None:
        """Begin anew, without a trial."""
        optuna.delete_study(study_name=self._name, storage=self._storage)
        self._make()

    def show(self, note: str, figures: Mapping[str, Figure]) -> None:
        """Set the note and the figures, by id, in place of earlier ones."""
        for name, figure in figures.items():
            save_plotly_graph_object(self._study, figure, graph_object_id=name)
        save_note(self._study, note)

    def attach(self, report: Path, folder: Path) -> None:
        """Hang a report on the study, in place of an earlier one.

        `upload_artifact` would give every report an id of its own, and they would pile up.

        Args:
            report: the file.
            folder: `results/<study>`.
        """
        store = FileSystemArtifactStore(folder / ARTIFACTS)
        (folder / ARTIFACTS).mkdir(parents=True, exist_ok=True)
        with report.open("rb") as file:
            store.write(self._report_id, file)
        facts = {
            "artifact_id": self._report_id,
            "filename": report.name,
            "mimetype": "text/html",
            "encoding": None,
        }
        self._storage.set_study_system_attr(self.number, self._report_key, json.dumps(facts))

    @property
    def number(self) -> int:
        """The study's number in the storage, as the dashboard's addresses have it."""
        return self._storage.get_study_id_from_name(self._name)

    @property
    def report(self) -> str | None:
        """The address of the report below the dashboard's, where one hangs on the study."""
        facts = self._storage.get_study_system_attrs(self.number).get(self._report_key, "null")
        return f"/artifacts/{self.number}/{self._report_id}" if json.loads(facts) else None

    @property
    def _report_id(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"report of {self._name}"))

    @property
    def _report_key(self) -> str:
        return f"artifacts:{self._report_id}"

    def _make(self) -> None:
        """Take the study in the storage, or make it and mark it."""
        self._study = optuna.create_study(
            storage=self._storage, study_name=self._name, direction="maximize", load_if_exists=True
        )
        if not self._study.user_attrs and not self.trials():
            self._storage.set_study_system_attr(self.number, METRIC_NAMES, ["test accuracy"])
            self._study.set_user_attr(MARK, "ablation-harness")
