"""`nas.search` and `nas.confirm` as people call them: in a notebook they show their progress."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Unpack

import optuna

from nas.replication.confirming import confirm as quiet_confirm
from nas.searching.events import Event
from nas.searching.options import SearchOptions, Settings, options_of
from nas.searching.search import Prepared, SearchResult
from nas.searching.search import search as quiet_search
from nas.study.confirmation import Confirmed
from nas.terminal.console import console
from nas.terminal.search_display import SearchDisplay
from nas.terminal.trainings_display import Stages

WIDTH = 115  # characters of a cell's output


@wraps(quiet_search)
def search(
    options: SearchOptions | None = None,
    *,
    on_ready: Callable[[Prepared], None] | None = None,
    on_event: Callable[[Event], None] | None = None,
    **settings: Unpack[Settings],
) -> SearchResult:
    if not in_notebook() or on_ready is not None or on_event is not None:
        return quiet_search(options, on_ready=on_ready, on_event=on_event, **settings)
    options = options_of(options, settings)
    with SearchDisplay(console(width=WIDTH), options) as display, quiet_optuna():
        return quiet_search(options, on_ready=display.ready, on_event=display.event)


@wraps(quiet_confirm)
def confirm(search: SearchResult | str | None = None, **settings: Any) -> Confirmed:
    if not in_notebook() or settings.keys() & {"on_stage", "on_epoch"}:
        return quiet_confirm(search, **settings)
    with Stages(console(width=WIDTH)) as stages:
        return quiet_confirm(search, on_stage=stages.stage, on_epoch=stages.epoch, **settings)


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Inside, Optuna does not log every trial as well."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def in_notebook() -> bool:
    """Whether this process is the kernel of one."""
    return "ipykernel" in sys.modules
