"""docs/reference: made from docstrings, comments and the help of commands, complete, and up to date.

What README and docs show exists: commands with their options, and what links lead to.
"""

import re
import shlex
import sys
from dataclasses import fields
from pathlib import Path

import click
import pytest

import nas
from nas.cli import COMMANDS, cli
from nas.network.kinds import KINDS, LayerSpec

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
import generate

CHECKOUT = Path(__file__).resolve().parents[1]
TEXTS = [CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
ELSEWHERE = {"BaseTrial", "Shape"}  # Optuna's, and an alias


def test_the_files_are_what_would_be_written() -> None:
    assert not list(generate.differing()), "run make docs"


def test_every_public_name_has_a_heading() -> None:
    text = "".join(generate.pages().values())
    headings = set(re.findall(r"^##? (\w+)$", text, re.MULTILINE))
    assert headings >= set(nas.__all__) - ELSEWHERE
    assert headings >= {kind.__name__ for kind in KINDS.values()}


@pytest.mark.parametrize("of", [*KINDS.values(), nas.Recipe, nas.Augmentation, nas.Task, nas.Candidate])
def test_every_field_is_there_with_words(of: type) -> None:
    rows = generate.field_table(of)
    for each in fields(of):  # type: ignore[arg-type]
        assert re.search(rf"^\| `{each.name}` \| `.+` \| .+ \| .+ \|$", rows[0], re.MULTILINE)


def test_a_field_or_a_class_without_words_is_an_error() -> None:
    class Mute:
        pass

    assert generate._comment(["    said: int = 0  # something"], "said") == "something"
    text = "Words.\n\nAttributes:\n    one: First,\n        and on.\n    two: Second."
    assert [generate._entry(text, name) for name in ("one", "two", "three")] == ["First, and on.", "Second.", ""]
    assert generate._comment(["    said: int", "    unsaid: int"], "unsaid") == ""
    with pytest.raises(ValueError, match="Mute has no docstring"):
        generate.text_of(Mute)


def test_the_example_of_each_kind_is_of_that_kind() -> None:
    assert set(generate.EXAMPLES) == set(KINDS.values())
    for kind, spec in generate.EXAMPLES.items():
        assert isinstance(spec, LayerSpec)
        network, position = generate.example_network(spec)
        assert type(network.layers[position]) is kind


def test_it_is_told_which_kinds_can_be_exported_as_c() -> None:
    assert generate.example(nas.Conv).endswith("| yes |")
    assert generate.example(nas.GemPool).endswith("| no |")


def test_every_command_has_a_heading_and_every_option_its_words() -> None:
    text = generate.pages()["command-line.md"]
    for path, command in commands(cli, "nas"):
        assert re.search(rf"^####? {path}$", text, re.MULTILINE), path
        section = re.split(rf"^####? {path}$", text, flags=re.MULTILINE)[1].split("\n#")[0]
        options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
        for option in options:
            assert re.search(rf"^- `[^`]*{max(option.opts, key=len)}\b[^`]*`: \w", section, re.MULTILINE), option.opts


def commands(group: click.Group, path: str) -> list[tuple[str, click.Command]]:
    """All commands with the words that call them, those that have others included."""
    context = click.Context(group)
    have: list[tuple[str, click.Command]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        have.append((f"{path} {name}", command))
        if isinstance(command, click.Group):
            have += commands(command, f"{path} {name}")
    return have


def shown_commands() -> list[tuple[str, str]]:
    """The calls of nas in blocks of code, without comments, each with the name of its page."""
    shown = []
    for text in TEXTS:
        name = text.relative_to(CHECKOUT).as_posix()
        if not name.startswith("docs/reference/c"):
            lines = re.sub(r"\\\n *", "", text.read_text("utf-8")).splitlines()
            calls = [re.search(r"^(?: {4,}|\$ )(?:\w+=\S+ )*(nas [a-z].*)", line) for line in lines]
            shown += [(name, call[1].split("  ")[0].split(" #")[0]) for call in calls if call]
    return shown


@pytest.mark.parametrize(("page", "line"), shown_commands())
def test_a_command_that_is_shown_can_be_given(page: str, line: str) -> None:
    command: click.Command | None = cli
    words = shlex.split(line)[1:]
    while isinstance(command, click.Group) and words:
        command = command.get_command(click.Context(command), words.pop(0))
        assert command is not None, f"{page}: {line}"
    assert command is not None
    context = click.Context(command)
    command.make_parser(context).parse_args([word for word in words if word not in ("...", "…")])


def test_commands_are_looked_for_where_they_stand() -> None:
    shown = shown_commands()
    assert {line.split()[1] for _, line in shown} >= set(COMMANDS) - {"completion"}
    assert ("README.md", "nas search --budget 20000 --target 0.994 --epochs 20") in shown


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.name)
def test_links_lead_to_files(text: Path) -> None:
    links = re.findall(r"\]\((?!\w+:|#)([^)\s#]+)", text.read_text("utf-8"))
    assert [link for link in links if not (text.parent / link).exists()] == []


def test_every_page_is_in_the_menu() -> None:
    menu = (CHECKOUT / "mkdocs.yml").read_text("utf-8")
    pages = {page.relative_to(CHECKOUT / "docs").as_posix() for page in TEXTS[2:]}
    assert {page for page in pages if f": {page}\n" not in menu} == set()


def test_the_readme_is_short() -> None:
    assert len((CHECKOUT / "README.md").read_text("utf-8").splitlines()) <= 120
