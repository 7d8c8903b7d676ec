"""What a header states for programs beside its numbers: class names, and how the training images were."""

import re

from nas.datasets.framing import Framing

SIZES = ("CHANNELS", "HEIGHT", "WIDTH", "CLASSES")
PLAIN = set(range(0x20, 0x7F)) - set(b'"\\?')  # bytes that a C string can hold as they are; ?? begins a trigraph


def stated(name: str, classes: tuple[str, ...], mean: tuple[float, ...], framing: Framing | None = None) -> str:
    """Macros, which cost nothing unless they are used."""
    names = ", ".join(f'"{_escaped(each)}"' for each in classes)
    lightness = ", ".join(map(repr, mean))
    text = f"#define {name.upper()}_CLASS_NAMES {{ {names} }}\n#define {name.upper()}_MEAN {{ {lightness} }}\n"
    if framing is None:
        return text
    return f"{text}#define {name.upper()}_FRAMING {{ {', '.join(map(repr, framing))} }} /* {framing.words} */\n"


def sizes_in(text: str, name: str) -> tuple[int, int, int, int] | None:
    """Channels, height and width of its images, and its classes, as a header has them; None for another file."""
    of = (re.search(rf"^#define {re.escape(name.upper())}_{each} (\d+)$", text, re.MULTILINE) for each in SIZES)
    channels, height, width, n_classes = (None if match is None else int(match[1]) for match in of)
    if channels is None or height is None or width is None or n_classes is None:
        return None
    return channels, height, width, n_classes


def names_in(text: str, name: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """What `stated` states in the text of a header; nothing for one of an earlier version."""
    names = re.search(rf"^#define {re.escape(name.upper())}_CLASS_NAMES {{ (.*) }}$", text, re.MULTILINE)
    mean = re.search(rf"^#define {re.escape(name.upper())}_MEAN {{ (.*) }}$", text, re.MULTILINE)
    classes = tuple(map(_unescaped, re.findall(r'"([^"]*)"', names[1]))) if names is not None else ()
    return classes, tuple(float(each) for each in mean[1].split(", ")) if mean is not None else ()


def framing_in(text: str, name: str) -> Framing | None:
    """The framing that `stated` states in the text of a header, if it does."""
    match = re.search(rf"^#define {re.escape(name.upper())}_FRAMING {{ (\d+), (\S+), (\S+) }}", text, re.MULTILINE)
    return None if match is None else Framing(int(match[1]), float(match[2]), float(match[3]))


def _escaped(text: str) -> str:
    return "".join(chr(byte) if byte in PLAIN else f"\\{byte:03o}" for byte in text.encode(errors="surrogatepass"))


def _unescaped(text: str) -> str:
    content = re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), text.encode())
    return content.decode(errors="surrogatepass")
