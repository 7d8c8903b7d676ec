"""Finds the best small image classifier under a hard parameter budget.

result = nas.search(budget=20_000, target=0.994, epochs=20)
confirmed = nas.confirm(result)
study.optimize(nas.Objective("documented", "mnist", 20_000, epochs=5), n_trials=50)
"""

__version__ = "0.1.0"  # first, since modules below read it

from nas.architecture import Architecture
from nas.confirmed import Confirmed
from nas.cost import Budget, Cost, cost_of
from nas.errors import NasError
from nas.module import Network
from nas.notebook import confirm, search
from nas.objective import Objective
from nas.recipe import Augmentation, Recipe
from nas.search import SearchOptions, SearchResult
from nas.space import Candidate, Task

__all__ = [
    "Architecture",
    "Augmentation",
    "Budget",
    "Candidate",
    "Confirmed",
    "Cost",
    "NasError",
    "Network",
    "Objective",
    "Recipe",
    "SearchOptions",
    "SearchResult",
    "Task",
    "confirm",
    "cost_of",
    "search",
]
