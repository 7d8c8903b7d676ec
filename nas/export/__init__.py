"""Handing a trained network over as files that do not need nas."""

from nas.export.frozen import FrozenModel, Provenance
from nas.export.python import source
from nas.export.writing import Written, write

__all__ = ["FrozenModel", "Provenance", "Written", "source", "write"]
