"""Say what a server makes of PROXY headers that this host sends."""

from __future__ import annotations

import socket
import ssl
import sys
import time
from dataclasses import dataclass
from enum import Enum

from mta.commands.arguments import Arguments
from mta.log import printable
from mta.proxy.result import Endpoint, plain
from mta.proxy.writing import binary_header, header_line
from mta.transports.smtp_hosts import parse_host

USAGE = "usage: mta proxy-check HOST[:PORT] [tls]"
# RFC 5737 and RFC 3849: addresses that nobody has.
CLIENTS = {
    socket.AF_INET: Endpoint("192.0.2.1", 54321),
    socket.AF_INET6: Endpoint("2001:db8::1", 54321),
}
TIME_LIMIT = 15.0
TLS_PORT = 465
_REPLY_LIMIT = 65536
_EHLO = b"EHLO proxy-check.invalid\r\n"


class Outcome(Enum):
    """What became of a connection; the value is how it is said."""

    KNOWN = "taken for the client that the header named"
    UNNAMED = "served, but the reply names no address"
    MISTAKEN = "served, but not as the client that the header named"
    SERVED = "served without a header"
    REFUSED = "refused"
    CLOSED = "closed"
    SILENT = "silent"
    UNREACHABLE = "no connection"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a server made of one connection: its words and what they mean."""

    outcome: Outcome
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "; ".join((*self.words, self.outcome.value))


class Answers:
    """Reads replies, none of them later than the time limit."""

    def __init__(self, connection: socket.socket, limit: float) -> None:
        self._connection = connection
        self._limit = limit
        self._octets = b""

    def next_reply(self) -> str:
        """Return the lines of a reply; raise OSError or EOFError."""
        end = time.monotonic() + self._limit
        lines: list[str] = []
        while not lines or lines[-1][3:4] == "-":
            line, found, rest = self._octets.partition(b"\n")
            if found:
                self._octets = rest
                lines.append(line.decode("utf-8", "replace").rstrip("\r"))
                continue
            if len(self._octets) > _REPLY_LIMIT or len(lines) > 1000:
                raise EOFError
            self._connection.settimeout(max(0.001, end - time.monotonic()))
            octets = self._connection.recv(4096)
            if not octets:
                raise EOFError
            self._octets += octets
        return "\n".join(lines)


def check_proxy(arguments: Arguments) -> int:
    """Connect without header, with version 1, with version 2; print what happens.

    Returns 0 where both headers are understood and a header must be sent.
    """
    place = _place(arguments.operands)
    if place is None:
        print(USAGE, file=sys.stderr)
        return 1
    findings = []
    for version, name in enumerate(("no header", "version 1", "version 2")):
        finding = find_out(*place, version=version)
        print(f"{name}: {printable(str(finding))}", flush=True)
        findings.append(finding)
        if finding.outcome is Outcome.UNREACHABLE:
            return 1
    verdict, status = conclusion([finding.outcome for finding in findings])
    print(verdict)
    return status


def _place(operands: list[str]) -> tuple[str, int, bool] | None:
    """Return host, port and whether TLS begins at once; None for wrong use."""
    if not operands or operands[1:] not in ([], ["tls"]):
        return None
    host, port = parse_host(operands[0])
    named = operands[0] not in (host, f"[{host}]")
    if port is None:
        port = 0 if named else 25
    if not host or not 0 < port < 65536:
        return None
    return host, port, operands[1:] == ["tls"] or port == TLS_PORT


def conclusion(outcomes: list[Outcome]) -> tuple[str, int]:
    """Return a sentence, and the exit status: what the three outcomes come to."""
    without, *with_header = outcomes
    understood = [one in (Outcome.KNOWN, Outcome.UNNAMED) for one in with_header]
    if not all(understood):
        if not any(understood):
            return "This host is not known as a proxy there.", 1
        which = understood.index(False) + 1
        return f"Headers of version {which} are not understood.", 1
    if without is Outcome.SERVED:
        return "Headers are understood, but this host need not send them.", 1
    return "This host is known as a proxy there, and must send a header.", 0


def find_out(
    host: str, port: int, tls: bool, *, version: int, limit: float = TIME_LIMIT
) -> Finding:
    """Connect, send a header of a version (0 for none), and talk to the server."""
    try:
        connection = socket.create_connection((host, port), limit)
    except OSError as error:
        return Finding(Outcome.UNREACHABLE, (str(error),))
    words: list[str] = []
    with connection:
        client = CLIENTS[connection.family]
        theirs = Endpoint(*connection.getpeername()[:2])
        if version:
            write = header_line if version == 1 else binary_header
            connection.sendall(write((client, Endpoint(plain(theirs[0]), port))))
        try:
            return _talk(connection, host, tls, version, limit, words)
        except TimeoutError:
            outcome = Outcome.SILENT
        except (OSError, EOFError):
            outcome = Outcome.CLOSED
    return Finding(outcome, tuple(words))


def _talk(
    plain_connection: socket.socket,
    host: str,
    tls: bool,
    version: int,
    limit: float,
    words: list[str],
) -> Finding:
    """Await the greeting, say EHLO, and tell what came of it."""
    began = time.monotonic()
    plain_connection.settimeout(limit)
    connection = _secured(plain_connection, host) if tls else plain_connection
    with connection:
        answers = Answers(connection, limit)
        greeting = answers.next_reply()
        words.append(f"after {time.monotonic() - began:.1f} s {greeting}")
        if not greeting.startswith("220"):
            return Finding(Outcome.REFUSED, tuple(words))
        connection.sendall(_EHLO)
        reply = answers.next_reply()
        first = reply.partition("\n")[0]
        words.append(f"EHLO: {first}")
        connection.sendall(b"QUIT\r\n")
        return Finding(_outcome(first, version, connection), tuple(words))


def _outcome(reply: str, version: int, connection: socket.socket) -> Outcome:
    if not reply.startswith("250"):
        return Outcome.REFUSED
    if version == 0:
        return Outcome.SERVED
    address, bracket, _ = reply.rpartition("[")[2].partition("]")
    if "[" not in reply or not bracket:
        return Outcome.UNNAMED
    expected = CLIENTS[connection.family].ip_address
    is_known = address.removeprefix("IPv6:") == expected
    return Outcome.KNOWN if is_known else Outcome.MISTAKEN


def _secured(connection: socket.socket, host: str) -> ssl.SSLSocket:
    # Who the server is does not matter here: nothing is said that is worth hiding.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection, server_hostname=host)
