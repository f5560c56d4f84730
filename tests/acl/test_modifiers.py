"""What an ACL does on its way."""

from __future__ import annotations

from mta.acl.registry import Phase
from mta.errors import ConfigurationError
from mta.taint import Tainted, is_tainted
from tests.acl.case import ACLCase


class HeaderModifierTests(ACLCase):
    """add_header and remove_header."""

    def test_add(self) -> None:
        """A field is gathered, and shown by a variable."""
        self.verdict("warn add_header = X-A: $who", values={"who": Tainted("me")})

        self.assertEqual("X-A: me", self.run.context.values["headers_added"])

    def test_remove(self) -> None:
        """Names are gathered."""
        self.verdict("warn remove_header = X-A : x-b")

        self.assertEqual(["X-A", "x-b"], self.transaction.header_changes.removed)

    def test_before_there_is_a_message(self) -> None:
        """At EHLO there is nothing to change: an error."""
        self.assertEqual("error", self.outcome("warn add_header = X: y", Phase.HELO))

    def test_bad_pattern(self) -> None:
        """A pattern that cannot be used is an error."""
        self.assertEqual("error", self.outcome("warn remove_header = ^("))


class DelayTests(ACLCase):
    """delay."""

    def test_waits(self) -> None:
        """It waits as long as it says, after the waiting replies were sent."""
        sent: list[int] = []
        self.transaction.flush = lambda: sent.append(len(self.slept))

        self.verdict("warn delay = 1m5s\ndelay = $time", values={"time": "2s"})

        self.assertEqual([65, 2], self.slept)
        self.assertEqual([0, 1], sent)

    def test_none(self) -> None:
        """A delay of nothing does not wait."""
        self.verdict("warn delay = 0s")

        self.assertEqual([], self.slept)

    def test_after_the_end(self) -> None:
        """When the client is gone there is nothing to wait for: an error."""
        self.assertEqual("error", self.outcome("warn delay = 1s", Phase.NOTQUIT))
        self.assertEqual([], self.slept)

    def test_not_a_time(self) -> None:
        """An expansion that is no time is an error."""
        verdict = self.verdict("accept delay = $time", values={"time": "soon"})

        self.assertEqual("error", verdict.outcome.value)


class LogwriteTests(ACLCase):
    """logwrite."""

    def test_main_log(self) -> None:
        """A line goes to the main log, with the message's identifier."""
        message = self.transaction.early_message()
        message.message_id = "id"

        self.verdict("warn logwrite = hello")

        self.assertEqual([("hello", "id")], self.logs.main_lines)

    def test_named_logs(self) -> None:
        """A prefix names the logs."""
        self.verdict("warn logwrite = :reject: one\nlogwrite = :panic,reject:two")

        self.assertEqual(["one", "two"], [text for text, _ in self.logs.reject_lines])
        self.assertEqual(["two"], [text for text, _ in self.logs.panic_lines])
        self.assertEqual(["two"], self.logs.lines)

    def test_unknown_log(self) -> None:
        """A log that does not exist is an error."""
        for text in ("logwrite = :other: x", "log_reject_target = main : other"):
            error = self.assertRaises(ConfigurationError, self.parse, f"warn {text}")
            self.assertIn('unknown log "other"', str(error))
        for text in ("logwrite = :$log: x", "log_reject_target = $log"):
            verdict = self.verdict(f"warn {text}", values={"log": "other"})
            self.assertEqual("error", verdict.outcome.value)
        self.assertEqual("error", self.outcome("warn logwrite = :main x"))


class LogRejectTargetTests(ACLCase):
    """log_reject_target."""

    def test_named_logs(self) -> None:
        """It holds to the end of the ACL, past its own statement."""
        self.verdict("warn log_reject_target = main\nwarn\ndeny")

        self.assertEqual(("main",), self.run.log_targets)

    def test_none(self) -> None:
        """An empty list means no log at all."""
        self.verdict("warn log_reject_target =\ndeny")

        self.assertEqual((), self.run.log_targets)


class SetTests(ACLCase):
    """set."""

    def test_variables(self) -> None:
        """acl_c belongs to the connection, acl_m to the message; taint stays."""
        self.verdict(
            "warn set acl_c_x = plain\nset acl_m0=$said",
            values={"said": Tainted("hi")},
        )

        message = self.transaction.early_message()
        self.assertEqual({"c_x": "plain"}, self.connection.acl_variables)
        self.assertEqual({"m0": "hi"}, message.acl_variables)
        self.assertTrue(is_tainted(message.acl_variables["m0"]))

    def test_before_there_is_a_message(self) -> None:
        """acl_m may be set at EHLO, is seen at once, and goes with the next reset."""
        self.transaction.message = None

        self.verdict("warn set acl_m_x = 1", Phase.HELO)

        message = self.run.context.message
        assert message is not None
        self.assertEqual({"m_x": "1"}, message.acl_variables)
        self.assertEqual(message, self.transaction.context().message)
        self.assertIsNone(self.transaction.message)
        self.transaction.reset()
        self.assertIsNone(self.transaction.context().message)


class ContinueTests(ACLCase):
    """continue."""

    def test_expanded(self) -> None:
        """The string is expanded; what comes of it does not matter."""
        self.assertEqual("accept", self.outcome("accept continue = no"))
        self.assertEqual("error", self.outcome("accept continue = $nothing"))


class ControlTests(ACLCase):
    """control, as far as its argument goes."""

    def test_expanded_options(self) -> None:
        """Options may come from an expansion."""
        self.verdict("warn control = submission/domain=$d", values={"d": "example.org"})

        submission = self.transaction.controls.submission
        assert submission is not None
        self.assertEqual("example.org", submission.domain)

    def test_expanded_name(self) -> None:
        """So may the name; then it is checked when it is used."""
        self.verdict("warn control = $c", values={"c": "freeze"})
        self.assertTrue(self.transaction.controls.frozen)

        unknown = self.verdict("accept control = $c", values={"c": "nonsense"})
        self.assertEqual("error", unknown.outcome.value)
        self.assertIn('unknown control "nonsense"', unknown.log_message)

        misplaced = self.verdict(
            "accept control = $c", Phase.HELO, values={"c": "freeze"}
        )
        self.assertEqual("error", misplaced.outcome.value)
