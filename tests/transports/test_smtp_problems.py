"""Error classes of the smtp transport, texts and numbers (Exim chapter 48)."""

from __future__ import annotations

from errno import ECONNREFUSED, ETIMEDOUT

from twisted.internet import error

from mta.host import Host
from mta.recipient import Result
from tests.smtp.fake_server import FakeServer
from tests.transports.relaying import HOST_A, HOST_B, RETRY_A, RETRY_B, RelayCase

REMOTE = "SMTP error from remote mail server after "
MESSAGE_A = RETRY_A + ":1abcde-00000000001-0001"
MAIL = "MAIL FROM:<sender@example.org>"
SIZED = "pipelined " + MAIL + " SIZE=1075"


class HostErrorTests(RelayCase):
    def test_refused(self) -> None:
        """A refused connection: errno, hint for the host, next host."""
        self.serve(HOST_A, error.ConnectionRefusedError())

        self.assert_delivered(self.one(), HOST_B)

        self.assertEqual(self.failed_keys, [RETRY_A])
        self.assertEqual(self.hints.failures[0][1]["error_name"], "refused_MX")
        self.assertEqual(
            self.logs.lines, ["H=a.example [192.0.2.1] Connection refused"]
        )

    def test_all_refused(self) -> None:
        """Where no host is left, the last one's error defers the address."""
        self.serve(HOST_A, error.ConnectionRefusedError())
        self.serve(HOST_B, error.ConnectionRefusedError())

        outcome = self.one()

        self.assert_deferred(outcome, ECONNREFUSED, "")
        self.assertEqual(outcome.host, Host("b.example", "192.0.2.2", 25, 20))
        self.assertEqual(outcome.retry_key, RETRY_B)

    def test_connect_timeout(self) -> None:
        """No connection in time has a number of its own."""
        self.serve(HOST_A, error.TCPTimedOutError())

        outcome = self.one(hosts=(HOST_A,))

        self.assert_deferred(outcome, -43, "Connection timed out")
        self.assertEqual(outcome.error_name, "timeout_connect_MX")
        self.assertEqual(
            self.logs.lines, ["H=a.example [192.0.2.1] Connection timed out"]
        )

    def test_banner_temporary(self) -> None:
        """A 4xx greeting concerns the host."""
        self.a.replies["GREETING"] = b"421 busy\r\n"

        outcome = self.one(hosts=(HOST_A,))

        self.assert_deferred(outcome, 0, REMOTE + "initial connection: 421 busy")
        self.assertEqual(self.failed_keys, [RETRY_A])

    def test_banner_permanent(self) -> None:
        """A 5xx greeting of the only host fails the addresses."""
        self.a.replies["GREETING"] = b"554 no mail here\r\n"

        outcome = self.one(hosts=(HOST_A,))

        self.assert_failed(outcome, REMOTE + "initial connection: 554 no mail here")
        self.assertEqual(self.a.commands, ["QUIT"])

    def test_banner_permanent_with_another_host(self) -> None:
        """Where there is another host, it is tried first."""
        self.a.replies["GREETING"] = b"554 no mail here\r\n"

        self.assert_delivered(self.one(), HOST_B)

        self.assertEqual(self.failed_keys, [RETRY_A])

    def test_hello_refused(self) -> None:
        """A host that takes neither EHLO nor HELO is not used."""
        self.a.replies |= {"EHLO": b"450 no\r\n", "HELO": b"450 no\r\n"}

        outcome = self.one(hosts=(HOST_A,))

        self.assert_deferred(outcome, 0, REMOTE + "HELO mx.example: 450 no")
        self.assertEqual(self.failed_keys, [RETRY_A])

    def test_lost_in_banner(self) -> None:
        """A connection that closes without a word."""
        self.a.replies["GREETING"] = None

        outcome = self.one(hosts=(HOST_A,))

        text = "Remote host closed connection in response to initial connection"
        self.assert_deferred(outcome, -18, text)
        self.assertEqual(outcome.error_name, "lost_connection")
        self.assertEqual(self.failed_keys, [RETRY_A])

    def test_banner_timeout(self) -> None:
        """A host that says nothing is given up after command_timeout."""
        self.transport(command_timeout="1m")
        self.a.replies["GREETING"] = FakeServer.SILENCE

        outcome = self.one(hosts=(HOST_A,), seconds=60)

        self.assert_deferred(
            outcome, ETIMEDOUT, "SMTP timeout after initial connection"
        )
        self.assertEqual(self.failed_keys, [RETRY_A])

    def test_malformed(self) -> None:
        """What is no reply ends the session."""
        self.a.replies["EHLO"] = b"hello\r\n"

        outcome = self.one(hosts=(HOST_A,))

        text = "Malformed SMTP reply in response to EHLO mx.example: hello"
        self.assert_deferred(outcome, -19, text)
        self.assertEqual(self.failed_keys, [RETRY_A])

    def test_lost_after_mail(self) -> None:
        """A connection lost before the end of the content concerns the host."""
        self.a.replies["MAIL"] = None
        self.a.keywords = ("PIPELINING", "SIZE")

        outcome = self.one(hosts=(HOST_A,))

        text = f"Remote host closed connection in response to {SIZED}"
        self.assert_deferred(outcome, -18, text)
        self.assertEqual(self.failed_keys, [RETRY_A])


class MessageErrorTests(RelayCase):
    def test_mail_temporary(self) -> None:
        """4xx to MAIL: a hint for host and message; the next host is tried."""
        self.a.replies["MAIL"] = b"452 4.3.1 full\r\n"

        self.assert_delivered(self.one(), HOST_B)

        self.assertEqual(self.failed_keys, [MESSAGE_A])
        self.assertEqual(self.hints.failures[0][1]["error_name"], "mail_452")
        self.assertEqual(
            self.logs.lines,
            [f"H=a.example [192.0.2.1]: {REMOTE}{SIZED}: 452 4.3.1 full"],
        )

    def test_mail_temporary_at_the_last_host(self) -> None:
        """The address waits, with the number for MAIL."""
        self.a.replies["MAIL"] = b"452 4.3.1 full\r\n"

        outcome = self.one(hosts=(HOST_A,))

        self.assert_deferred(outcome, -45, f"{REMOTE}{SIZED}: 452 4.3.1 full")
        self.assertEqual(outcome.status, "4.3.1")
        self.assertEqual(outcome.retry_key, MESSAGE_A)
        self.assertEqual(self.logs.lines, [])

    def test_mail_timeout(self) -> None:
        """A time limit after MAIL concerns the message."""
        self.a.replies["MAIL"] = FakeServer.SILENCE
        self.a.keywords = ()

        outcome = self.one(hosts=(HOST_A,), seconds=300)

        self.assert_deferred(outcome, ETIMEDOUT, f"SMTP timeout after {MAIL}")
        self.assertEqual(outcome.error_name, "timeout_MX")
        self.assertEqual(self.failed_keys, [MESSAGE_A])

    def test_data_temporary(self) -> None:
        """4xx to DATA."""
        self.a.keywords = ("PIPELINING",)
        self.a.replies["DATA"] = b"451 later\r\n"

        outcome = self.one(hosts=(HOST_A,))

        self.assert_deferred(outcome, -46, REMOTE + "pipelined DATA: 451 later")
        self.assertEqual(self.failed_keys, [MESSAGE_A])

    def test_end_temporary(self) -> None:
        """4xx to the end of the content, by BDAT and by DATA."""
        for keywords in (("CHUNKING",), ("CHUNKING", "PIPELINING"), ()):
            self.a.keywords = keywords
            self.a.replies["END"] = b"451 4.7.1 greylisted\r\n"

            outcome = self.one(hosts=(HOST_A,))

            text = REMOTE + "end of data: 451 4.7.1 greylisted"
            self.assert_deferred(outcome, -46, text)
            self.assertEqual(outcome.error_name, "data_451")
        self.assertEqual(set(self.failed_keys), {MESSAGE_A})

    def test_final_timeout(self) -> None:
        """The reply to the end has final_timeout, and its absence a message hint."""
        self.transport(final_timeout="20m")
        self.a.replies["END"] = FakeServer.SILENCE
        result = self.begin(self.batch(hosts=(HOST_A,)))

        self.network.advance(1199)
        self.assertNoResult(result)
        self.network.advance(1)

        [outcome] = self.successResultOf(result)
        self.assert_deferred(outcome, ETIMEDOUT, "SMTP timeout after end of data")
        self.assertEqual(self.failed_keys, [MESSAGE_A])

    def test_trickled_reply(self) -> None:
        """Octets of a reply that never ends do not begin its time anew."""
        self.a.keywords = ()
        self.a.replies["RCPT"] = FakeServer.SILENCE
        result = self.begin(self.batch(hosts=(HOST_A,)))

        for _ in range(3):
            self.network.advance(100)
            if self.network.connections[0].is_open:
                self.network.say(self.network.connections[0], b"250-")
                self.network.say(self.network.connections[0], b"x\r\n")

        [outcome] = self.successResultOf(result)
        self.assertEqual(outcome.error, ETIMEDOUT)

    def test_final_reply_lost(self) -> None:
        """A lost final reply: the host does not get the message again at once."""
        for keywords in (("CHUNKING", "PIPELINING"), ("CHUNKING",), ()):
            self.a.keywords = keywords
            self.a.replies["END"] = None
            before = self.a.connections

            outcome = self.one(hosts=(HOST_A,))

            text = "Remote host closed connection in response to end of data"
            self.assert_deferred(outcome, -18, text)
            self.assertEqual(outcome.retry_key, MESSAGE_A)
            self.assertEqual(self.a.connections, before + 1)

    def test_final_reply_lost_and_another_host(self) -> None:
        """As in Exim, the next host gets it in the same delivery."""
        self.a.replies["END"] = None

        outcome = self.one()

        self.assert_delivered(outcome, HOST_B)
        self.assertEqual(self.failed_keys, [MESSAGE_A])

    def test_final_reply_lost_on_a_kept_connection(self) -> None:
        """It is the same where the connection had carried a message before."""
        self.assert_delivered(self.one())
        self.a.replies["END"] = None

        outcome = self.one(hosts=(HOST_A,))

        self.assertIs(outcome.result, Result.DEFERRED)
        self.assertEqual(self.a.connections, 1)
        self.assertEqual(len(self.a.messages), 1)

    def test_refused_while_sending(self) -> None:
        """A refusal before the end of long content counts like one of the end."""
        self.a.keywords = ()
        self.a.replies["DATA"] = b"354 go on\r\n552 5.3.4 too much\r\n"

        outcome = self.one(body=b"x\r\n" * 200000)

        text = REMOTE + "sending data block: 552 5.3.4 too much"
        self.assert_failed(outcome, text)
        self.assertEqual(self.a.messages, [])


class RecipientErrorTests(RelayCase):
    def test_temporary(self) -> None:
        """4xx to one RCPT defers that address; the others are delivered."""
        self.a.replies["RCPT TO:<two@x.example>"] = b"450 4.2.2 full\r\n"

        one, two = self.deliver("one@x.example", "two@x.example", hosts=(HOST_A,))

        self.assert_delivered(one)
        text = REMOTE + "RCPT TO:<two@x.example>: 450 4.2.2 full"
        self.assert_deferred(two, -44, text)
        self.assertEqual(two.error_name, "rcpt_450")
        self.assertEqual(two.retry_key, "")
        self.assertEqual(self.hints.failures, [])

    def test_next_host(self) -> None:
        """The next host gets only what is left."""
        self.a.replies["RCPT TO:<two@x.example>"] = b"450 4.2.2 full\r\n"

        one, two = self.deliver("one@x.example", "two@x.example")

        self.assert_delivered(one, HOST_A)
        self.assert_delivered(two, HOST_B)
        rcpts = [line for line in self.b.commands if line.startswith("RCPT")]
        self.assertEqual(rcpts, ["RCPT TO:<two@x.example>"])

    def test_all_temporary(self) -> None:
        """Where no recipient is taken, nothing is sent that would be delivered."""
        for keywords in ((), ("PIPELINING",), ("PIPELINING", "CHUNKING")):
            self.a.keywords = keywords
            self.a.replies["RCPT"] = b"450 no\r\n"

            outcomes = self.deliver("one@x.example", "two@x.example", hosts=(HOST_A,))

            self.assertEqual([o.error for o in outcomes], [-44, -44])
        self.assertEqual(self.a.messages, [])

    def test_data_taken_without_recipients(self) -> None:
        """A server that wants content for nobody gets none (RFC 2920, 3.1)."""
        self.a.keywords = ("PIPELINING",)
        self.a.replies |= {"RCPT": b"550 no\r\n", "DATA": b"354 go on\r\n"}
        self.a.replies["END"] = b"554 nobody\r\n"

        outcome = self.one(hosts=(HOST_A,))

        text = REMOTE + "RCPT TO:<joe@example.com>: 550 no"
        self.assert_failed(outcome, text)

    def test_timeout(self) -> None:
        """A time limit after RCPT concerns the recipient that was asked."""
        self.a.keywords = ()
        self.a.replies["RCPT TO:<one@x.example>"] = FakeServer.SILENCE

        one, two = self.deliver(
            "one@x.example", "two@x.example", hosts=(HOST_A,), seconds=300
        )

        text = "SMTP timeout after RCPT TO:<one@x.example>"
        self.assert_deferred(one, ETIMEDOUT, text)
        self.assert_deferred(two, ETIMEDOUT, text)
        self.assertEqual(one.retry_key, "")
        self.assertEqual(two.retry_key, MESSAGE_A)


class PermanentErrorTests(RelayCase):
    def test_everywhere(self) -> None:
        """5xx to any command fails the addresses, and no other host is asked."""
        for verb, command in (
            ("MAIL", MAIL),
            ("RCPT", "RCPT TO:<joe@example.com>"),
            ("DATA", "DATA"),
            ("END", "end of data"),
        ):
            self.a.keywords = ()
            self.a.replies = {verb: b"550-5.7.1 never\r\n550 5.7.1 at all\r\n"}

            outcome = self.one()

            said = "550-5.7.1 never\n550 5.7.1 at all"
            self.assert_failed(outcome, f"{REMOTE}{command}: {said}")
            self.assertEqual((outcome.status, outcome.reply), ("5.7.1", said))
        self.assertEqual(self.b.connections, 0)
        self.assertEqual(self.hints.failures, [])

    def test_one_of_two(self) -> None:
        """5xx to one RCPT fails that address alone."""
        self.a.replies["RCPT TO:<two@x.example>"] = b"550 unknown\r\n"

        one, two = self.deliver("one@x.example", "two@x.example")

        self.assert_delivered(one)
        self.assert_failed(two, REMOTE + "RCPT TO:<two@x.example>: 550 unknown")

    def test_long_lines(self) -> None:
        """Lines beyond message_linelength_limit are not sent."""
        batch = self.batch()
        batch.message.max_line_length = 999

        [outcome] = self.successResultOf(self.begin(batch))

        self.assert_failed(outcome, "message has lines too long for transport")

    def test_smtputf8(self) -> None:
        """A message that needs SMTPUTF8 fails where that is not offered."""
        self.a.keywords = ()
        batch = self.batch(hosts=(HOST_A,))
        batch.message.smtputf8 = True

        [outcome] = self.successResultOf(self.begin(batch))

        self.assertIs(outcome.result, Result.FAILED)
        self.assertEqual((outcome.error, outcome.status), (-49, "5.6.7"))
        self.assertEqual(self.a.messages, [])
