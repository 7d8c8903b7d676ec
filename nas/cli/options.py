"""Options that commands share, and types of their values."""

import re
import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from nas import shipped
from nas.cli.completion import complete_device, complete_executor, complete_precision, complete_study
from nas.errors import nearest
from nas.execution.opening import EXECUTORS, check_executor
from nas.execution.placement import Placement
from nas.study.folders import DEFAULT_STORAGE

FACTORS = {"": 1, "k": 1_000, "m": 1_000_000}
BYTES = {"": 1, "k": 1_000, "m": 1_000_000, "ki": 1024, "mi": 1024**2}
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
MILLISECONDS = {"": 1.0, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3}


class Count(click.ParamType[int]):
    """A whole number that may be written 20000, 20_000, 20,000 or 20k."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(-?[\d_,]*\.?\d+)([km]?)", str(value).strip().lower())
        number = Decimal(re.sub("[_,]", "", match[1])) * FACTORS[match[2]] if match else Decimal("0.5")
        if number != number.to_integral_value():
            self.fail(f"a count must be a whole number such as 20000 or 20k, but got {value!r}", param, ctx)
        return int(number)


class Bytes(click.ParamType[int]):
    """A whole number of bytes that may be written 32000, 32k, 32kB, 32Ki or 32KiB; k is 1000, Ki 1024."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(-?[\d_,]*\.?\d+)\s*([km]i?)?b?", str(value).strip().lower())
        number = Decimal(re.sub("[_,]", "", match[1])) * BYTES[match[2] or ""] if match else Decimal("0.5")
        if number != number.to_integral_value():
            self.fail(f"a size must be bytes or such as 32k (32000) or 32Ki (32768), but got {value!r}", param, ctx)
        return int(number)


class Milliseconds(click.ParamType[float]):
    """Milliseconds, or a number with us, ms or s behind it."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"(-?\d*\.?\d+)\s*(us|µs|ms|s)?", str(value).strip().lower())
        if match is None:
            self.fail(f"a latency must be milliseconds or such as 5ms, 800us or 0.5s, but got {value!r}", param, ctx)
        return float(match[1]) * MILLISECONDS[match[2] or ""]


class Duration(click.ParamType[float]):
    """Seconds, or a number with s, m or h behind it."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"(-?\d*\.?\d+)([smh]?)", str(value).strip().lower())
        if match is None:
            self.fail(f"a time must be seconds or such as 45m or 2h, but got {value!r}", param, ctx)
        return float(match[1]) * SECONDS[match[2]]


def read_config(ctx: click.Context, param: click.Parameter, name: str | None) -> None:
    """Makes the values of a study file the command's defaults; options on the command line win."""
    if name is None:
        return
    path = _study_file(name)
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise click.UsageError(f"a study file must be readable, but {path} is not: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"a study file must be TOML, but {path} is not: {error}") from error
    names = {
        option_name(param): str(param.name) for param in ctx.command.params if param.name not in ("config", "help")
    }
    told = {key.replace("_", "-"): value for key, value in values.items()}
    for key in told:
        if key not in names:
            raise click.UsageError(
                f"a study file may set the options of the command, but {path} sets {key!r}{nearest(key, names)}"
            )
    ctx.default_map = {**(ctx.default_map or {}), **{names[key]: value for key, value in told.items()}}


def option_name(param: click.Parameter) -> str:
    """As it is given on the command line, without its dashes."""
    return max(param.opts, key=len).lstrip("-")


def _study_file(name: str) -> Path:
    """A study file by its path, which may be a pipe, or one that comes with nas: `studies/mnist-20k.toml` is found
    from any folder.
    """
    if Path(name).exists() and not Path(name).is_dir():
        return Path(name)
    comes_with_nas = {path.name: path for path in shipped.studies().glob("*.toml")}
    file = f"{Path(name).stem}.toml"
    if file not in comes_with_nas:
        hint = nearest(file, tuple(comes_with_nas)) or f": there are {', '.join(sorted(comes_with_nas))}"
        raise click.UsageError(f"a study file must exist, but there is no {name!r}{hint}")
    return comes_with_nas[file]


# Options that several commands have, as decorators.
data_dir_option = click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Where data sets lie; else NAS_DATA_DIR, else the cache."
)
storage_option = click.option(
    "--storage", default=DEFAULT_STORAGE, show_default=True, metavar="URL", help="Database of the study."
)
study_option = click.option(
    "--study", "study_name", shell_complete=complete_study, help="Name of the study; the one begun last unless told."
)
teacher_file_option = click.option(
    "--teacher",
    type=click.Path(path_type=Path),
    metavar="FILE.py",
    help="Where the study's teacher lies, if not where it was.",
)
device_option = click.option(
    "--device", shell_complete=complete_device, default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."
)
precision_option = click.option(
    "--precision",
    shell_complete=complete_precision,
    default="auto",
    show_default=True,
    help="auto, float32 or bfloat16.",
)
workers_option = click.option(
    "--workers", type=Count(), help="Trainings at a time; as many as there are cores, or places in a cluster."
)
threads_option = click.option(
    "--threads", type=Count(), help="Threads of each worker; the cores are shared out unless told. With ray: 1."
)


def executor_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where trainings run; `placement_of` puts them together."""
    for option in (
        click.option(
            "--gpus-per-candidate",
            type=float,
            default=Placement.gpus_per_candidate,
            help="With ray: the share of a GPU that each training gets, such as 0.1.",
        ),
        click.option(
            "--ray-address",
            metavar="auto|HOST:PORT",
            help="With ray: the cluster, auto for the one that runs here; one is started unless told.",
        ),
        click.option(
            "--executor",
            shell_complete=complete_executor,
            default=Placement.executor,
            show_default=True,
            metavar="|".join(EXECUTORS),
            help="Who trains: processes of this machine, this process itself, or a Ray cluster.",
        ),
    ):
        command = option(command)
    return command


def placement_of(settings: dict[str, Any]) -> Placement:
    """The options of `executor_options` among a command's, which are taken out of these; raises `InputError`."""
    placement = Placement(**{name: settings.pop(name) for name in ("executor", "ray_address", "gpus_per_candidate")})
    check_executor(placement.executor)
    return placement
