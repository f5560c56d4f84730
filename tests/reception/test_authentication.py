"""AUTH: an authenticator, and what becomes of its verdict."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import ExpansionError, TemporaryFailure
from mta.expand.context import Context
from mta.reception.authentication import (
    AuthenticationVerdict,
    Challenge,
    InvalidResponse,
    decode_response,
    encode_challenge,
)
from tests.reception.serving import Client, Server


class Login:
    """Asks for a name and a password; ``yes`` is the right one."""

    name = "login_server"
    public_name = "LOGIN"
    only_secure = False
    failure: Exception | None = None
    has_ended = False

    async def is_offered(self, context: Context) -> bool:
        """Return whether the client may use it."""
        if self.failure is not None:
            raise self.failure
        return not self.only_secure or context.connection.tls is not None

    async def converse(
        self, response: bytes | None, context: Context
    ) -> AsyncGenerator[Challenge | AuthenticationVerdict, bytes]:
        """Ask, and judge."""
        try:
            name = response
            if name is None:
                name = yield Challenge(b"User Name")
            password = yield Challenge(b"Password")
            if password == b"broken":
                raise ExpansionError("what?")
            outcome = {b"yes": "ok", b"later": "defer"}.get(password, "fail")
            yield AuthenticationVerdict(outcome, name.decode())
        finally:
            self.has_ended = True


class AuthenticationCase(SynchronousTestCase):
    """A server with one authenticator."""

    def serve(self, options: str = "", acls: str = "") -> Client:
        """Return a client that said EHLO."""
        self.login = Login()
        self.server = Server(options, acls, authenticators=[self.login])
        client = self.server.connect()
        client.transport.take()
        return client.hello()

    def answers(self, client: Client, *responses: bytes) -> list[str]:
        """Give responses; return the replies, the last challenge's included."""
        return client.replies(
            *(encode_challenge(response).decode() for response in responses)
        )


class ExchangeTests(AuthenticationCase):
    """One exchange."""

    def test_success(self) -> None:
        """The client is known from then on, and arrival lines say by what."""
        client = self.serve()

        first = client.replies("AUTH LOGIN")
        second = self.answers(client, b"alice", b"yes")
        client.replies("MAIL FROM:<a@b.example>", "RCPT TO:<b@mx.example>", "DATA", ".")

        self.assertEqual(["334 VXNlciBOYW1l"], first)
        self.assertEqual(["334 UGFzc3dvcmQ=", "235 Authentication succeeded"], second)
        self.assertIn("P=esmtpa A=login_server:alice S=", self.server.logs.lines[-1])
        self.assertTrue(self.login.has_ended)

    def test_initial_response(self) -> None:
        """The first response may come with the command."""
        client = self.serve()

        replies = client.replies(
            "AUTH login YWxpY2U=", encode_challenge(b"yes").decode()
        )

        self.assertEqual(["334 UGFzc3dvcmQ=", "235 Authentication succeeded"], replies)

    def test_wrong(self) -> None:
        """A wrong password is refused, and logged with the name."""
        client = self.serve()
        client.replies("AUTH LOGIN")

        replies = self.answers(client, b"alice", b"no")

        self.assertEqual("535 Incorrect authentication data", replies[-1])
        self.assertIn(
            "login_server authenticator failed for H=(client.example) [192.0.2.7]: "
            "535 Incorrect authentication data (set_id=alice)",
            self.server.logs.lines,
        )
        self.assertTrue(self.login.has_ended)
        self.assertEqual(["334 VXNlciBOYW1l"], client.replies("AUTH LOGIN"))

    def test_later(self) -> None:
        """Who cannot be judged now is to come again; so where the judge fails."""
        for password in (b"later", b"broken"):
            client = self.serve()
            client.replies("AUTH LOGIN")

            replies = self.answers(client, b"alice", password)

            self.assertEqual("435 Unable to authenticate at present", replies[-1])
        self.assertEqual(["login_server authenticator: what?"], self.server.panics)

    def test_cancelled(self) -> None:
        """A client can give up."""
        client = self.serve()

        replies = client.replies("AUTH LOGIN", "*", "NOOP")

        self.assertEqual(["501 Authentication cancelled", "250 OK"], replies[1:])
        self.assertTrue(self.login.has_ended)

    def test_nonsense(self) -> None:
        """What is not in base 64 is refused."""
        client = self.serve()

        replies = client.replies("AUTH LOGIN !", "AUTH LOGIN", "a", "NOOP")

        self.assertEqual("501 Invalid base64 data", replies[0])
        self.assertEqual(["501 Invalid base64 data", "250 OK"], replies[2:])

    def test_lost(self) -> None:
        """A client that vanishes in the middle does no harm."""
        client = self.serve()
        client.replies("AUTH LOGIN")

        client.hang_up()

        self.assertEqual([], self.server.panics)
        self.assertEqual(0, self.server.connections.count)


class OfferTests(AuthenticationCase):
    """Who is offered AUTH."""

    def test_offered(self) -> None:
        """EHLO names the mechanism, until the client is known."""
        client = self.serve()

        before = client.says(b"EHLO client.example\r\n")
        client.replies("AUTH LOGIN")
        self.answers(client, b"alice", b"yes")
        after = client.says(b"EHLO client.example\r\n")

        self.assertIn(b"250-AUTH LOGIN\r\n", before)
        self.assertNotIn(b"AUTH", after)

    def test_not_in_clear(self) -> None:
        """What is not offered is not understood."""
        client = self.serve()
        self.login.only_secure = True

        answer = client.says(b"EHLO client.example\r\n")

        self.assertNotIn(b"AUTH", answer)
        self.assertEqual(
            ["503 AUTH command used when not advertised"], client.replies("AUTH LOGIN")
        )

    def test_hosts(self) -> None:
        """auth_advertise_hosts is for all mechanisms."""
        client = self.serve("auth_advertise_hosts = ! 192.0.2.7 : *")

        self.assertNotIn(b"AUTH", client.says(b"EHLO client.example\r\n"))

    def test_undecided(self) -> None:
        """A mechanism that cannot be asked about is not offered."""
        client = self.serve()
        self.login.failure = TemporaryFailure("not now")

        self.assertNotIn(b"AUTH", client.says(b"EHLO client.example\r\n"))

    def test_acl(self) -> None:
        """acl_smtp_auth can refuse; the log does not tell the response."""
        client = self.serve("acl_smtp_auth = check", "check:\n  deny message = no")

        self.assertEqual(["503 no"], client.replies("AUTH LOGIN c2VjcmV0"))
        self.assertIn(
            "H=(client.example) [192.0.2.7] rejected AUTH LOGIN: no",
            self.server.logs.lines,
        )

    def test_in_transaction(self) -> None:
        """AUTH has no place between MAIL and the end of data."""
        client = self.serve()

        self.assertEqual(
            ["250 OK", "503 not permitted in mail transaction"],
            client.replies("MAIL FROM:<>", "AUTH LOGIN"),
        )


class SenderTests(AuthenticationCase):
    """The AUTH parameter of MAIL."""

    def sender(self, client: Client) -> str | None:
        """Return the authenticated sender of a message."""
        client.replies(
            "MAIL FROM:<a@b.example> AUTH=x+40y.example", "RCPT TO:<b@mx.example>"
        )
        client.replies("DATA", ".")
        return self.server.store.messages[-1].authenticated_sender

    def test_believed(self) -> None:
        """A client that authenticated is believed."""
        client = self.serve()
        client.replies("AUTH LOGIN")
        self.answers(client, b"alice", b"yes")

        self.assertEqual("x@y.example", self.sender(client))

    def test_not_believed(self) -> None:
        """Another is not; the log says so."""
        client = self.serve()

        self.assertFalse(self.sender(client))
        self.assertIn(
            "ignoring AUTH=x@y.example from (client.example) [192.0.2.7] "
            "(client not authenticated)",
            self.server.logs.lines,
        )

    def test_acl(self) -> None:
        """Unless acl_smtp_mailauth says otherwise."""
        client = self.serve("acl_smtp_mailauth = check", "check:\n  accept")

        self.assertEqual("x@y.example", self.sender(client))


class CodingTests(SynchronousTestCase):
    """Base 64."""

    def test_empty(self) -> None:
        """A lone = is an empty response."""
        self.assertEqual(b"", decode_response(b"="))
        self.assertEqual(b"", decode_response(b""))

    def test_wrong(self) -> None:
        """Nothing else is guessed."""
        for response in (b"a", b"YQ", b"Y Q==", b"\xff===", b"YQ==\n"):
            self.assertRaises(InvalidResponse, decode_response, response)
