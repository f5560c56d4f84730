"""Tests of a server's contexts and handshakes."""

from __future__ import annotations

import sys
from typing import Any

from OpenSSL import SSL, _util
from twisted.trial.unittest import SynchronousTestCase

from mta.taint import is_tainted
from mta.tls import server
from mta.tls.policy import Verify
from mta.tls.server import ServerTLS, server_context, staple
from tests.tls.handshakes import client, serve
from tests.tls.proofs import Authority, Holder

AUTHORITY = Authority()
HOST = AUTHORITY.issue()
OTHER = AUTHORITY.issue("other.example")
MAIL = frozenset([b"smtp", b"esmtp"])


def context_for(holder: Holder = HOST, **facts: Any) -> SSL.Context:
    """Return a context that serves a certificate."""
    context = server_context(**facts)
    context.use_certificate(holder.certificate)
    context.use_privatekey(holder.key)
    staple(context, None)
    return context


class ContextTests(SynchronousTestCase):
    """What every client is told."""

    def test_versions(self) -> None:
        """TLS 1.2 and 1.3 are spoken, and nothing older."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            serve(ServerTLS(context_for()), client(version=version))
        for version in (SSL.TLS1_VERSION, SSL.TLS1_1_VERSION):
            old = client(version=version, ciphers="ALL:@SECLEVEL=0")
            self.assertRaises(SSL.Error, serve, ServerTLS(context_for()), old)

    def test_options(self) -> None:
        """OpenSSL's options can switch a version off."""
        context = context_for(bits=server.DEFAULT_BITS | SSL.OP_NO_TLSv1_3)

        self.assertRaises(SSL.Error, serve, ServerTLS(context), client())

    def test_ciphers(self) -> None:
        """Cipher names may have underscores."""
        context = context_for(ciphers="ECDHE_ECDSA_AES128_GCM_SHA256")
        theirs = client(version=SSL.TLS1_2_VERSION)

        serve(ServerTLS(context), theirs)

        self.assertEqual("ECDHE-ECDSA-AES128-GCM-SHA256", theirs.get_cipher_name())

    def test_no_resumption(self) -> None:
        """Nobody gets a session that could be resumed."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            context = context_for()
            first = client(version=version)
            ours = serve(ServerTLS(context), first)
            ours.send(b"octets")
            first.bio_write(ours.bio_read(10000))
            first.recv(10)
            again = SSL.Connection(first.get_context(), None)
            again.set_connect_state()
            session = first.get_session()
            assert session is not None
            again.set_session(session)

            serve(ServerTLS(context), again)

            self.assertFalse(_util.lib.SSL_session_reused(again._ssl))


class ProtocolTests(SynchronousTestCase):
    """What is agreed on beside TLS (ALPN, RFC 7301)."""

    def session(self, *offered: bytes, **facts: Any) -> ServerTLS:
        """Return a session with a client that offers protocols; it may be refused."""
        facts.setdefault("protocols", MAIL)
        self.made = ServerTLS(context_for(), **facts)
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.ours = serve(self.made, client(version=version, protocols=offered))
        return self.made

    def test_none(self) -> None:
        """A client may offer none, unless it must."""
        session = self.session()
        self.assertFalse(session.lacks_protocol(self.ours))

        session = self.session(needs_protocol=True)
        self.assertTrue(session.lacks_protocol(self.ours))

    def test_one(self) -> None:
        """One that is known is agreed on."""
        for name in (b"smtp", b"esmtp"):
            session = self.session(name, needs_protocol=True)

            self.assertFalse(session.lacks_protocol(self.ours))
            self.assertEqual(name, self.ours.get_alpn_proto_negotiated())

    def test_refused(self) -> None:
        """Another one, or several, end the handshake with an alert."""
        for offered, text in (
            ([b"h2"], "('h2')"),
            ([b"smtp", b"h2"], "('smtp', 'h2')"),
            ([b"smtp", b"esmtp"], "('smtp', 'esmtp')"),
            ([b"\x00\xff\n"], "('\\x00\\xff\\n')"),
        ):
            error = self.assertRaises(SSL.Error, self.session, *offered)

            self.assertEqual(f"Bad ALPN presented {text}", self.made.refusal)
            self.assertIn("no application protocol", str(error))

    def test_many(self) -> None:
        """What is told of them is limited."""
        offered = [b"x" * 200] * 100
        self.assertRaises(SSL.Error, self.session, *offered)

        self.assertLess(len(self.made.refusal), 300)

    def test_not_looked_at(self) -> None:
        """Without names of its own the server does not care."""
        session = self.session(b"h2", protocols=frozenset())

        self.assertEqual("", session.refusal)
        self.assertEqual(b"", self.ours.get_alpn_proto_negotiated())

    def test_alert(self) -> None:
        """The client is told that it is the protocol."""
        session = ServerTLS(context_for(), protocols=MAIL)
        theirs = client(protocols=[b"h2"])
        ours = session.serverConnectionForTLS(None)
        ours.set_accept_state()
        self.assertRaises(SSL.WantReadError, theirs.do_handshake)
        ours.bio_write(theirs.bio_read(10000))
        self.assertRaises(SSL.Error, ours.do_handshake)

        # An alert (21) that is fatal (2): no_application_protocol (120).
        self.assertEqual(b"\x15\x03\x03\x00\x02\x02\x78", ours.bio_read(10000))


class ServerNameTests(SynchronousTestCase):
    """The name that a client asks for (SNI)."""

    def test_chosen(self) -> None:
        """The name chooses the certificate; it is tainted."""
        asked: list[str] = []

        def choose(name: str) -> SSL.Context:
            asked.append(name)
            return context_for(OTHER)

        theirs = client(name=b"other.example")
        session = ServerTLS(context_for(), choose=choose)
        facts = session.facts(serve(session, theirs), on_connect=False)

        self.assertEqual(["other.example"], asked)
        self.assertEqual(OTHER.certificate, facts.our_certificate)
        self.assertEqual("other.example", facts.sni)
        self.assertTrue(is_tainted(facts.sni))

    def test_hostile(self) -> None:
        """Whatever a client asks for is only text."""
        asked = []

        def choose(name: str) -> SSL.Context:
            asked.append(name)
            return context_for()

        for name in (
            b"../../etc/passwd",
            b"a b\x1b[1m",
            b"\xff\xfe.example",
            b"." * 255,
        ):
            serve(ServerTLS(context_for(), choose=choose), client(name=name))

        self.assertEqual(
            ["../../etc/passwd", "a b\x1b[1m", "\ufffd\ufffd.example", "." * 255], asked
        )

    def test_too_long(self) -> None:
        """A name of 300 octets, or with a NUL, does not get as far as that."""
        for name in (b"a" * 300, b"mx\0.example"):
            asked: list[str] = []
            session = ServerTLS(context_for(), choose=asked.append)  # type: ignore[arg-type]
            hello = client_hello(name)
            ours = session.serverConnectionForTLS(None)
            ours.set_accept_state()
            ours.bio_write(hello)

            self.assertRaises(SSL.Error, ours.do_handshake)
            self.assertEqual([], asked)
            # The client is sent an alert.
            self.assertEqual(b"\x15", ours.bio_read(10000)[:1])


def client_hello(name: bytes) -> bytes:
    """Return a client's first message, asking for a name that OpenSSL would not."""
    placeholder = b"p" * min(len(name), 200)
    theirs = client(name=placeholder)
    try:
        theirs.do_handshake()
    except SSL.WantReadError:
        pass
    hello = theirs.bio_read(10000)
    at = hello.index(placeholder)
    more = len(name) - len(placeholder)
    result = bytearray(hello[:at] + name + hello[at + len(placeholder) :])

    def add(position: int, size: int) -> None:
        value = int.from_bytes(result[position : position + size], "big") + more
        result[position : position + size] = value.to_bytes(size, "big")

    # The lengths before the name, in turn: of the name, of the list, of the extension;
    # then of all extensions, of the message and of the record.
    for position in (at - 2, at - 5, at - 7):
        add(position, 2)
    add(_extensions_at(hello), 2)
    add(6, 3)
    add(3, 2)
    return bytes(result)


def _extensions_at(hello: bytes) -> int:
    position = 5 + 4 + 2 + 32
    position += 1 + hello[position]
    position += 2 + int.from_bytes(hello[position : position + 2], "big")
    return position + 1 + hello[position]


class BrokenError(Exception):
    """Something that nobody foresaw."""


class CallbackTests(SynchronousTestCase):
    """Nothing but OpenSSL's own errors gets out of what OpenSSL calls."""

    def setUp(self) -> None:
        self.shown: list[object] = []
        self.patch(sys, "excepthook", lambda *facts: self.shown.append(facts))
        self.patch(sys, "unraisablehook", self.shown.append)

    def tearDown(self) -> None:
        self.assertEqual([], self.shown)

    def broken(self, *_: object) -> Any:
        """Fail as no function should."""
        raise BrokenError("nobody foresaw this")

    def test_staple(self) -> None:
        """Where a staple cannot be found there is none."""
        self.patch(server, "_staple", self.broken)
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            context = SSL.Context(SSL.TLS_CLIENT_METHOD)
            context.set_max_proto_version(version)
            found: list[bytes] = []
            context.set_ocsp_client_callback(
                lambda _, octets, __, found=found: not found.append(octets)
            )
            theirs = SSL.Connection(context, None)
            theirs.set_connect_state()
            theirs.request_ocsp()

            serve(ServerTLS(context_for()), theirs)

            self.assertEqual([b""], found)

    def test_server_name(self) -> None:
        """Where no certificate can be chosen there is an alert."""
        session = ServerTLS(context_for(), choose=self.broken)
        self.assertRaises(SSL.Error, serve, session, client(name=b"other.example"))

        self.patch(server, "_choose", self.broken)
        session = ServerTLS(context_for())
        self.assertRaises(SSL.Error, serve, session, client(name=b"other.example"))

    def test_protocols(self) -> None:
        """Where it is not known what a client may speak it is refused."""
        self.patch(server, "_agreed", self.broken)
        session = ServerTLS(context_for())

        self.assertRaises(SSL.Error, serve, session, client(protocols=[b"smtp"]))

    def test_certificate(self) -> None:
        """A certificate that cannot be judged is not verified."""
        self.patch(ServerTLS, "_judge", self.broken)
        for verify in (Verify.TRY, Verify.REQUIRE):
            session = ServerTLS(context_for(), verify)
            if verify is Verify.REQUIRE:
                self.assertRaises(SSL.Error, serve, session, client(holder=HOST))
            else:
                ours = serve(session, client(holder=HOST))
                facts = session.facts(ours, on_connect=False)
                self.assertFalse(facts.verified)
            self.assertIn("BrokenError", session.problem)
