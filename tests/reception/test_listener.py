"""Where the server listens, and the ports themselves."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from mta.errors import ConfigurationError
from mta.options import Source
from mta.reception.listener import (
    Listener,
    ListenError,
    Place,
    in_words,
    listening_places,
    port_number,
)
from mta.reception.options import ListenerOptions
from mta.testing import MemoryLogs


def options(**settings: str) -> ListenerOptions:
    """Return options with settings from a configuration."""
    made = ListenerOptions()
    for name, text in settings.items():
        option = ListenerOptions.options()[name]
        setattr(made, name, option.type.parse(text, Source("test", 1, name)))
    return made


def places(given: str | None = None, **settings: str) -> list[str]:
    """Return the places of options and a ``-oX``, as texts."""
    return [str(place) for place in listening_places(options(**settings), given)]


class PlacesTests(SynchronousTestCase):
    """``daemon_smtp_ports``, ``local_interfaces`` and ``-oX``."""

    def test_default(self) -> None:
        """Without any setting it is port 25 on all addresses."""
        self.assertEqual(["[::]:25", "[0.0.0.0]:25"], places())

    def test_ports_by_interfaces(self) -> None:
        """Every port is opened on every interface, by name or number."""
        self.assertEqual(
            ["[127.0.0.1]:25", "[127.0.0.1]:587", "[::1]:25", "[::1]:587"],
            places(
                daemon_smtp_ports="smtp : 587",
                local_interfaces="<; 127.0.0.1 ; ::1",
            ),
        )

    def test_port_of_an_interface(self) -> None:
        """An interface may have a port of its own, in each of Exim's forms."""
        self.assertEqual(
            ["[192.0.2.1]:26", "[192.0.2.2]:27", "[2001:db8::1]:28", "[::1]:25"],
            places(
                daemon_smtp_ports="25",
                local_interfaces="<; 192.0.2.1.26 ; [192.0.2.2]:27 ; "
                "[2001:db8::1]:28 ; [::1]",
            ),
        )

    def test_each_once(self) -> None:
        """What is named twice is opened once."""
        self.assertEqual(
            ["[127.0.0.1]:25"],
            places(daemon_smtp_ports="25 : smtp", local_interfaces="127.0.0.1"),
        )

    def test_without_ipv6(self) -> None:
        """``disable_ipv6`` leaves out the IPv6 addresses."""
        self.assertEqual(["[0.0.0.0]:25"], places(disable_ipv6="true"))

    def test_given_ports(self) -> None:
        """``-oX`` with ports alone keeps the interfaces."""
        found = places("2525 : 2526", local_interfaces="127.0.0.1")
        self.assertEqual(["[127.0.0.1]:2525", "[127.0.0.1]:2526"], found)

    def test_given_interfaces(self) -> None:
        """``-oX`` with addresses alone keeps the ports."""
        self.assertEqual(["[127.0.0.2]:25"], places("127.0.0.2"))
        self.assertEqual(["[127.0.0.2]:1025"], places("127.0.0.2.1025"))
        self.assertEqual(["[::1]:1025"], places("<; [::1]:1025"))

    def test_given_both(self) -> None:
        """``-oX`` with both replaces both."""
        self.assertEqual(["[127.0.0.2]:99"], places("99 : 127.0.0.2"))

    def test_wrong(self) -> None:
        """What is no port and no address is told by name."""
        for given, text in (
            ("no-such-port", 'there is no port "no-such-port"'),
            ("65536", 'there is no port "65536"'),
            ("127.0.0.1.99999", 'there is no port "99999"'),
            ("host.example", '"host.example" is not an IP address'),
            ("", "nothing to listen on"),
        ):
            error = self.assertRaises(
                ConfigurationError, listening_places, options(), given
            )
            self.assertIn(text, str(error))

    def test_nothing(self) -> None:
        """To listen nowhere is an error, not a daemon that does nothing."""
        with self.assertRaises(ConfigurationError):
            places(local_interfaces="::1", disable_ipv6="true")

    def test_tls_on_connect(self) -> None:
        """``tls_on_connect_ports`` opens no port, but says what is spoken there."""
        found = listening_places(
            options(
                daemon_smtp_ports="25 : 465",
                local_interfaces="127.0.0.1",
                tls_on_connect_ports="465 : 466",
            )
        )
        self.assertEqual(
            [Place("127.0.0.1", 25), Place("127.0.0.1", 465, tls=True)], found
        )

    def test_port_number(self) -> None:
        """A port may be named as in /etc/services."""
        self.assertEqual(25, port_number("smtp"))
        self.assertEqual(0, port_number("0"))

    def test_words(self) -> None:
        """The log names ports where all addresses are meant, else addresses."""
        self.assertEqual(
            "port 25 (IPv6 and IPv4)", in_words(listening_places(options()))
        )
        self.assertEqual("[127.0.0.1]:26", in_words([Place("127.0.0.1", 26)]))


class RecordingReactor:
    """Takes descriptors as a reactor does, and tells what it got."""

    def __init__(self) -> None:
        self.adopted: list[tuple[tuple[Any, ...], Any]] = []
        self.closed = 0

    def adoptStreamPort(self, descriptor: int, family: int, factory: Any) -> Any:
        with socket.socket(fileno=os.dup(descriptor)) as copy:
            self.adopted.append((copy.getsockname()[:2], factory))
        reactor = self

        class Port:
            def stopListening(self) -> Deferred[None]:
                reactor.closed += 1
                done: Deferred[None] = Deferred()
                done.callback(None)
                return done

        return Port()


class FakeFactory(Factory):
    """Stands for the ESMTP factory."""

    protocol = Protocol

    def __init__(self, secure: FakeFactory | None = None) -> None:
        self.secure = secure
        self.is_cut = False

    def for_tls_on_connect(self) -> FakeFactory:
        assert self.secure is not None
        return self.secure

    async def wind_down(self) -> None:
        self.is_cut = True


class ListenerTests(SynchronousTestCase):
    """The service."""

    def setUp(self) -> None:
        self.reactor = RecordingReactor()
        self.logs = MemoryLogs()
        self.secure = FakeFactory()
        self.factory = FakeFactory(self.secure)

    def listener(self, *wanted: Place) -> Listener:
        factory: Any = self.factory
        return Listener(
            (factory, self.secure),
            wanted,
            options(),
            reactor=self.reactor,
            logs=self.logs,
        )

    def test_life(self) -> None:
        """Ports are open before anybody is served, and are closed in the end."""
        listener = self.listener(Place("127.0.0.1", 0), Place("127.0.0.1", 0, tls=True))

        listener.privilegedStartService()
        first, second = listener.places
        self.assertNotIn(0, (first.port, second.port))
        with socket.create_connection((first.address, first.port), 5):
            self.assertEqual([], self.reactor.adopted)

        listener.startService()
        self.assertEqual(
            [
                (("127.0.0.1", first.port), self.factory),
                (("127.0.0.1", second.port), self.secure),
            ],
            self.reactor.adopted,
        )
        self.successResultOf(listener.stopService())
        self.assertEqual(2, self.reactor.closed)
        self.assertTrue(self.factory.is_cut)
        self.assertTrue(self.secure.is_cut)

    def test_start_alone(self) -> None:
        """Where nobody calls for the privileged step, starting opens the ports."""
        listener = self.listener(Place("127.0.0.1", 0))
        listener.startService()
        self.assertEqual(1, len(self.reactor.adopted))

    def test_text(self) -> None:
        """The log says what is spoken where."""
        listener = self.listener(Place("127.0.0.1", 25), Place("127.0.0.1", 465, True))
        self.assertEqual(
            "SMTP on [127.0.0.1]:25 and for SMTPS on [127.0.0.1]:465", str(listener)
        )

    def test_in_use(self) -> None:
        """A port that somebody has is an error that names it; none stays open."""
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            listener = self.listener(Place("127.0.0.1", 0), Place("127.0.0.1", port))
            error = self.assertRaises(ListenError, listener.privilegedStartService)
        self.assertEqual(
            f"cannot listen on [127.0.0.1]:{port}: Address already in use", str(error)
        )
        self.assertEqual([], listener._sockets)

    def test_without_ipv6(self) -> None:
        """A machine without IPv6 is served on IPv4, and the log says so."""
        listener = self.listener(Place("127.0.0.1", 0), Place("::1", 0))
        opened = listener._open

        def open_place(place: Place) -> socket.socket:
            if place.family is socket.AF_INET6:
                raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
            return opened(place)

        self.patch(listener, "_open", open_place)
        listener.privilegedStartService()
        self.assertEqual(["127.0.0.1"], [place.address for place in listener.places])
        self.assertIn("no IPv6", self.logs.lines[0])
        listener.startService()

    def test_nothing_opens(self) -> None:
        """Where no place can be opened, that is an error."""
        listener = self.listener(Place("::1", 0))

        def open_place(place: Place) -> socket.socket:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported")

        self.patch(listener, "_open", open_place)
        self.assertRaises(ListenError, listener.privilegedStartService)
