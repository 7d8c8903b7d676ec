"""Options that commands share, and types of their values."""

import re
import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from nas import datasets, shipped
from nas.cli.completion import complete_dataset, complete_device, complete_precision, complete_space, complete_study
from nas.datasets.schemes import FORMS_IN_WORDS
from nas.errors import nearest
from nas.network.cost import COSTS, Budget
from nas.searching.options import SearchOptions
from nas.space import finding as spaces
from nas.study.folders import DEFAULT_STORAGE

Command = Callable[..., Any]
FACTORS = {"": 1, "k": 1_000, "m": 1_000_000}
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


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
        values = tomllib.loads(path.read_text())
    except OSError as error:
        raise click.UsageError(f"a study file must be readable, but {path} is not: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"a study file must be TOML, but {path} is not: {error}") from error
    option_names = tuple(p.name for p in ctx.command.params if p.name not in (None, "config", "help"))
    for key in values:
        if key.replace("-", "_") not in option_names:
            raise click.UsageError(
                f"a study file may set the options of the command, but {path} sets {key!r}"
                f"{nearest(key.replace('-', '_'), tuple(map(str, option_names)))}"
            )
    ctx.default_map = {**(ctx.default_map or {}), **{key.replace("-", "_"): value for key, value in values.items()}}


def _study_file(name: str) -> Path:
    """A study file by its path, or one that comes with nas: `studies/mnist-20k.toml` is found from any folder."""
    if Path(name).is_file():
        return Path(name)
    comes_with_nas = {path.name: path for path in shipped.studies().glob("*.toml")}
    file = f"{Path(name).stem}.toml"
    if file not in comes_with_nas:
        hint = nearest(file, tuple(comes_with_nas)) or f": there are {', '.join(sorted(comes_with_nas))}"
        raise click.UsageError(f"a study file must exist, but there is no {name!r}{hint}")
    return comes_with_nas[file]


class SpaceOption(click.Option):
    """An option whose help names the spaces there are, looked up when it is shown, since that may fail."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """As click's, with the names in the place of `NAMES`."""
        text, self.help = self.help, (self.help or "").replace("NAMES", ", ".join(spaces.names()))
        try:
            return super().get_help_record(ctx)
        finally:
            self.help = text


def limit_options(command: Command) -> Command:
    """An option for a limit on every cost there is but parameters; `budget_of` puts them together with --budget."""
    for kind in reversed(COSTS.values()):
        if kind.name != "params":
            type_of_limit = click.FLOAT if kind.measured else Count()
            command = click.option(f"--{kind.option}", type=type_of_limit, help=kind.help)(command)
    return command


def budget_of(settings: dict[str, Any]) -> Budget:
    """The limits among a command's options, which are taken out of these; raises `InputError`."""
    return Budget(**{kind.name: settings.pop(kind.option.replace("-", "_")) for kind in COSTS.values()})


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
workers_option = click.option("--workers", type=Count(), help="Worker processes; as many as cores unless told.")
budget_option = click.option(
    f"--{COSTS['params'].option}",
    type=Count(),
    default=SearchOptions.budget,
    show_default=True,
    help=COSTS["params"].help,
)
space_option = click.option(
    "--space",
    cls=SpaceOption,
    shell_complete=complete_space,
    default=SearchOptions.space,
    show_default=True,
    metavar="NAME|FILE.py",
    help="Search space: NAMES, or a file of your own.",
)
dataset_option = click.option(
    "--dataset",
    shell_complete=complete_dataset,
    default=SearchOptions.dataset,
    show_default=True,
    metavar="NAME",
    help=f"Data set: {', '.join(datasets.names())}, {FORMS_IN_WORDS}.",
)
