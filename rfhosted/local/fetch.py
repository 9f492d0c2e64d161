"""Pictures elsewhere: which addresses may be asked, and how."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import re
import socket
import ssl
import threading
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

import certifi  # comes with requests

from rfhosted.local.errors import BadImageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from urllib.parse import SplitResult

_LARGEST_DOWNLOAD = 20_000_000
_REDIRECTS = 3
_PATIENCE = 10.0  # seconds for one address, from connecting to the last byte
_SAFE = "/%:@!$&'()*+,;=~?[]"  # in a target; what is not here is escaped
_UNSUPPORTED = "is not supported in this configuration of `inference`."


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    return ip.is_global and not ip.is_multicast


def fetch(url: str, *, reachable: Callable[[str], bool] = _is_public) -> bytes:
    """The bytes behind a picture's address, where the hosted API would ask for it.

    Addresses of private networks, of this machine and without a domain are refused, also behind a
    redirect: the server must not become a way into the network that it runs in.

    Args:
        url: http or https, with a domain.
        reachable: Which IP addresses may be asked.

    Raises:
        BadImageError: Refused, unreachable, too slow or too large.
    """
    for _ in range(_REDIRECTS + 1):
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise BadImageError("Provided image URL is invalid") from None
        _check(parts)
        try:
            found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
            addresses = [str(entry[4][0]) for entry in found]  # the likeliest comes first
            if not all(map(reachable, addresses)):
                raise BadImageError("URL points to a network destination that is not allowed.")
            location, data = _get(parts, addresses[0], port)
        except (OSError, ValueError, http.client.HTTPException):
            break
        if location is None:
            return data
        url = urljoin(url, location)
    raise BadImageError("Data pointed by URL could not be decoded into image.")


def _check(parts: SplitResult) -> None:
    if not parts.scheme or (parts.scheme in ("http", "https") and not parts.hostname):
        raise BadImageError("Provided image URL is invalid")
    if parts.scheme not in ("http", "https"):
        raise BadImageError(f"Providing images via non https:// URL {_UNSUPPORTED}")
    # A number in any notation, an IPv6 address and a bare name have no top-level domain of letters.
    if not re.search(r"\.[a-z][a-z0-9-]*\.?$", parts.hostname or "", re.IGNORECASE):
        raise BadImageError(f"Providing images via URL without FQDN {_UNSUPPORTED}")


def _get(parts: SplitResult, address: str, port: int) -> tuple[str | None, bytes]:
    """One request: where it points on, or the bytes there.

    The connection goes to the very address that was checked: a second look-up could lead elsewhere.

    Raises:
        OSError, ValueError, HTTPException: No bytes, or not all of them.
    """
    host = parts.hostname or ""
    opened: socket.socket = socket.create_connection((address, port), _PATIENCE)

    def hang_up() -> None:
        with contextlib.suppress(OSError):
            opened.shutdown(socket.SHUT_RDWR)

    clock = threading.Timer(_PATIENCE, hang_up)
    clock.daemon = True
    clock.start()
    connection = http.client.HTTPConnection(host, port)
    try:
        if parts.scheme == "https":
            context = ssl.create_default_context()
            context.load_verify_locations(certifi.where())
            opened = context.wrap_socket(opened, server_hostname=host)
        connection.sock = opened
        target = quote((parts.path or "/") + "?" * bool(parts.query) + parts.query, _SAFE)
        connection.request("GET", target, headers={"User-Agent": "rfhosted"})
        with connection.getresponse() as response:
            if response.status in (301, 302, 303, 307, 308):
                return response.headers["location"] or "", b""
            data = response.read(_LARGEST_DOWNLOAD + 1)
            whole = 0 < len(data) <= _LARGEST_DOWNLOAD and not response.length
            if response.status != 200 or not whole or not clock.is_alive():
                raise ValueError(parts.hostname)
            return None, data
    finally:
        clock.cancel()
        connection.close()
        opened.close()
