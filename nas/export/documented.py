"""From a documented iteration to the definition of its network, which comes without weights."""

from pathlib import Path

from nas.export.frozen import Definition
from nas.export.words import documented_docstring
from nas.export.writing import write_definition
from nas.network.cost import cost_of
from nas.space.documented import Iteration


def export_iteration(iteration: Iteration, out: Path, *, name: str | None = None, force: bool = False) -> Path:
    """Writes NAME.py, checked in a process without nas; returns its path."""
    architecture = iteration.candidate.architecture
    classes = tuple(map(str, range(architecture.n_classes)))
    definition = Definition(architecture, iteration.candidate.recipe, iteration.mean, iteration.std, classes)
    name = name or f"mnist_{cost_of(architecture).params}_{iteration.name.lower()}"
    return write_definition(definition, documented_docstring(iteration, definition, name), name, out, force=force)
