"""Lets the pages be read as a site and in a checkout alike: what they link to outside docs/ becomes part of the site.

README.md is the first page. Any other file of the checkout that a page links to is put into the site under `checkout/`;
a Markdown file as a page, everything else as it is. `mkdocs build` calls the functions that begin with `on_`.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

CHECKOUT = Path(__file__).resolve().parents[1]
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"(?<=\]\()(?!\w+:|#|/)([^)\s#]+)")


def on_files(files: Files, config: Any) -> Files:
    waiting = [CHECKOUT / "README.md", *(Path(str(each.abs_src_path)) for each in files.documentation_pages())]
    seen = set(waiting)
    while waiting:
        source = waiting.pop()
        name = source.relative_to(CHECKOUT).as_posix()
        if not name.startswith("docs/"):
            files.append(File.generated(config, in_site(name), abs_src_path=str(source)))
        if source.suffix == ".md":
            linked = {CHECKOUT / target_of(name, link) for link in LINK.findall(source.read_text("utf-8"))}
            waiting += [each for each in linked - seen if each.is_file() and not is_in_docs(each)]
            seen |= linked
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page with its links as they are in the site, and bars in the code of tables as MkDocs reads them."""
    name = Path(page.file.abs_src_path).relative_to(CHECKOUT).as_posix()
    folder = posixpath.dirname(in_site(name))

    def moved(link: re.Match[str]) -> str:
        target = target_of(name, link[1])
        return posixpath.relpath(in_site(target), folder or ".") if (CHECKOUT / target).exists() else link[1]

    return CODE.sub(lambda code: code[0].replace(r"\|", "|"), LINK.sub(moved, markdown))


def target_of(page: str, link: str) -> str:
    """What a link of a page leads to; both paths are within the checkout."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), link))


def in_site(name: str) -> str:
    """Where a file of the checkout is among the site's sources."""
    if name == "README.md":
        return "index.md"
    return name.removeprefix("docs/") if name.startswith("docs/") else f"checkout/{name}"


def is_in_docs(file: Path) -> bool:
    return file.is_relative_to(CHECKOUT / "docs")
