"""What a small real search leaves behind."""

from dataclasses import dataclass
from pathlib import Path

import optuna

from nas.study.opening import find_study
from nas.study.storage import checkpoint_folder, open_storage


@dataclass(frozen=True)
class SmallStudy:
    """The folder of a search's only study."""

    folder: Path

    @property
    def storage(self) -> str:
        return str(self.folder / "nas.db")

    @property
    def study(self) -> optuna.Study:
        return find_study(open_storage(self.storage))

    @property
    def checkpoints(self) -> Path:
        return checkpoint_folder(open_storage(self.storage), self.study.study_name)
