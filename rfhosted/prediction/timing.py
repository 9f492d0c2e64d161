"""Where the time of one request goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from rfhosted import hosted
from rfhosted.display import html
from rfhosted.display.units import milliseconds
from rfhosted.transport.request import seconds_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfhosted.transport.request import Reply

#: The parts of a request's time, in order: part -> (short name, what happens in it).
PARTS = {
    "prepare": ("prepare", "decode, scale and encode the image"),
    "connect": ("connect", "DNS, TCP and TLS"),
    "upload": ("upload", "send the request"),
    "queue": ("queue, routing, network", "wait for the server, apart from the model"),
    "load": ("model load", "load the model (cold start)"),
    "exec": ("Exec", "run the model"),
    "download": ("download", "receive the response"),
    "parse": ("parse", "read the response"),
}


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time of one request went, in seconds; None where it is not reported.

    Attributes:
        prepare: Reading, decoding, scaling and encoding the image, on the client.
        e2e: From sending the request to the last byte of the response (the docs' E2E).
        exec: Running the model, as the server reports it (the docs' Exec).
        parse: Reading the response, on the client.
        server: The whole request inside the server; only V2 reports it.
        load: Loading the model, where this request had to wait for it (a cold start).
        retries: Why earlier tries failed; empty where the first try succeeded.
        connect: DNS, TCP and TLS; 0 where a connection was open already.
        upload: Sending the request.
        wait: From the last byte of the request to the first byte of the response.
        download: From the first byte of the response to its last.
    """

    prepare: float
    e2e: float
    exec: float | None
    parse: float
    server: float | None = None
    load: float | None = None
    retries: tuple[str, ...] = ()
    connect: float | None = None
    upload: float | None = None
    wait: float | None = None
    download: float | None = None

    @classmethod
    def of(
        cls, responses: Sequence[Reply], *, prepare: float, exec_: float | None, parse: float
    ) -> Self:
        """The times of one result: of one request, or the sums of several."""

        def header(name: str) -> float | None:
            return _sum([seconds_of(response.headers.get(name)) for response in responses])

        return cls(
            prepare=prepare,
            e2e=sum(response.e2e for response in responses),
            exec=exec_,
            parse=parse,
            server=header("x-processing-time"),
            load=header("x-model-load-time"),
            retries=tuple(reason for response in responses for reason in response.retries),
            connect=_sum([response.split.connect for response in responses]),
            upload=_sum([response.split.upload for response in responses]),
            wait=_sum([response.split.wait for response in responses]),
            download=_sum([response.split.download for response in responses]),
        )

    def parts(self) -> dict[str, float | None]:
        """Seconds of each part, in the order of PARTS; None where it is not reported.

        ``wait`` is divided into ``load``, ``exec`` and ``queue``; the last is the rest: queueing,
        routing and the delay of the network.
        """
        queue = None
        if self.wait is not None and self.exec is not None:
            queue = max(0.0, self.wait - self.exec - (self.load or 0.0))
        return {name: queue if name == "queue" else getattr(self, name) for name in PARTS}

    def _repr_html_(self) -> str:
        whole = self.prepare + self.e2e + self.parse
        entries = [
            (
                f"{name}: {PARTS[name][1]}",
                None if seconds is None else seconds / whole if whole else 0.0,
                milliseconds(seconds),
            )
            for name, seconds in self.parts().items()
        ]
        return html.bars(entries, f"{milliseconds(whole)}, {milliseconds(self.e2e)} of it E2E")


def _sum(seconds: Sequence[float | None]) -> float | None:
    """The sum; None where none is reported."""
    known = [second for second in seconds if second is not None]
    return sum(known) if known else None


def credits_of(responses: Sequence[Reply]) -> float | None:
    """Credits that requests cost, by the published formula; None where a time is not reported.

    Source: docs.roboflow.com, serverless-api/pricing: a credit is 500 s of processing, and a
    request counts 0.1 s at least.
    """
    spent = 0.0
    for response in responses:
        server = seconds_of(response.headers.get("x-processing-time"))
        remote = seconds_of(response.headers.get("x-remote-processing-time"))
        if remote is not None:
            spent += hosted.LEAST_BILLED + remote
        elif server is not None:
            spent += max(server, hosted.LEAST_BILLED)
        else:
            return None
    return spent / hosted.SECONDS_OF_A_CREDIT
