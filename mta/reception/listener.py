"""The ports on which clients are heard (Exim chapter 13)."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort

from mta.errors import ConfigurationError, MTAError
from mta.interfaces import ILogs
from mta.options import split_list
from mta.reception.options import ListenerOptions

# "192.0.2.1.25", "[192.0.2.1]:25", "[2001:db8::1]:25"; Exim chapter 13 has them all.
_BRACKETED = re.compile(r"\[([^][]*)\](?:[:.](\w+))?\Z")
_DOTTED_PORT = re.compile(r"(\d+\.\d+\.\d+\.\d+|.*:.*)\.(\d+)\Z")
_WITHOUT_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class ListenError(MTAError):
    """A port cannot be opened."""


class Place(NamedTuple):
    """An address and a port to listen on; ``tls`` where TLS begins at once."""

    address: str
    port: int
    tls: bool = False

    @property
    def family(self) -> socket.AddressFamily:
        """The kind of the address."""
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}"


def listening_places(options: ListenerOptions, given: str | None = None) -> list[Place]:
    """Return where to listen, in the order named and each place once.

    ``given`` is the value of ``-oX``: a list of interfaces, of ports, or of both; what
    it does not tell is taken from the options.  Raises ConfigurationError.
    """
    ports: Sequence[str] = options.daemon_smtp_ports
    interfaces: Sequence[str] = options.local_interfaces
    if given is not None:
        items = split_list(given)
        named_ports = [item for item in items if not re.search("[.:]", item)]
        named_interfaces = [item for item in items if re.search("[.:]", item)]
        if not items:
            raise ConfigurationError("-oX: nothing to listen on")
        ports = named_ports or ports
        interfaces = named_interfaces or interfaces
    tls_ports = {port_number(text) for text in options.tls_on_connect_ports or ()}
    numbers = [port_number(text) for text in ports]
    found: dict[Place, None] = {}
    for text in interfaces:
        address, own_port = _split_interface(text)
        for port in numbers if own_port is None else [own_port]:
            place = Place(address, port, port in tls_ports)
            if place.family is socket.AF_INET or not options.disable_ipv6:
                found[place] = None
    if not found:
        raise ConfigurationError("there is nothing to listen on: see local_interfaces")
    return list(found)


def _split_interface(text: str) -> tuple[str, int | None]:
    port = None
    match = _BRACKETED.match(text)
    if match is not None:
        address, port = match.groups()
    else:
        match = None if _is_address(text) else _DOTTED_PORT.match(text)
        address, port = match.groups() if match is not None else (text, None)
    if not _is_address(address):
        raise ConfigurationError(
            f'local_interfaces: "{text}" is not an IP address with or without a port'
        )
    return str(ipaddress.ip_address(address)), port_number(port) if port else None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def port_number(text: str) -> int:
    """Return a port that is numbered or named; raise ConfigurationError."""
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    try:
        return socket.getservbyname(text, "tcp")
    except OSError:
        raise ConfigurationError(f'there is no port "{text}"') from None


def in_words(places: Iterable[Place]) -> str:
    """Return how the log names places: by port where all addresses are meant."""
    everywhere: dict[int, list[str]] = {}
    named: list[str] = []
    for place in places:
        if place.address in ("::", "0.0.0.0"):  # noqa: S104 - compared, not bound
            family = "IPv6" if ":" in place.address else "IPv4"
            everywhere.setdefault(place.port, []).append(family)
        else:
            named.append(str(place))
    words = [
        f"port {port} ({' and '.join(families)})"
        for port, families in everywhere.items()
    ]
    return " ".join([*words, *named])


def _words_by_protocol(places: Sequence[Place]) -> Iterator[str]:
    for name, is_tls in (("SMTP", False), ("SMTPS", True)):
        chosen = [place for place in places if place.tls is is_tls]
        if chosen:
            yield f"{name} on {in_words(chosen)}"


class ListeningFactory(Protocol):
    """A factory whose clients can be told that the process ends."""

    async def wind_down(self) -> None: ...


class Listener(Service):
    """Opens the ports, before privileges are dropped, and closes them first of all.

    ``factories`` serve ports in clear, and those on which TLS begins at once.
    ``places`` become those that are open, with the ports that the system chose where
    0 was asked.
    """

    name = "listener"

    def __init__(
        self,
        factories: tuple[ListeningFactory, ListeningFactory],
        places: Sequence[Place],
        options: ListenerOptions,
        *,
        reactor: Any,
        logs: ILogs,
    ) -> None:
        self.places = list(places)
        self._options = options
        self._reactor = reactor
        self._logs = logs
        self._sockets: list[socket.socket] = []
        self._ports: list[IListeningPort] = []
        self._factories = factories

    def __str__(self) -> str:
        return " and for ".join(_words_by_protocol(self.places))

    def privilegedStartService(self) -> None:
        """Open the ports; nobody is served yet.  Raises ListenError."""
        opened: list[Place] = []
        missing: list[OSError] = []
        for place in self.places:
            try:
                self._sockets.append(self._open(place))
            except OSError as error:
                if (
                    place.family is not socket.AF_INET6
                    or error.errno not in _WITHOUT_FAMILY
                ):
                    self._close_sockets()
                    raise ListenError(
                        f"cannot listen on {place}: {error.strerror}"
                    ) from error
                missing.append(error)
                self._logs.main(
                    f"cannot listen on {place}: {error.strerror}; "
                    "this machine seems to have no IPv6"
                )
            else:
                port = self._sockets[-1].getsockname()[1]
                opened.append(place._replace(port=port))
        if not opened:
            raise ListenError(
                f"cannot listen on {self.places[0]}: {missing[0].strerror}"
            )
        self.places = opened

    def _open(self, place: Place) -> socket.socket:
        opened = socket.socket(place.family, socket.SOCK_STREAM)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if place.family is socket.AF_INET6:
                # IPv4 clients have a socket of their own.
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # Accepted connections inherit both.
            if self._options.smtp_accept_keepalive:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._options.tcp_nodelay:
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.setblocking(False)
            opened.bind((place.address, place.port))
            opened.listen(self._options.smtp_connect_backlog)
        except OSError:
            opened.close()
            raise
        return opened

    def _close_sockets(self) -> None:
        for opened in self._sockets:
            opened.close()
        self._sockets.clear()

    def startService(self) -> None:
        """Serve clients."""
        if not self._sockets:
            self.privilegedStartService()
        super().startService()  # type: ignore[no-untyped-call]
        for place, opened in zip(self.places, self._sockets, strict=True):
            # The port has a descriptor of its own from here on.
            port = self._reactor.adoptStreamPort(
                opened.fileno(), place.family, self._factories[place.tls]
            )
            self._ports.append(port)
        self._close_sockets()

    def stopService(self) -> Deferred[None]:
        """Close the ports, and dismiss the clients that are left."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._wind_down())

    async def _wind_down(self) -> None:
        self._close_sockets()
        ports, self._ports = self._ports, []
        for port in ports:
            await maybeDeferred(port.stopListening)
        for factory in self._factories:
            await factory.wind_down()
