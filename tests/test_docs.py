"""docs/reference: made from docstrings and comments, complete, and up to date."""

import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import nas
from nas.network.kinds import KINDS, LayerSpec

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
import generate

# What is no part of a search space: made by commands, or told in the README.
ELSEWHERE = {"BaseTrial", "Confirmed", "Cost", "NasError", "Network", "Objective", "SearchOptions", "SearchResult"}
ELSEWHERE |= {"LayerSpec", "Prediction", "Shape", "confirm", "predict", "search"}


def test_the_files_are_what_would_be_written() -> None:
    assert not list(generate.differing()), "run make docs"


def test_every_name_for_an_author_of_spaces_has_a_heading() -> None:
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
