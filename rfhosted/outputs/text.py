"""Text from outside, made fit to print: on a terminal, in HTML, in a label on an image."""

from __future__ import annotations

import re
import unicodedata

from rfhosted.outputs.limits import LONGEST_NAME, LONGEST_TEXT

#: Control characters, halves of characters, and line ends of Unicode become blanks.
_BLANK = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
#: Characters that show nothing and turn the order of others, or hide in a text. The joiners U+200C
#: and U+200D stay: several scripts and emoji are written with them.
_UNSEEN = re.compile(
    "[\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]+"
)


def one_line(text: str, longest: int = LONGEST_TEXT) -> str:
    """A text on one line, composed (NFC), without what a terminal obeys and nobody sees.

    Args:
        text: Any text: what a server, a file or a user wrote.
        longest: Characters from which on it is cut, and ends in "…".
    """
    # Cut before and after: a text of megabytes costs no more than a long one.
    kept = _UNSEEN.sub("", _BLANK.sub(" ", text[: 4 * longest]))
    line = " ".join(unicodedata.normalize("NFC", kept).split())
    if len(line) > longest or len(text) > 4 * longest:
        return line[: longest - 1] + "…"
    return line


def short_name(name: str) -> str:
    """A name, of a class or a model, as it stands within a sentence."""
    return one_line(name, LONGEST_NAME)


def printable_lines(text: str) -> str:
    """A text such as code with its lines and blanks, without control and invisible characters."""
    return "\n".join(_UNSEEN.sub("", _BLANK.sub(" ", line)) for line in text.split("\n"))
