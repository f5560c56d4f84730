"""The PROXY header that goes out before a session through an egress proxy."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mta.errors import ForcedFailure, TemporaryFailure
from mta.expand.context import Context
from mta.options import Source
from mta.proxy.result import Endpoint, plain
from mta.proxy.writing import binary_header, header_line

if TYPE_CHECKING:
    from mta.transports.smtp import SMTPTransport

_VERSIONS = {"v1": 1, "v2": 2}


class ProxyVersion:
    """An option's type: the version of the PROXY header to send."""

    name = "version"

    def parse(self, text: str, source: Source) -> int:
        """Return the number of a version."""
        version = _VERSIONS.get(text.strip().lower())
        if version is None:
            raise source.error(f'"{text}" is not v1 or v2')
        return version


@dataclass(frozen=True, slots=True)
class Announcement:
    """Whom the header names as the client.

    Without an address it is this host, without a port that of the connection.
    """

    version: int
    address: str = ""
    port: int = 0

    def header(self, ours: Endpoint, theirs: Endpoint) -> bytes:
        """Return the header for a connection between two ends."""
        client = Endpoint(
            self.address or plain(ours.ip_address), self.port or ours.port
        )
        write = header_line if self.version == 1 else binary_header
        return write((client, theirs))


async def announcement_for(
    transport: SMTPTransport, context: Context
) -> Announcement | None:
    """Return whom to announce, None where no header is sent; raise TemporaryFailure."""
    version = transport.proxy_protocol
    if version is None:
        return None
    if transport.proxy_source is None:
        return Announcement(version)
    try:
        text = (await transport.proxy_source.expand(context)).strip()
    except ForcedFailure:
        text = ""
    try:
        return Announcement(version, *_parse(text))
    except ValueError:
        problem = f'"{text}" is not an IP address with or without a port'
        raise TemporaryFailure(
            "local problem", log_text=f"proxy_source: {problem}"
        ) from None


def _parse(text: str) -> tuple[str, int]:
    """Return address and port of ``address``, ``[address]:port`` or ``ipv4:port``.

    Either may be missing: ``[$sender_host_address]:$sender_host_port`` is ``[]:`` for
    a message of a local program.  Raises ValueError.
    """
    port = ""
    if text.startswith("["):
        address, bracket, rest = text[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        if not bracket or colon not in ("", ":"):
            raise ValueError(text)
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    else:
        address = text
    if port and not (port.isascii() and port.isdigit() and len(port) < 6):
        raise ValueError(text)
    number = int(port or 0)
    if number > 65535:
        raise ValueError(text)
    if not address:
        return "", 0
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        packed = socket.inet_pton(family, address)
    except OSError:
        raise ValueError(text) from None
    return plain(socket.inet_ntop(family, packed)), number
