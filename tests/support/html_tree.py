"""HTML as a tree, and text that would break it."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser

from PIL import Image

EVIL = "\"><script>alert(1)</script>&'\x1b[31m\ud800"


VOID = {"img", "br"}


class Tree(HTMLParser):
    """Elements with attributes and text; fails where tags do not nest."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text = [], [], {}
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in self.open:
            self.text[tag] = self.text.get(tag, "") + data

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def decoded(uri):
    head, data = uri.split(",")
    assert head == "data:image/jpeg;base64"
    raw = base64.b64decode(data)
    return raw, Image.open(io.BytesIO(raw))


class _Words(HTMLParser):
    """The words of HTML, one line for each block of them; images by their descriptions."""

    BLOCKS = frozenset(
        ["p", "div", "tr", "summary", "caption", "figcaption", "br", "table", "details"]
    )

    def __init__(self):
        super().__init__()
        self.lines = [""]

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.lines += [f"[image: {dict(attrs)['alt']}]", ""]
        elif tag in self.BLOCKS:
            self.lines.append("")

    def handle_endtag(self, tag):
        if tag in self.BLOCKS:
            self.lines.append("")
        elif tag in {"td", "th"}:
            self.lines[-1] += " | "

    def handle_data(self, data):
        self.lines[-1] += data


def words(markup):
    reader = _Words()
    reader.feed(markup)
    return "\n".join(line.strip(" |\n") for line in reader.lines if line.strip(" |\n"))
