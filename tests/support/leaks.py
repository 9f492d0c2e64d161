"""Where a secret could leak."""

from __future__ import annotations

import traceback


def chain(error: BaseException | None) -> str:
    """Everything that an error shows, its causes and contexts too."""
    seen, shown = set(), []
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        shown += [repr(error), str(error), repr(error.args), repr(vars(error))]
        shown += traceback.format_exception(error)
        shown += traceback.TracebackException.from_exception(error, capture_locals=True).format()
        error = error.__cause__ or error.__context__
    return "\n".join(shown)
