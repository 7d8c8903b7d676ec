"""How many instructions the exported C takes, as callgrind counts them: no clock is read."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from nas.network.architecture import Architecture
from nas.network.kinds import Activation, BatchNorm, Conv, DepthwiseConv, MaxPool, gap_head

ROOT = Path(__file__).resolve().parents[1]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not all(map(shutil.which, ("cc", "valgrind"))), reason="needs cc and valgrind"),
]
NORMED = (BatchNorm(), Activation())
NETWORKS = {
    "conv": (Conv(8, 3, padding=1), *NORMED, MaxPool(), Conv(12, 3), *NORMED, *gap_head(10)),
    "separable": (
        *(Conv(8, 3, 2), *NORMED, DepthwiseConv(3, padding=1), *NORMED, Conv(16, 1), *NORMED, MaxPool()),
        *gap_head(10),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("options", [["-O2"], ["-Os"]], ids=" ".join)
def test_kernels_take_fewer_instructions_than_a_plain_nest_of_loops(
    name: str, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mnist: Any
) -> None:
    """By half at least, with the same answers; docs/benchmarks.md has what it is for whole networks."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    from c_kernels import instructions_here
    from c_loop_nest import loop_nest
    from c_networks import measured

    from nas.export.c.compiled import run
    from nas.export.c.objects import DECLARED
    from nas.export.c.reference import scores_of
    from nas.export.c.source import source

    network = measured(name, Architecture((1, 28, 28), 10, NETWORKS[name]), mnist.images[:600])
    images, counts = network.images[:2], {}
    for kind, text in (("nas", source(network.program, "m")), ("loop nest", loop_nest(network.program, "m"))):
        folder = tmp_path / kind
        folder.mkdir()
        (folder / "m.h").write_text(DECLARED.format(name="m"))
        (folder / "m.c").write_text(text)
        scores, _ = run(["cc"], "m", folder, images, 10)
        assert scores.equal(scores_of(network.program, images)), kind
        counts[kind] = instructions_here(folder, images, options)
    assert 0 < counts["nas"] < counts["loop nest"] / 2, counts
