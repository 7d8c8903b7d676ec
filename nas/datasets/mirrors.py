"""Downloads from torchvision's mirrors, as a process of its own: `python -m nas.datasets.mirrors NAME FOLDER`.

torchvision waits for a silent server without end. In a process of its own it can be given a time limit, and be stopped.
It verifies what it downloads by the checksums that it knows. The last line on standard error says what went wrong.
"""

import os
import socket
import sys
import threading
import time

from nas.datasets.torchvision_compat import torchvision_datasets

SECONDS_OF_SILENCE = 10.0


def download(name: str, folder: str) -> None:
    """Download and unpack all parts of a built-in data set into torchvision's layout below `folder`."""
    datasets = torchvision_datasets()
    downloads = {
        "mnist": (datasets.MNIST, {}),
        "fashion-mnist": (datasets.FashionMNIST, {}),
        "kmnist": (datasets.KMNIST, {}),
        "emnist-digits": (datasets.EMNIST, {"split": "digits"}),
        "emnist-balanced": (datasets.EMNIST, {"split": "balanced"}),
        "cifar10": (datasets.CIFAR10, {}),
    }
    kind, options = downloads[name]
    kind(folder, download=True, **options)


def _end_with(parent: int) -> None:
    """A parent that is killed cannot stop this process: it must not go on downloading for nobody."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def main() -> None:
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    socket.setdefaulttimeout(SECONDS_OF_SILENCE)
    try:
        download(sys.argv[1], sys.argv[2])
    except Exception as error:  # whatever it is, the parent process makes one line of it
        lines = str(error).split("\n")
        sys.exit(next((line for line in reversed(lines) if line.strip()), type(error).__name__))


if __name__ == "__main__":
    main()
