"""Sphinx: the manual as HTML, and the man pages, from the same sources.

Every `man/NAME.SECTION.md` is a man page; the line for its NAME section is `description` in the
front matter, because that section is written by Sphinx and must not stand in the text again.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).parent

sys.dont_write_bytecode = True

project = "directrix"
release = re.findall(r'__version__ = "(.+)"', (HERE.parent / "src/directrix/__init__.py").read_text())[0]
version = release

extensions = ["myst_parser"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
# The pages of the top directory link to each other and to files, as a reader of the repository needs it.
suppress_warnings = ["myst.xref_missing"]

html_theme = "alabaster"
html_theme_options = {"description": "a Linux Virtual Server in eBPF", "page_width": "64em"}
html_show_copyright = False
html_copy_source = False


def _description(text: str) -> str:
    return re.findall(r"^description: (.+)$", text, re.MULTILINE)[0]


man_pages = [
    (f"man/{path.stem}", *path.stem.rsplit(".", 1)[:1], _description(path.read_text()), [], path.stem.rsplit(".", 1)[1])
    for path in sorted((HERE / "man").glob("*.*.md"))
]
man_show_urls = True


def _say_what_it_is(app: Sphinx, docname: str, source: list[str]) -> None:
    """In HTML, the description follows the title; the man builder makes its NAME section of it."""
    if docname.startswith("man/") and app.builder.name != "man":
        title, line = re.findall(r"^# .+$", source[0], re.MULTILINE)[0], _description(source[0])
        source[0] = source[0].replace(title, f"{title}\n\n*{line}*", 1)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _say_what_it_is)
