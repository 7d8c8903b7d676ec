"""Signs that the output cannot encode, as on Windows where it is redirected: shown by plainer ones, never an error."""

import codecs
import io
import sys

PLAINER = {
    "×": "x", "−": "-", "–": "-", "…": "...", "±": "+-", "≤": "<=", "≥": ">=", "→": "->", "·": ".", "°": " deg",
    "’": "'", "•": "*", "━": "=", "─": "-", "é": "e", "µ": "u", "▎": "|", "▏": "|", **dict.fromkeys("█▉▊▋▌▍", "#"),
}  # fmt: skip
NAME = "nas.plainer"


def plainer(error: UnicodeError) -> tuple[str, int]:
    """As an error handler of `codecs`: the nearest plain signs, and `?` for what has none."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAINER.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


def write_what_can_be_written() -> None:
    """Has both outputs write everything, whatever their encoding."""
    codecs.register_error(NAME, plainer)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # whose own ways for errors show escapes, or fail
            stream.reconfigure(errors=NAME)
