"""How many instructions an image takes in exported C, on this machine and on a Cortex-M4, and beside what.

    python benchmarks/c_kernels.py [--options "-O2"] [--images 20] [--before REVISION] [--tflite-micro PYTHON]

For each network: what nas exports, and with weights of 4 bits; what it exported at a revision of this repository, if
one is named; and the same arithmetic as a nest of loops as TensorFlow Lite Micro's reference kernels have them
(`benchmarks/c_loop_nest.py`). All must give the reference's answers, to the last bit. Where the package tflite-micro is
there, in the environment of PYTHON, its interpreter with the same weights, too (`benchmarks/c_tflite_micro.py`): its
reference kernels for this machine, since its package has no others. It rounds in another way, so it is told how many of
its classes are the same.

Instructions on this machine are counted by valgrind (callgrind), inside the model's function alone; those of a
Cortex-M4 by QEMU (`examples/microcontroller/under_qemu.py`). Flash and RAM are what `arm-none-eabi-size` says of the
object file with the same options: code, tables and descriptors; the buffer, without the stack. Counts need no quiet
machine and are the same every time.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from c_description import described
from c_loop_nest import loop_nest
from c_networks import Measured, all_measured

from nas import cost_of
from nas.export.c.compiled import DRIVER, version
from nas.export.c.header import Measured as Said
from nas.export.c.header import header
from nas.export.c.reference import scores_of
from nas.export.c.source import source
from nas.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples" / "microcontroller"))
import under_qemu

HERE = Path(__file__).resolve().parent

SOURCES = """
import json
from c_networks import all_measured
from nas.export.c.source import source
print(json.dumps({network.name: source(network.program, "m") for network in all_measured()}))
"""
COLUMNS = ("network", "C", "host", "a MAC", "Cortex-M4", "a MAC", "flash", "RAM")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--options", default="-O2", help="of both compilers, besides -std=c99; the default is -O2")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--before", metavar="REVISION", help="such as d18eb6c: whose export is a row, too")
    parser.add_argument("--tflite-micro", metavar="PYTHON", help="that of an environment with the package")
    arguments = parser.parse_args()
    rows = []
    networks = all_measured()
    before = sources_at(arguments.before) if arguments.before else {}
    for network in networks:
        four = network.in_four_bits()
        for kind, (of, text) in {
            "nas": (network, source(network.program, "m")),
            "nas, weights of 4 bits": (four, source(four.program, "m")),
            **({f"before ({arguments.before})": (network, before[network.name])} if before else {}),
            "loop nest": (network, loop_nest(network.program, "m")),
        }.items():
            rows.append(row(of, kind, text, arguments.options.split(), arguments.images))
            print(*rows[-1], sep="  ", file=sys.stderr)
        if arguments.tflite_micro:
            rows.append(of_tflite_micro(network, arguments.tflite_micro, arguments.images))
            print(*rows[-1], sep="  ", file=sys.stderr)
    compilers = f"{version(['cc'])}; {version([under_qemu.COMPILER])}; {arguments.options}"
    print(Table("Instructions an image", COLUMNS, tuple(rows), (compilers,)).markdown())


def sources_at(revision: str) -> dict[str, str]:
    """What the exporter of a revision makes of each network, by its name."""
    with TemporaryDirectory() as place:
        archive = subprocess.run(
            ["git", "archive", revision, "nas", "search_spaces"], cwd=HERE.parent, capture_output=True
        )
        if archive.returncode:
            sys.exit(f"there must be a revision {revision!r}, but git says: {archive.stderr.decode().strip()}")
        subprocess.run(["tar", "-x"], cwd=place, input=archive.stdout, check=True)
        environment = {**os.environ, "PYTHONPATH": place}
        done = subprocess.run(
            [sys.executable, "-c", SOURCES], cwd=HERE, env=environment, capture_output=True, text=True
        )
    if done.returncode:
        sys.exit(f"the exporter of {revision} cannot have these networks: {done.stderr.strip().splitlines()[-1]}")
    sources: dict[str, str] = json.loads(done.stdout)
    return sources


def row(network: Measured, kind: str, text: str, options: list[str], n: int) -> tuple[str, ...]:
    macs = cost_of(network.model.architecture).macs
    said = Said(n_correct=0, n_equal=0, n_validation=1, n_calibration=1, compiler=None)
    with TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "m.h").write_text(header(network.model, network.program, "m", said))
        (folder / "m.c").write_text(text)
        images = network.images[:n]
        on_host = instructions_here(folder, images, options)
        command = (under_qemu.COMPILER, "-std=c99", *options, f"-mcpu={under_qemu.CPU}", "-mthumb")
        answers, size = under_qemu.run(folder / "m.c", network.images, 10, command)
    wrong = (answers.scores != scores_of(network.program, network.images)).any(1).sum()
    if wrong:
        sys.exit(f"{network.name}, {kind}: {wrong} of {len(network.images)} answers are not the reference's")
    on_target = int(answers.instructions.median())
    shares = [f"{each:,}" for each in (on_host, on_target)], [f"{each / macs:.2f}" for each in (on_host, on_target)]
    here, there = zip(*shares, strict=True)
    return title(network), kind, *here, *there, f"{size.flash:,}", f"{size.ram:,}"


def title(network: Measured) -> str:
    cost = cost_of(network.model.architecture)
    return f"{network.name}: {cost.params:,} parameters, {cost.macs:,} MACs"


def of_tflite_micro(network: Measured, python: str, n: int) -> tuple[str, ...]:
    expected = scores_of(network.program, network.images)
    with TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "network.json").write_text(json.dumps(described(network.program, expected)))
        (folder / "images").write_bytes(network.images[:n].numpy().tobytes())
        script = str(Path(__file__).with_name("c_tflite_micro.py"))
        command = [python, script, "network.json", "images"]
        done, count = counted(command, folder, "tflite::micro::MicroInterpreter::Invoke()")
    classes = torch.tensor(list(map(int, done.stdout.split())))
    n_equal = int((classes == expected[:n].argmax(1)).sum())
    macs = cost_of(network.model.architecture).macs
    kind = f"TensorFlow Lite Micro ({n_equal} of {n} classes equal)"
    return title(network), kind, f"{count // n:,}", f"{count / n / macs:.2f}", "–", "–", "–", "–"


def instructions_here(folder: Path, images: torch.Tensor, options: list[str]) -> int:
    """An image, inside the function, as callgrind counts."""
    (folder / "driver.c").write_text(DRIVER.format(name="m", n_bytes=images[0].numel(), n_classes=10))
    build = ["cc", "-std=c99", *options, "-g", "-o", "driver", "driver.c", "m.c"]
    subprocess.run(build, cwd=folder, check=True)
    return counted(["./driver"], folder, "m_predict", images.numpy().tobytes())[1] // len(images)


def counted(
    command: list[str], folder: Path, function: str, stdin: bytes = b""
) -> tuple[subprocess.CompletedProcess[bytes], int]:
    """What a command answers, and the instructions inside a function of it."""
    count = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--toggle-collect={function}"]
    done = subprocess.run([*count, *command], cwd=folder, input=stdin, capture_output=True)
    match = re.search(r"Collected : (\d+)", done.stderr.decode())
    if done.returncode or match is None:
        sys.exit(done.stderr.decode())
    return done, int(match[1])


if __name__ == "__main__":
    main()
