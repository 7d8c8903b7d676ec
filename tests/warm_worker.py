"""Imported by the server that workers are forked from: what a training loads when it begins, loaded once for all.

torch imports its compiler with the first optimiser, and numba its own with the first kernel: two seconds together.
Nothing here starts a thread, which a forked process would lack.
"""

import torch
import torch._dynamo

from nas.execution import processes  # noqa: F401 - what a worker runs
from nas.network.fused import norm_relu

torch.set_num_threads(1)
with torch.no_grad():
    for dtype in (torch.float32, torch.bfloat16):
        for pooled in (False, True):
            norm_relu(torch.ones(1, 1, 2, 2, dtype=dtype), torch.nn.BatchNorm2d(1), pooled=pooled)
