"""One question to an OCSP responder over HTTP, by whoever may wait."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from urllib.parse import quote_from_bytes

from mta.ocsp.place import Place, proxy_place, responder_place
from mta.tls.ocsp import SIZE_LIMIT

_MEDIA_TYPE = "application/ocsp-request"
# RFC 5019, section 5: a URL that is longer is not for GET.
_GET_LIMIT = 255
# What a responder says of a request that it cannot read, as some do of any GET.
_MALFORMED_REQUEST = bytes.fromhex("30030a0101")
_TUNNEL_LIMIT = 16384


class ExchangeError(Exception):
    """There is no answer, or none that can be a response; the text says why."""


class _AskedWrongError(ExchangeError):
    """The responder does not like how it was asked."""


def ask(url: str, request: bytes, limit: float, proxy: str = "") -> bytes:
    """Return what a responder answers, by GET or else by POST, in ``limit`` seconds.

    ``proxy`` is the URL of an HTTP proxy to go through.  Raises ExchangeError.
    """
    try:
        place = responder_place(url)
        via = proxy_place(proxy) if proxy else None
    except ValueError as error:
        raise ExchangeError(str(error)) from error
    deadline = _Deadline(limit)
    text = quote_from_bytes(base64.b64encode(request), safe="")
    if not place.query and len(url) + 1 + len(text) <= _GET_LIMIT:
        # RFC 5019 wants GET, which caches can answer; RFC 6960 both.  Some responders
        # know one of them.
        path = place.path.removesuffix("/") + "/" + text
        with suppress(_AskedWrongError):
            return _exchange(place, via, "GET", path, b"", deadline)
    return _exchange(place, via, "POST", place.target, request, deadline)


class _Deadline:
    """The moment until which an exchange may last, however busy it is."""

    def __init__(self, limit: float) -> None:
        self._end = time.monotonic() + limit
        self.text = f"no answer within {limit:g} s"
        self.has_cut = False
        self.link: socket.socket | None = None

    @property
    def left(self) -> float:
        """The seconds that are left; raises TimeoutError where none are."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def watch(self) -> threading.Timer:
        """Cut ``link`` at the deadline; the timer must be cancelled."""
        timer = threading.Timer(self.left, self._cut)
        timer.daemon = True
        timer.start()
        return timer

    def _cut(self) -> None:
        self.has_cut = True
        if self.link is not None:
            with suppress(OSError):
                # Not the method of a TLS socket, which would talk first.
                socket.socket.shutdown(self.link, socket.SHUT_RDWR)


def _exchange(
    place: Place,
    via: Place | None,
    method: str,
    path: str,
    body: bytes,
    deadline: _Deadline,
) -> bytes:
    try:
        deadline.link = link = _connected(via or place, deadline)
        timer = deadline.watch()
        try:
            if place.is_secure:
                deadline.link = link = _secured(link, place, via, deadline)
            elif via is not None:
                path = place.origin + path
            connection = http.client.HTTPConnection(place.host, place.port)
            connection.sock = link
            answer = _talk(connection, method, path, body)
        finally:
            timer.cancel()
            link.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        if deadline.has_cut or isinstance(error, TimeoutError):
            raise ExchangeError(deadline.text) from error
        text = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ExchangeError(text) from error
    if deadline.has_cut:
        raise ExchangeError(deadline.text)
    return answer


def _secured(
    link: socket.socket, place: Place, via: Place | None, deadline: _Deadline
) -> ssl.SSLSocket:
    """Begin TLS with a responder, if need be through a proxy."""
    if via is not None:
        _open_tunnel(link, place)
    secured = ssl.create_default_context().wrap_socket(
        link, server_hostname=place.host, do_handshake_on_connect=False
    )
    # The socket before is no more: the deadline must cut this one.
    deadline.link = secured
    try:
        secured.settimeout(deadline.left)
        secured.do_handshake()
    except BaseException:
        secured.close()
        raise
    return secured


def _connected(place: Place, deadline: _Deadline) -> socket.socket:
    """Return a connection to the first address that takes one."""
    failure: OSError = OSError(0, "there is no address")
    for family, kind, protocol, _name, address in _addresses(place, deadline):
        link = socket.socket(family, kind, protocol)
        try:
            link.settimeout(deadline.left)
            link.connect(address)
            link.settimeout(deadline.left)
        except TimeoutError:
            link.close()
            raise
        except OSError as error:
            link.close()
            failure = error
        else:
            return link
    raise failure


def _addresses(
    place: Place, deadline: _Deadline
) -> list[tuple[int, int, int, str, tuple[str | int, ...]]]:
    """Return the addresses of a host; the system's resolver may take its time."""
    found: list[tuple[int, int, int, str, tuple[str | int, ...]]] = []
    faults: list[Exception] = []

    def look_up() -> None:
        try:
            found.extend(
                socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)  # type: ignore[arg-type]
            )
        except (OSError, ValueError) as error:
            faults.append(error)
        except Exception as error:
            # In a thread it would go unheard.
            faults.append(OSError(0, f"{type(error).__name__}: {error}"))

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(deadline.left)
    if thread.is_alive():
        raise TimeoutError
    if faults:
        raise faults[0]
    return found


def _open_tunnel(link: socket.socket, place: Place) -> None:
    """Let a proxy connect us to a responder with HTTPS; raise ExchangeError."""
    target = place.authority
    link.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode("ascii"))
    head = b""
    while b"\r\n\r\n" not in head:
        # One octet at a time: what follows is TLS's.
        octet = link.recv(1)
        head += octet
        if not octet or len(head) > _TUNNEL_LIMIT:
            raise ExchangeError("the proxy opens no tunnel")
    status = head.partition(b"\r\n")[0].decode("latin-1")
    if status.split(" ")[1:2] != ["200"]:
        raise ExchangeError(f"the proxy opens no tunnel: {status[:200]}")


def _talk(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes
) -> bytes:
    fields = {"Accept": "application/ocsp-response", "Connection": "close"}
    if method == "POST":
        fields["Content-Type"] = _MEDIA_TYPE
    connection.request(method, path, body or None, fields)
    # Closed, or a responder that has more to say would hold the connection open.
    with connection.getresponse() as response:
        return _content(response, method)


def _content(response: http.client.HTTPResponse, method: str) -> bytes:
    if 300 <= response.status < 400:
        target = response.getheader("Location", "nowhere")
        raise ExchangeError(f"it redirects, to {target[:200]}")
    if response.status != 200:
        reason = response.reason[:200]
        raise _AskedWrongError(f"HTTP status {response.status} {reason}".rstrip())
    octets = response.read(SIZE_LIMIT + 1)
    if len(octets) > SIZE_LIMIT:
        raise ExchangeError(f"it sends more than {SIZE_LIMIT} octets")
    media_type = response.getheader("Content-Type", "")
    if media_type.startswith("text/"):
        raise _AskedWrongError(f"it sends {media_type[:100]}, not an OCSP response")
    if octets == _MALFORMED_REQUEST and method == "GET":
        raise _AskedWrongError("it cannot read the request")
    return octets
