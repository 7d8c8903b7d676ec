"""Where a training runs: in this process, or in worker processes."""

from nas.execution.inline import InlineExecutor
from nas.execution.job import Cancelled, Executor, Job
from nas.execution.processes import ProcessExecutor, n_cores

__all__ = ["Cancelled", "Executor", "InlineExecutor", "Job", "ProcessExecutor", "n_cores"]
