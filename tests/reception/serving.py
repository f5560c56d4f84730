"""A server in memory: a configuration, a clock, a spool that forgets, connections."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from mta.acl.evaluate import ACLs
from mta.acl.syntax import ACLLanguage
from mta.config.sections import read_configuration
from mta.connection import TLSFacts
from mta.expand.context import Context, Site
from mta.expand.registry import Language
from mta.log import DEFAULT_SELECTORS
from mta.lookups.base import Lookups
from mta.message import Bytes, Message
from mta.options import Configurable, Option, String
from mta.reception.acceptance import Acceptance, MessageOptions
from mta.reception.acl_options import ACLOptions
from mta.reception.connections import Connections
from mta.reception.options import SMTPOptions
from mta.reception.policy import Policy
from mta.reception.protocol import ESMTPProtocol
from mta.reception.server import ESMTPFactory
from mta.reception.tls import ServerCertificates
from mta.reception.tls_options import TLSOptions
from mta.testing import FakeResolver, FakeVerifier, MemoryLogs

EPOCH = 1_700_000_000.0
CLIENT = "192.0.2.7"
CONFIGURATION = """
primary_hostname = mx.example
{options}
begin acl
check_rcpt:
  deny local_parts = refused : other
       message = no $local_part here
  accept
{acls}
"""


class NameOptions(Configurable):
    """The site's own options that the tests need."""

    primary_hostname = Option(String, None, "The name of this host.")


@cache
def languages() -> tuple[Language, ACLLanguage]:
    """Return the languages of configurations; loading them takes a while."""
    language = Language.load()
    language.lookups = Lookups.load(resolver=FakeResolver())
    return language, ACLLanguage.load(language)


class MemoryBody:
    """Keeps a body; ``is_behind`` is what the test says."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.written: list[bytes] = []
        self.is_abandoned = False

    def write(self, octets: bytes) -> None:
        self.written.append(octets)

    @property
    def is_behind(self) -> bool:
        return self._store.is_behind

    async def when_ready(self) -> None:
        await self._store.pause()

    async def finish(self) -> Bytes:
        return Bytes(b"".join(self.written))

    def abandon(self) -> None:
        self.is_abandoned = True


class MemoryStore:
    """Keeps messages in a list; with ``delay`` that takes so many seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.messages: list[Message] = []
        self.bodies: list[MemoryBody] = []
        self.delay: float | None = None
        self.failure: Exception | None = None
        self.is_behind = False
        self.ready: list[Deferred[None]] = []

    def next_id(self) -> str:
        return f"1r2d3a-{len(self.bodies):011d}-0001"

    def new_body(self) -> MemoryBody:
        self.bodies.append(MemoryBody(self))
        return self.bodies[-1]

    def pause(self) -> Deferred[None]:
        """Return what the test fires when the disk has caught up."""
        self.ready.append(Deferred())
        return self.ready[-1]

    async def add(self, message: Message) -> None:
        if self.delay is not None:
            await deferLater(self._clock, self.delay, lambda: None)
        if self.failure is not None:
            raise self.failure
        self.messages.append(message)


class PretendedTLS:
    """TLS without any: the handshake is over when the test says so."""

    is_on = True
    problem = refusal = ""
    options = TLSOptions()

    @staticmethod
    def lacks_protocol(handle: object) -> bool:
        return False

    async def is_offered(self, context: Context) -> bool:
        return True

    async def for_client(self, context: Context) -> object:
        return self

    @staticmethod
    def facts(handle: object, *, on_connect: bool) -> TLSFacts:
        name = "TLS_AES_256_GCM_SHA384"
        return TLSFacts("TLS1.3", f"TLS1.3:{name}:256", name, 256)


class ClientTransport(StringTransport):
    """The client's end: what it was sent, and whether it was cut off."""

    tls: object = None
    is_aborted = False

    def __init__(self, peer: str = CLIENT) -> None:
        super().__init__(
            IPv4Address("TCP", "198.51.100.1", 25), IPv4Address("TCP", peer, 4711)
        )

    def startTLS(self, context: object) -> None:
        self.tls = context

    def getHandle(self) -> object:
        return self

    def abortConnection(self) -> None:
        self.is_aborted = True
        super().abortConnection()

    @property
    def is_closed(self) -> bool:
        return self.disconnecting or self.is_aborted

    def take(self) -> bytes:
        """Return what came since the last call."""
        octets: bytes = self.value()
        self.clear()
        return octets


class Server:
    """A server with the options and ACLs of a configuration's text.

    ``tls`` is ``"real"`` or stands for it.  Without a reactor time goes by at will.
    """

    def __init__(
        self,
        options: str = "",
        acls: str = "",
        *,
        tls: Any = None,
        selectors: str = "",
        authenticators: Any = (),
        reactor: Any = None,
        store: Any = None,
        factory: type[ESMTPFactory] = ESMTPFactory,
    ) -> None:
        language, acl_language = languages()
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "mta.conf")
            if "acl_smtp_rcpt" not in options:
                options += "\nacl_smtp_rcpt = check_rcpt"
            path.write_text(CONFIGURATION.format(options=options, acls=acls))
            read = read_configuration(
                [str(path)],
                macros={},
                language=language,
                acl_language=acl_language,
                main_groups=[
                    NameOptions,
                    SMTPOptions,
                    TLSOptions,
                    ACLOptions,
                    MessageOptions,
                ],
                drivers={},
                check_permissions=False,
            )
        self.clock = Clock() if reactor is None else reactor
        self.logs = MemoryLogs(DEFAULT_SELECTORS | set(selectors.split()))
        self.resolver = FakeResolver()
        self.verifier = FakeVerifier()
        self.store = store or MemoryStore(self.clock)
        self.connections = Connections()
        self.site = Site(
            primary_hostname="mx.example",
            qualify_domain="mx.example",
            qualify_recipient="mx.example",
            active_hostname="mx.example",
            version="1",
            named_lists=read.named_lists,
            lookups=language.lookups,
            resolver=self.resolver,
            logs=self.logs,
            language=language,
            clock=self.now,
        )
        self.policy = Policy(
            site=self.site,
            options=read.main(ACLOptions),
            acls=ACLs(read.acls, acl_language),
            verifier=self.verifier,
            logs=self.logs,
            sleep=lambda seconds: deferLater(self.clock, seconds, lambda: None),
            deliver_for=lambda _what: True,
        )
        self.acceptance = Acceptance(
            store=self.store,
            policy=self.policy,
            site=self.site,
            logs=self.logs,
            options=read.main(MessageOptions),
            accepted=lambda message: None,
            clock=self.now,
        )
        if isinstance(tls, PretendedTLS):
            tls.options = read.main(TLSOptions)
        if tls == "real":
            tls = ServerCertificates(
                read.main(TLSOptions),
                host_name="mx.example",
                logs=self.logs,
                clock=self.now,
            )
        self.factory = factory(
            site=self.site,
            options=read.main(SMTPOptions),
            policy=self.policy,
            acceptance=self.acceptance,
            tls=tls,
            logs=self.logs,
            clock=self.clock,
            limits=self.connections,
            authenticators=authenticators,
        )
        self.factory.doStart()

    def now(self) -> float:
        """Return the time of day."""
        return EPOCH + self.clock.seconds()

    def connect(self, peer: str = CLIENT, *, tls: bool = False) -> Client:
        """Return a new client, whose connection was just accepted."""
        factory = self.factory.for_tls_on_connect() if tls else self.factory
        return Client(self, factory, peer)

    @property
    def panics(self) -> list[str]:
        """The lines of the panic log."""
        return [text for text, _ in self.logs.panic_lines]


class Client:
    """A client that says what the test says."""

    def __init__(self, server: Server, factory: ESMTPFactory, peer: str) -> None:
        self.server = server
        self.transport = ClientTransport(peer)
        self.protocol: ESMTPProtocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)

    def says(self, octets: bytes) -> bytes:
        """Send octets; return what comes back without any waiting."""
        self.send(octets)
        return self.transport.take()

    def send(self, octets: bytes) -> None:
        """Send octets."""
        if not self.transport.is_closed:
            self.protocol.dataReceived(octets)

    def replies(self, *lines: str) -> list[str]:
        """Send lines one by one; return the last line of the reply to each."""
        found = []
        for line in lines:
            reply = self.says(line.encode("utf-8", "surrogateescape") + b"\r\n")
            found.append(reply.decode().rpartition("\n")[0].rpartition("\n")[2].strip())
        return found

    def hello(self) -> Client:
        """Say EHLO, and forget what came so far."""
        self.says(b"EHLO client.example\r\n")
        return self

    def hang_up(self) -> None:
        """Close the connection."""
        self.protocol.connectionLost(Failure(ConnectionDone()))
