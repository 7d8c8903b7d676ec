"""Formats that were asked for before anything is trained: what they cannot have is refused."""

from collections.abc import Sequence
from itertools import islice

from nas.errors import SpaceError
from nas.export.formats import refused_by
from nas.network.cost import cost_of
from nas.space.candidate import Task
from nas.space.finding import Space
from nas.space.probing import random_candidates

N_RANDOM = 200


def check_space(space: Space, task: Task, formats: Sequence[str], seed: int = 0) -> None:
    """Raises `SpaceError` if the formats can have none of some random candidates: the search would not end.

    Looked at are those that meet the budget, where there are any.
    """
    if not formats:
        return
    drawn = [candidate.architecture for candidate, _ in islice(random_candidates(space, task, seed), N_RANDOM)]
    within = [architecture for architecture in drawn if task.budget.admits(cost_of(architecture))] or drawn
    reasons = [refused_by(architecture, formats) for architecture in within]
    if all(reasons):
        raise SpaceError(
            f"what is searched must be what can be written as {' and '.join(formats)}, but of {len(reasons)} random "
            f"candidates of space {space.name!r} none can; the first: {reasons[0]}"
        )
