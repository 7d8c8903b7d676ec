"""Completion in the shell: what the options that take names offer, and `nas completion`.

Every command loads this; so what is offered is looked up when it is asked for.
"""

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem, get_completion_class

from nas.execution.opening import EXECUTORS
from nas.study.folders import DEFAULT_STORAGE
from nas.study.names import study_names, trial_numbers

SHELLS = ("bash", "zsh", "fish")
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _one_of(names: Callable[[], Iterable[str]]) -> Complete:
    def complete(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in names() if name.startswith(begun)]

    return complete


def complete_space(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """The spaces that come with nas, else files."""
    from nas.space import finding as spaces

    return _one_of(spaces.names)(ctx, param, begun) or [CompletionItem(begun, type="file")]


def complete_study(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """The studies of the database that `--storage` names; quietly none where there is none."""
    try:
        names = study_names(ctx.params.get("storage") or DEFAULT_STORAGE)
        return [CompletionItem(name) for name in names if name.startswith(begun)]
    except Exception:  # whatever is wrong, a line that is being typed is not the place to say so
        return []


def complete_trial(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """The trials of the study that `--study` names, else of the one begun last."""
    try:
        trials = trial_numbers(ctx.params.get("storage") or DEFAULT_STORAGE, ctx.params.get("study_name"))
        return [CompletionItem(str(n), help=state.lower()) for n, state in trials if str(n).startswith(begun)]
    except Exception:  # as above
        return []


def _datasets() -> Iterable[str]:
    from nas.datasets.catalogue import names
    from nas.datasets.schemes import SCHEMES

    return *names(), *(f"{scheme}:" for scheme in SCHEMES)


def _samplers() -> Iterable[str]:
    from nas.study.samplers import SAMPLERS

    return SAMPLERS


def _pruners() -> Iterable[str]:
    from nas.study.pruners import PRUNERS

    return PRUNERS


def _costs() -> Iterable[str]:
    from nas.network.cost import COSTS

    return COSTS


def _axes() -> Iterable[str]:
    from nas.replication.variants import AXES

    return AXES


def _iterations() -> Iterable[str]:
    from nas.space import documented

    return documented.names()


complete_dataset = _one_of(_datasets)
complete_sampler = _one_of(_samplers)
complete_pruner = _one_of(_pruners)
complete_executor = _one_of(lambda: EXECUTORS)
complete_device = _one_of(lambda: ("auto", "cpu", "cuda"))
complete_precision = _one_of(lambda: ("auto", "float32", "bfloat16"))
complete_cost = _one_of(_costs)
complete_axis = _one_of(_axes)
complete_iteration = _one_of(_iterations)
complete_iterations = _one_of(lambda: (*_iterations(), "all"))


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that completes commands, options and their values in a SHELL.

    \b
    bash: put this line into ~/.bashrc
        eval "$(nas completion bash)"
    zsh: put this line into ~/.zshrc, below compinit
        eval "$(nas completion zsh)"
    fish: run this once
        nas completion fish > ~/.config/fish/completions/nas.fish

    Takes effect in the next shell.

    \b
    Example:
        nas completion bash
    """
    root = click.get_current_context().find_root()
    completer = get_completion_class(shell)
    assert completer is not None
    click.echo(completer(root.command, {}, "nas", "_NAS_COMPLETE").source())
