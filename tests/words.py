"""Retired words in the project's prose, room by room: ``python tests/words.py``."""

from __future__ import annotations

import ast
import functools
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "notebooks/*.py")
LIST = tomllib.loads(Path(__file__).with_name("retired_words.toml").read_text("utf-8"))
INSTEAD = {
    word: instead for words, instead in LIST["instead"].items() for word in words.split(", ")
}
RETIRED = re.compile(
    r"\b(?<![\w-])("
    + "|".join(sorted(INSTEAD, key=len, reverse=True)).replace(" ", r"\s+")
    + r")\b",
    re.IGNORECASE,
)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The prose of a file with its line numbers: string literals and docstrings, or every line."""
    source = path.read_text("utf-8")
    if path.is_relative_to(ROOT / "rfhosted"):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.lineno, node.value
    else:
        yield from enumerate(source.splitlines(), 1)


def offenders() -> Iterator[tuple[str, int, str, str]]:
    """File, line, retired word and the text around it, less the exceptions of the list."""
    files = [*(ROOT / "rfhosted").rglob("*.py")]
    files += [file for pattern in DOCUMENTS for file in ROOT.glob(pattern)]
    for path in sorted(files):
        name = path.relative_to(ROOT).as_posix()
        allowed = [item["text"] for item in LIST.get("exception", []) if item["file"] == name]
        for line, prose in texts(path):
            text = functools.reduce(lambda text, part: text.replace(part, ""), allowed, prose)
            for found in RETIRED.finditer(text):
                around = text[max(0, found.start() - 40) : found.end() + 40]
                at = line + text.count("\n", 0, found.start())
                yield name, at, found[1], " ".join(around.split())


def main() -> int:
    """Print the offenders of each room; the exit status says whether there are any."""
    rooms = defaultdict(list)
    for name, line, word, around in offenders():
        folder, _, rest = name.removeprefix("rfhosted/").partition("/")
        rooms[folder if rest else name].append(f"  {name}:{line}: {word!r} in … {around} …")
    for room, lines in sorted(rooms.items()):
        print(f"{room}: {len(lines)}", *lines, sep="\n")
    return int(bool(rooms))


if __name__ == "__main__":
    sys.exit(main())
