"""An architecture as stages in the order in which C computes them: blocks taken apart, layers joined.

The order is that of the cost model (`LayerSpec.n_live`): the body before the shortcut, one branch after the other,
added at once. So what must be in memory at once is what was counted.
"""

from collections.abc import Iterable

from nas.errors import ExportError
from nas.export.c.program import IMAGE
from nas.export.c.stage import Located, Stage
from nas.export.c.stages import Added, Concatenated, Dropped, stage_of
from nas.network.architecture import Architecture, Layer
from nas.network.blocks import Parallel, Repeat, Residual


def stages_of(architecture: Architecture, *, training: bool = False) -> tuple[Stage, ...]:
    """All stages; raises `ExportError`, naming the layer, where C has none for a layer.

    In `training` there are more, for what is idle in use; behind what C would join to the layer before it, which for a
    dropout before a ReLU is the same.
    """
    graph = _Graph(training)
    graph.chain(architecture.walk, "", IMAGE)
    return tuple(graph.stages)


def refuses(architecture: Architecture) -> str | None:
    """Why C cannot have a network, in one line; None if it can. Nothing is built or trained."""
    try:
        stages_of(architecture)
    except ExportError as error:
        return str(error)
    return None


class _Graph:
    """Stages so far; a result is the number of the stage that makes it."""

    def __init__(self, training: bool) -> None:
        self.training = training
        self.stages: list[Stage] = []
        self.turn: tuple[int, ...] = ()  # at which time each repeat around the next one is

    def chain(self, layers: Iterable[Layer], within: str, result: int) -> int:
        """The layers one after the other; one that can be joined to the one before it is."""
        joinable: int | None = None
        for layer in layers:
            located = Located(within + layer.name, layer)
            if layer.spec.idle_in_use:
                if self.training and layer.spec.drops:
                    result = self._append(Dropped, located, result)
                continue
            if joinable is not None and self.stages[joinable].joins(layer):
                self.stages[joinable] = self.stages[joinable].with_layer(located)
                continue
            result = self._layer(located, result)
            # What several uses share must stay the same in each of them.
            joinable = None if isinstance(layer.spec, Repeat) else len(self.stages) - 1
        return result

    def _layer(self, located: Located, result: int) -> int:
        match located.layer.spec:
            case Residual():
                return self._residual(located, result)
            case Parallel(join=join):
                return self._parallel(located, result, add=join == "add")
            case Repeat(times=times):
                return self._repeat(located, result, times)
        stage = stage_of(located.layer.spec)
        if stage is None:
            spec = located.layer.spec
            raise ExportError(
                f"C has no operation for a layer of the kind {spec.kind!r} ({located.path}, {spec.describe()}): "
                "choose other formats, or a network without it"
            )
        return self._append(stage, located, result)

    def _residual(self, located: Located, result: int) -> int:
        body = self._part(located, "body", result)
        other = self._part(located, "shortcut", result) if "shortcut" in located.layer.parts else result
        return self._append(Added, located, body, other)

    def _parallel(self, located: Located, result: int, *, add: bool) -> int:
        parts = list(located.layer.parts)
        results: list[int] = []
        for part in parts:
            results.append(self._part(located, part, result))
            if add and len(results) > 1:
                path = located.path if part == parts[-1] else f"{located.path}.{part}"
                results = [self._append(Added, Located(path, located.layer), *results)]
        return results[0] if add else self._append(Concatenated, located, *results)

    def _repeat(self, located: Located, result: int, times: int) -> int:
        before = self.turn
        for time in range(times):
            self.turn = (*before, time) if times > 1 else before
            result = self._part(located, "body", result)
        self.turn = before
        return result

    def _part(self, located: Located, part: str, result: int) -> int:
        return self.chain(located.layer.parts[part], f"{located.path}.{part}.", result)

    def _append(self, stage: type[Stage], located: Located, *sources: int) -> int:
        self.stages.append(stage((located,), sources, self.turn))
        return len(self.stages) - 1
