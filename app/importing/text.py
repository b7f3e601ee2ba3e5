"""Texts as other systems keep them into plain ones."""

import hashlib
import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser

BLOCKS = {"p", "br", "li", "div", "ul", "ol", "tr", "h1", "h2", "h3", "h4"}
SPACES = re.compile(r"[^\S\n]+")
LINES = re.compile(r"\s*\n\s*")


class _Plain(HTMLParser):
    """Collects what a reader would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden += tag in ("script", "style")
        if tag in BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style") and self.hidden > 0
        if tag in BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def without_html(text: str) -> str:
    """Return a text without tags and character references; a `<` that opens no tag stays."""
    parser = _Plain()
    parser.feed(text)
    parser.close()
    return tidy("".join(parser.parts))


def tidy(text: str) -> str:
    """Return a text with single spaces, no blank lines, and none of the control characters that
    records refuse.
    """
    kept = "".join(c for c in text if c in "\n\t" or (c >= " " and c != "\x7f"))
    return LINES.sub("\n", SPACES.sub(" ", kept)).strip()


def cut(text: str, most: int) -> str:
    """Return a text of at most so many characters; a shortened one ends in `…`."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def cut_bytes(text: str, most: int) -> str:
    """Return a text of at most so many bytes of UTF-8; a shortened one ends in `…`."""
    if len(text.encode()) <= most:
        return text
    return text.encode()[: most - len("…".encode())].decode(errors="ignore").rstrip() + "…"


def slug(text: str) -> str:
    """Return lower-case letters, digits and single hyphens, fit for a resource id."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def digest(text: str) -> str:
    """Return 16 hexadecimal digits that stand for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


FILTERS: Mapping[str, Callable[[str], str]] = {
    "last": lambda text: text.rstrip("/").rsplit("/", 1)[-1],
    "lower": str.lower,
    "upper": str.upper,
    "slug": slug,
    "digest": digest,
}
"""What may follow a path in a template: `{record.id|last|lower}`."""
