"""Times an exported network here: `python -m nas.deployment.rounds onnx|torch FILE SHAPE` prints milliseconds an image.

A process of its own with one thread; what it counts is the time of the processor that this process had.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from nas.deployment.timing import MILLISECONDS, ROUNDS, STRETCHES


def main() -> None:
    """Prints one number a round."""
    on, file, shape = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    call = {"onnx": _onnx, "torch": _torch}[on](file, shape)
    n = 1
    while _milliseconds(call, n) < MILLISECONDS:
        n *= 2
    for _ in range(ROUNDS):
        print(min(_milliseconds(call, n) for _ in range(STRETCHES)) / n)


def _milliseconds(call: Callable[[], Any], n: int) -> float:
    begun = time.process_time()
    for _ in range(n):
        call()
    return 1000 * (time.process_time() - begun)


def _onnx(file: str, shape: list[int]) -> Callable[[], Any]:
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    image = np.zeros(shape, np.uint8)
    return lambda: session.run(["scores"], {"images": image})


def _torch(file: str, shape: list[int]) -> Callable[[], Any]:
    import torch

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    network = torch.export.load(file).module()
    image = torch.zeros(shape, dtype=torch.uint8)
    return lambda: network(image)


if __name__ == "__main__":
    main()
