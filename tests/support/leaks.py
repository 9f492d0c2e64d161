"""Where a secret could leak."""

from __future__ import annotations

import traceback

from IPython.core.ultratb import VerboseTB


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


def frames(error: BaseException) -> str:
    """What a verbose traceback shows of the library: its frames with their variables.

    Those of the tests hold the canary themselves.
    """
    trace = error.__traceback__
    while trace and "/rfhosted/" not in trace.tb_frame.f_code.co_filename.replace("\\", "/"):
        trace = trace.tb_next
    assert trace, "no frame of the library"
    shown = traceback.TracebackException(type(error), error, trace, capture_locals=True)
    return "".join(shown.format()) + VerboseTB(include_vars=True).text(type(error), error, trace)
