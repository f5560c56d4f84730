"""Callouts on a network in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mta.address import parse_address
from mta.callout import Callout
from mta.connection import Connection
from mta.delivery.callout import Callouts
from mta.delivery.callout_options import CalloutOptions
from mta.delivery.routing import RouterChain
from mta.delivery.verify import AddressVerification, RoutingVerifier
from mta.errors import SpoolError
from mta.expand.context import Context, Site
from mta.expand.registry import Language
from mta.host import Host
from mta.message import Message
from mta.recipient import RoutedAddress
from mta.routers.base import Decision, Verdict
from mta.testing import FakeResolver, MemoryLogs
from tests.delivery.fakes import TableRouter
from tests.smtp.fake_server import FakeNetwork, FakeServer
from tests.transports.relaying import HOST_A, HOST_B, smtp_transport

UNKNOWN = b"550 no such user\r\n"
LATER = b"451 not now\r\n"


class TimedHints:
    """Hints in a dictionary that expire by a clock."""

    def __init__(self) -> None:
        self.now = 86400.0
        self.values: dict[str, tuple[Any, float]] = {}
        self.is_broken = False

    def find(self, kind: str, key: str) -> Any:
        if self.is_broken:
            raise SpoolError("no database")
        value, expires = self.values.get(f"{kind}: {key}", (None, 0.0))
        return value if expires > self.now else None

    def put(self, kind: str, key: str, value: Any, expires: float) -> None:
        self.values[f"{kind}: {key}"] = value, expires

    def items(self, kind: str) -> list[tuple[str, Any]]:
        return [(key, value) for key, (value, _) in self.values.items()]


class HostRouter(TableRouter):
    """Gives hosts to what its table does not have."""

    hosts: list[Host]

    async def route(self, address: RoutedAddress, context: Any) -> Decision:
        decision = await super().route(address, context)
        if decision.verdict is Verdict.ACCEPT:
            address.hosts = list(self.hosts)
        return decision


class CalloutCase(SynchronousTestCase):
    """Verifies addresses whose hosts are A and B, which are fakes."""

    def setUp(self) -> None:
        self.network = FakeNetwork()
        self.a = self.serve(HOST_A, FakeServer())
        self.b = self.serve(HOST_B, FakeServer())
        self.hints = TimedHints()
        self.logs = MemoryLogs()
        self.language = Language.load()
        self.connection = Connection()
        self.message: Message | None = None
        self.route_to("remote_smtp", HOST_A, HOST_B)
        self.set_up()

    def serve(self, host: Host, server: Any, port: int = 25) -> Any:
        """Let a server (or an exception) answer where a host is."""
        self.network.servers[host.ip_address, port] = server
        return server

    def route_to(self, transport: str, *hosts: Host) -> None:
        """Let every address go to some hosts from now on."""
        self.router = HostRouter.with_texts({}, language=self.language, name="a")
        self.router.table, self.router.target = {}, transport
        self.router.hosts = list(hosts)

    def set_up(self, **options: Any) -> None:
        """Use a transport with options, and main options, from now on."""
        main = {k: options.pop(k) for k in list(options) if k.startswith("callout_")}
        transport = smtp_transport(self.network, language=self.language, **options)
        self.site = Site(
            primary_hostname="mx.example",
            qualify_domain="example.net",
            logs=self.logs,
            resolver=FakeResolver(),
            hints=self.hints,
            language=self.language,
            clock=lambda: self.hints.now,
        )
        self.callouts = Callouts(
            transports={"remote_smtp": transport, "local": object()},
            options=CalloutOptions.with_texts(main, language=self.language),
            reactor=self.network,
            own_ports=frozenset({2525}),
        )

    def begin(
        self,
        text: str = "joe@d.example",
        *,
        sender: bool = False,
        follows_redirects: bool = True,
        **parameters: Any,
    ) -> Deferred[AddressVerification]:
        """Begin to verify; all happens that needs no time.

        ``sender_is`` is the sender of the callout.
        """
        if "sender_is" in parameters:
            parameters["sender"] = parameters.pop("sender_is")
            parameters["given_sender"] = parse_address("given@example.org")
        verifier = RoutingVerifier(RouterChain({"a": self.router}), self.callouts)
        ask = verifier.verify_sender if sender else verifier.verify_recipient
        self.context = Context(self.site, self.connection, self.message)
        result = Deferred.fromCoroutine(
            ask(
                parse_address(text),
                self.context,
                callout=Callout(**parameters),
                follows_redirects=follows_redirects,
            )
        )
        self.network.pump()
        return result

    def verify(self, text: str = "joe@d.example", **facts: Any) -> AddressVerification:
        """Verify to the end."""
        return self.successResultOf(self.begin(text, **facts))

    def outcome(self, text: str = "joe@d.example", **facts: Any) -> tuple[str, str]:
        """Verify to the end and return outcome and the word for the failure."""
        found = self.verify(text, **facts)
        return found.outcome, found.failure

    def with_message(self, sender: str = "me@example.net", **facts: Any) -> None:
        """Have a message in hand from now on."""
        self.message = Message("1abcde-00000000001-0001", parse_address(sender))
        for name, value in facts.items():
            setattr(self.message, name, value)
