"""Where a training runs: in this process, or in worker processes."""
