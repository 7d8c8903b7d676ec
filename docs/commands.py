"""The page of the command line, from what `--help` says."""

import inspect
import re
from collections.abc import Iterator

import click

from nas.cli import GROUPS, cli


def commands_page() -> list[str]:
    """Its parts: all commands, by what one does with them."""
    parts = ["# Command line", text_of(cli), "All commands have `--help`; `nas --version` tells the version."]
    context = click.Context(cli, info_name="nas")
    for title, names in GROUPS.items():
        parts.append(f"## {title}")
        for name in names:
            parts += sections(name, cli.get_command(context, name), context, "###")
    return parts


def sections(name: str, command: click.Command | None, parent: click.Context, marks: str) -> Iterator[str]:
    """A command, and the commands that it has."""
    assert command is not None
    context = click.Context(command, info_name=name, parent=parent)
    yield f"{marks} {context.command_path}"
    yield f"```\n{command.get_usage(context).removeprefix('Usage: ')}\n```"
    yield text_of(command)
    if options := option_list(command, context):
        yield options
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            yield from sections(each, command.get_command(context, each), context, marks + "#")


def text_of(command: click.Command) -> str:
    """A command's help as Markdown. What click leaves unwrapped is code where it is indented."""
    text = inspect.cleandoc(command.help or "")
    text = re.sub(r"^\x08\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^(\S.*)\n(?=    )", r"\1\n\n", text, flags=re.MULTILINE)


def option_list(command: click.Command, context: click.Context) -> str:
    records = [each.get_help_record(context) for each in command.get_params(context) if isinstance(each, click.Option)]
    return "\n".join(f"- `{name}`: {words(text)}" for name, text in filter(None, records) if "--help" not in name)


def words(text: str) -> str:
    return re.sub(r" +\[(.*)\]$", r" *\1*", text)
