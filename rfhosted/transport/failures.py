"""Why no response came that can be used: in plain words, with the way out."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass, replace
from socket import gaierror
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import HTTPError, LocationValueError

from rfhosted.errors import UnreachableError
from rfhosted.outputs.text import one_line

if TYPE_CHECKING:
    from rfhosted.errors import HostedError

#: What is raised at a network, a server or settings of the system that are not as they should be.
TROUBLE = (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Failure:
    """No response that can be used: why, and whether to try again at once."""

    reason: str
    again: bool = False
    advice: str | None = None
    kind: type[HostedError] = UnreachableError


_BAD_CERTIFICATES = Failure(
    "the certificate file that the environment names cannot be read",
    advice="Correct or unset REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE.",
)
_BAD_PROXY = Failure(
    "the proxy of the environment failed ({})",
    again=True,
    advice="Check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, or name the host in NO_PROXY.",
)
_BAD_URL = Failure(
    "its URL is invalid, or that of a proxy of the environment",
    advice="Check the URL, and HTTP_PROXY, HTTPS_PROXY and ALL_PROXY.",
)
#: Class of an error, a part of its text -> what happened; the first that fits. ``{}`` stands for
#: the words of the operating system.
_EXPLAINED: tuple[tuple[type[BaseException], str, Failure], ...] = (
    (
        requests.exceptions.InvalidSchema,
        "SOCKS support",
        Failure(
            "the proxy of the environment is a SOCKS proxy, which needs another package",
            advice='Run pip install "requests[socks]", or unset ALL_PROXY.',
        ),
    ),
    (OSError, "CA certificate bundle", _BAD_CERTIFICATES),
    (ssl.SSLError, "X509", _BAD_CERTIFICATES),
    (
        ssl.SSLCertVerificationError,
        "",
        Failure(
            "its certificate was not accepted ({})",
            advice="Check the clock; behind a company's proxy, name its certificate file in"
            " REQUESTS_CA_BUNDLE.",
        ),
    ),
    (
        requests.exceptions.SSLError,
        "",
        Failure("the TLS connection failed ({})", advice="Check the address and any proxy."),
    ),
    (requests.exceptions.ProxyError, "", _BAD_PROXY),
    (requests.exceptions.InvalidProxyURL, "", _BAD_PROXY),
    (
        gaierror,
        "",
        Failure(
            "the name of the host was not found ({})",
            again=True,
            advice="Check the spelling of the address, and the network.",
        ),
    ),
    (requests.exceptions.InvalidURL, "", _BAD_URL),
    (requests.exceptions.InvalidSchema, "", _BAD_URL),
    (LocationValueError, "", _BAD_URL),
    (requests.exceptions.ReadTimeout, "", Failure("no response in time")),
    (requests.exceptions.ConnectionError, "", Failure("{}", again=True)),
)


def explain(error: BaseException, *, responded: bool) -> Failure:
    """What happened, in words without a URL: those of the libraries hold the query and the key."""
    if responded:
        return Failure("the response was cut off")
    chain = [error]
    while cause := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(cause)
    # What the operating system said, from the innermost of the errors.
    system = (e.strerror for e in reversed(chain) if isinstance(e, OSError) and e.strerror)
    words = one_line(next(system, "the connection was closed"))
    for kind, mark, failure in _EXPLAINED:
        if any(isinstance(e, kind) and mark in str(e) for e in chain):
            return replace(failure, reason=failure.reason.replace("{}", words))
    return Failure(f"the request could not be sent ({type(error).__name__})")
