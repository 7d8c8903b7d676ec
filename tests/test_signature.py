"""What `help()` and editors see of the functions that people call."""

import inspect
import pydoc
from dataclasses import fields
from typing import get_type_hints

import pytest

import nas
from nas.errors import InputError
from nas.searching.options import SearchOptions, Settings


def test_a_search_takes_its_options_by_name_with_types_and_defaults() -> None:
    assert get_type_hints(Settings) == get_type_hints(SearchOptions)
    shown = inspect.signature(nas.search).parameters
    defaults = SearchOptions()
    for each in fields(SearchOptions):
        assert shown[each.name].kind == inspect.Parameter.KEYWORD_ONLY
        if each.name != "budget":  # a number, until it is looked at
            assert shown[each.name].default == getattr(defaults, each.name)


def test_a_wrong_keyword_gets_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'target'"):
        nas.search(targt=0.9)  # type: ignore[call-arg]


@pytest.mark.parametrize("public", [name for name in nas.__all__ if callable(getattr(nas, name))])
def test_help_shows_no_function_without_a_name(public: str) -> None:
    assert "lambda" not in pydoc.render_doc(getattr(nas, public))
