"""Draws docs/assets/search.svg from what a terminal shows, colours included.

The picture there is was made in a terminal of tmux of 108 columns, and from beside it a minute later:

    nas search --budget 5k --target 0.99 --epochs 10 --workers 4
    tmux capture-pane -e -p -t PANE | python docs/picture.py "nas search --budget 5k ..."
"""

import io
import re
import sys
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

FILE = Path(__file__).parent / "assets" / "search.svg"
# Rich would have the fonts fetched; the ones of the reader's system do.
FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def main() -> None:
    _, title = sys.argv
    lines = sys.stdin.read().rstrip().splitlines()
    screen = Console(record=True, width=108, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in lines:
        screen.print(Text.from_ansi(line), soft_wrap=True)
    svg = screen.export_svg(title=title, code_format=FORMAT, unique_id="search")
    FILE.write_text(re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE), "utf-8", newline="\n")


if __name__ == "__main__":
    main()
