"""Commands as one types them here: in a POSIX shell, or at a prompt of Windows."""

import os
import shlex
import subprocess
from collections.abc import Sequence

WINDOWS = os.name == "nt"


def command_line(words: Sequence[str]) -> str:
    """These words as a command."""
    return subprocess.list2cmdline(words) if WINDOWS else shlex.join(words)


def quoted(word: str) -> str:
    """As one word of a command."""
    return command_line([word])
