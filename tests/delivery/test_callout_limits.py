"""Callouts of hosts that are slow or hostile, and of many at once."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError

from tests.delivery.calling_out import LATER, UNKNOWN, CalloutCase
from tests.smtp.fake_server import FakeServer
from tests.transports.relaying import HOST_A, HOST_B, HOST_C

SILENCE = FakeServer.SILENCE


class TimeTests(CalloutCase):
    """How long a callout takes at most."""

    def setUp(self) -> None:
        super().setUp()
        self.route_to("remote_smtp", HOST_A)

    def test_silence(self) -> None:
        """A host that says nothing at any point is given up after the limit."""
        for verb in ("GREETING", "EHLO", "MAIL", "RCPT", "RSET"):
            with self.subTest(verb):
                self.a.replies = {verb: SILENCE}
                result = self.begin(
                    response_limit=10, postmaster=verb == "RSET", uses_cache=False
                )
                self.network.advance(9.9)
                self.assertNoResult(result)
                self.network.advance(0.2)

                found = self.successResultOf(result)

                self.assertEqual("defer", found.outcome)
                self.assertIn("timeout", found.text)
                self.assertEqual(self.a.connections, self.a.closed)

    def test_drops(self) -> None:
        """A reply that comes octet by octet does not begin the time anew."""
        self.a.replies["RCPT"] = SILENCE
        result = self.begin(response_limit=10)

        for _ in range(3):
            transport = self.network.connections[-1]
            if transport.is_open:
                self.network.say(transport, b"250-on and on\r\n")
            self.network.advance(4)

        self.assertEqual("defer", self.successResultOf(result).outcome)

    def test_no_limit(self) -> None:
        """There is no callout without limits."""
        self.a.replies["RCPT"] = SILENCE
        result = self.begin(response_limit=0)
        self.network.advance(1)

        self.assertEqual("defer", self.successResultOf(result).outcome)

    def test_connect_limit(self) -> None:
        """A connection has a limit of its own, that of replies by default."""
        asked: list[float] = []
        connect = self.network.connectTCP

        def watched(*arguments: Any, timeout: float, **others: Any) -> None:
            asked.append(timeout)
            connect(*arguments, timeout=timeout, **others)

        self.network.connectTCP = watched  # type: ignore[method-assign]
        self.verify(response_limit=7, connect_limit=2)
        self.verify("x@d.example", response_limit=7)

        self.assertEqual([2, 7], asked)

    def test_all_hosts(self) -> None:
        """No further host is asked when the time for all is over."""
        c = self.serve(HOST_C, FakeServer())
        self.route_to("remote_smtp", HOST_A, HOST_B, HOST_C)
        self.a.replies["RCPT"] = self.b.replies["RCPT"] = SILENCE
        for limits in ({"total_limit": 15}, {"response_limit": 10, "total_limit": 20}):
            with self.subTest(limits):
                result = self.begin(**{"response_limit": 10, **limits})
                self.network.advance(10)
                self.network.advance(10)

                self.assertEqual("defer", self.successResultOf(result).outcome)
                self.assertEqual(0, c.connections)

    def test_default_for_all(self) -> None:
        """By default all hosts together have four times as long as one reply."""
        self.serve(HOST_C, FakeServer(RCPT=SILENCE))
        self.a.replies.update(RCPT=SILENCE)
        self.b.replies.update(RCPT=SILENCE)
        self.route_to("remote_smtp", *[HOST_A, HOST_B, HOST_C] * 3)
        result = self.begin(response_limit=10)
        for _ in range(4):
            self.assertNoResult(result)
            self.network.advance(10)

        self.assertEqual("defer", self.successResultOf(result).outcome)


class HostileTests(CalloutCase):
    """Hosts that send what is no answer."""

    def test_garbage(self) -> None:
        """What is no reply makes a host one that does not know."""
        self.route_to("remote_smtp", HOST_A)
        huge = b"250-" + b"x" * 4_000_000 + b"\r\n250 ok\r\n"
        many = b"250-x\r\n" * 100_000 + b"250 ok\r\n"
        for octets in (b"\0\xff\r\n", b"hello\r\n", b"999 x\r\n", huge, many, b"\r\n"):
            for verb in ("GREETING", "EHLO", "MAIL", "RCPT"):
                with self.subTest(verb, octets=octets[:10]):
                    self.a.replies = {verb: octets}

                    self.assertEqual(("defer", ""), self.outcome(uses_cache=False))

    def test_more_than_asked(self) -> None:
        """A yes that comes before the question counts for nothing."""
        self.route_to("remote_smtp", HOST_A)
        self.a.replies["MAIL"] = b"250 ok\r\n250 ok\r\n"

        self.assertEqual(("defer", ""), self.outcome())

    def test_every_byte(self) -> None:
        """Replies may come in any pieces."""
        self.network.cut = True
        self.a.replies["RCPT"] = b"550-no\r\n550 user\r\n"

        found = self.verify()

        self.assertEqual("fail", found.outcome)
        assert found.answer is not None
        self.assertEqual("550-no\n550 user", found.answer.reply)

    def test_lost(self) -> None:
        """A connection that breaks at any point leaves a doubt, not a failure."""
        self.route_to("remote_smtp", HOST_A)
        for verb in ("GREETING", "EHLO", "MAIL", "RCPT"):
            with self.subTest(verb):
                self.a.replies = {verb: None}

                self.assertEqual(("defer", ""), self.outcome())

    def test_line_end_in_random(self) -> None:
        """A local part that would be another command is not sent."""
        self.set_up(callout_random_local_part="x>\\nQUIT")

        found = self.verify(random=True)

        self.assertEqual("defer", found.outcome)
        self.assertNotIn("QUIT", self.a.commands)


class ManyTests(CalloutCase):
    """The same question, asked while it is being asked."""

    def setUp(self) -> None:
        super().setUp()
        self.a.replies["RCPT"] = SILENCE

    def answer(self, reply: bytes) -> None:
        """Let the host answer at last."""
        self.network.say(self.network.connections[-1], reply)
        self.network.pump()

    def test_shared(self) -> None:
        """One connection answers all who ask the same."""
        results = [self.begin() for _ in range(3)]
        self.assertEqual(1, self.a.connections)

        self.answer(UNKNOWN)

        for result in results:
            self.assertEqual("fail", self.successResultOf(result).outcome)

    def test_others(self) -> None:
        """Other questions do not wait."""
        results = [self.begin(), self.begin("x@d.example"), self.begin(random=True)]

        self.assertEqual(3, self.a.connections)
        self.network.advance(31)
        for result in results:
            self.assertEqual("ok", self.successResultOf(result).outcome)

    def test_cut_off(self) -> None:
        """Where the first is cut off, the next one asks for itself."""
        first, second, third = (self.begin() for _ in range(3))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.network.pump()
        self.assertEqual(2, self.a.connections)

        self.answer(b"250 ok\r\n")

        self.assertEqual("ok", self.successResultOf(second).outcome)
        self.assertEqual("ok", self.successResultOf(third).outcome)
        self.assertEqual(2, self.a.connections)

    def test_waiter_cut_off(self) -> None:
        """Who waits may go away."""
        first, second = self.begin(), self.begin()
        second.cancel()
        self.failureResultOf(second, CancelledError)

        self.answer(b"250 ok\r\n")

        self.assertEqual("ok", self.successResultOf(first).outcome)

    def test_later(self) -> None:
        """A doubt is not kept for those who ask afterwards."""
        self.a.replies["RCPT"] = self.b.replies["RCPT"] = LATER
        self.assertEqual("defer", self.verify().outcome)
        self.a.replies.clear()

        self.assertEqual("ok", self.verify().outcome)
