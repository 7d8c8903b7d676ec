"""optuna-dashboard on the studies of nas: with notes, plots and models, and rejected trials marked as infeasible.

What it adds is in what is served, not in the database: optuna does not let a finished trial be changed, a search of
another process is not to be disturbed, and what a sampler reads must stay as the search wrote it.
"""
