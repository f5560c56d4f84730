"""One question to an OCSP responder over HTTP, for a command that may wait."""

from __future__ import annotations

import base64
import http.client
import socket
import threading
import time
from contextlib import suppress
from urllib.parse import SplitResult, quote_from_bytes, urlsplit

from mta.tls.ocsp import SIZE_LIMIT

_MEDIA_TYPE = "application/ocsp-request"


class ExchangeError(Exception):
    """There is no answer, or none that can be a response; the text says why."""


class _StatusError(ExchangeError):
    """The responder does not like how it was asked."""


def ask(url: str, request: bytes, limit: float) -> bytes:
    """Return what a responder answers, by POST or else by GET.

    It has ``limit`` seconds for each.  Raises ExchangeError.
    """
    place = _place(url)
    path = place.path or "/"
    try:
        return _exchange(place, "POST", path, request, limit)
    except _StatusError as error:
        # RFC 5019 wants GET, RFC 6960 both; some responders know one of them.
        text = quote_from_bytes(base64.b64encode(request), safe="")
        with suppress(ExchangeError):
            path = path.removesuffix("/") + "/" + text
            return _exchange(place, "GET", path, b"", limit)
        raise ExchangeError(str(error)) from error


def _place(url: str) -> SplitResult:
    try:
        place = urlsplit(url)
        is_usable = bool(place.hostname) and place.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or place.scheme not in ("http", "https"):
        raise ExchangeError("its URL is not one of HTTP")
    return place


def _exchange(
    place: SplitResult, method: str, path: str, body: bytes, limit: float
) -> bytes:
    end = time.monotonic() + limit
    secure = place.scheme == "https"
    form = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    late = threading.Event()
    try:
        connection = form(place.hostname or "", place.port, timeout=limit)
        try:
            connection.connect()
            timer = threading.Timer(
                max(0.0, end - time.monotonic()), _cut, (connection.sock, late)
            )
            timer.daemon = True
            timer.start()
            try:
                answer = _talk(connection, method, path, body)
            finally:
                timer.cancel()
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        if late.is_set() or isinstance(error, TimeoutError):
            raise ExchangeError(f"no answer within {limit:g} s") from error
        text = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ExchangeError(text) from error
    if late.is_set():
        raise ExchangeError(f"no answer within {limit:g} s")
    return answer


def _cut(connection: socket.socket, late: threading.Event) -> None:
    """End a connection that takes too long, however busy it is."""
    late.set()
    with suppress(OSError):
        # Not the method of a TLS socket, which would talk first.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _talk(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes
) -> bytes:
    fields = {"Accept": "application/ocsp-response", "Connection": "close"}
    if method == "POST":
        fields["Content-Type"] = _MEDIA_TYPE
    connection.request(method, path, body or None, fields)
    response = connection.getresponse()
    if 300 <= response.status < 400:
        target = response.getheader("Location", "nowhere")
        raise ExchangeError(f"it redirects, to {target[:200]}")
    if response.status != 200:
        raise _StatusError(f"HTTP status {response.status} {response.reason[:200]}")
    octets = response.read(SIZE_LIMIT + 1)
    if len(octets) > SIZE_LIMIT:
        raise ExchangeError(f"it sends more than {SIZE_LIMIT} octets")
    media_type = response.getheader("Content-Type", "")
    if media_type.startswith("text/"):
        raise ExchangeError(f"it sends {media_type[:100]}, not an OCSP response")
    return octets
