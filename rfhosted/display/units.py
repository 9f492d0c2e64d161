"""Numbers as people read them: times, sizes, shares and counts. Every room formats them here."""

from __future__ import annotations

NOT_REPORTED = "not reported"


def milliseconds(seconds: float | None, *, unit: str = " ms", missing: str = NOT_REPORTED) -> str:
    """``61 ms``; one decimal below 10 ms.

    Args:
        seconds: The time, or None where nobody reported it.
        unit: What follows the number; empty where a column's name gives the unit.
        missing: The text for None.
    """
    return missing if seconds is None else f"{_number(seconds * 1000)}{unit}"


def kilobytes(nbytes: float | None, *, unit: str = " kB", missing: str = NOT_REPORTED) -> str:
    """``98 kB`` (1000 bytes each); one decimal below 10 kB. Arguments as for ``milliseconds``."""
    return missing if nbytes is None else f"{_number(nbytes / 1000)}{unit}"


def percent(fraction: float | None, *, missing: str = NOT_REPORTED) -> str:
    """``13%``; a little more than nothing is ``<1%``, because it is not nothing."""
    if fraction is None:
        return missing
    return "<1%" if 0 < fraction < 0.005 else f"{fraction:.0%}"


def score_text(score: float, *, similarity: bool) -> str:
    """A score of a class: ``13%``, or ``0.27`` where it is a cosine similarity."""
    return f"{score:.2f}" if similarity else percent(score)


def counted(number: int, singular: str, plural: str = "") -> str:
    """``1 object``, ``2 objects``; ``plural`` is for words that do not just take an s."""
    word = singular if number == 1 else plural or f"{singular}s"
    return f"{number:,} {word}"


def _number(value: float) -> str:
    return f"{value:.1f}" if abs(value) < 9.95 and round(value, 1) else f"{value:,.0f}"
