"""From statements to a verdict."""

from __future__ import annotations

from mta.acl.registry import Phase
from mta.acl.syntax import ACLLanguage
from mta.expand.registry import Language
from mta.host import Outcome
from mta.taint import Tainted
from mta.testing import FakeVerification
from tests.acl.case import ACLCase

YES = "condition = yes"
NO = "condition = no"
UNDECIDED = "condition = maybe"


class VerbTests(ACLCase):
    """What each verb does with true, false and undecided conditions."""

    def test_table(self) -> None:
        """The verbs behave as the manual's table says."""
        table = {
            "accept": ("accept", "next", "defer"),
            "defer": ("defer", "next", "defer"),
            "deny": ("deny", "next", "defer"),
            "discard": ("discard", "next", "defer"),
            "drop": ("drop", "next", "defer"),
            "require": ("next", "deny", "defer"),
            "warn": ("next", "next", "next"),
        }
        # Two endings tell "the next statement comes" from an ending of its own.
        for verb, wanted in table.items():
            for condition, expected in zip((YES, NO, UNDECIDED), wanted, strict=True):
                endings = {
                    self.outcome(f"{verb} {condition}\n{last}")
                    for last in ("accept", "drop")
                }

                found = endings.pop() if len(endings) == 1 else "next"
                self.assertEqual(expected, found, (verb, condition))

    def test_implicit_deny(self) -> None:
        """What no statement decides is denied, an empty ACL too."""
        self.assertEqual("deny", self.outcome("accept condition = no"))
        self.assertEqual("deny", self.outcome(""))

    def test_implicit_deny_with_reason(self) -> None:
        """The reason is what the last statement's condition said."""
        self.verifier.unknown = FakeVerification("fail", "no such user")
        named = {"inner": "deny message = by $x"}
        for acl, text in (
            ("accept verify = recipient", "no such user"),
            ("accept acl = inner", "by me"),
            ("accept verify = recipient\naccept condition = no", ""),
            ("warn verify = recipient", ""),
            ("accept condition = no", ""),
        ):
            verdict = self.verdict(acl, named=named, values={"x": "me"})
            self.assertEqual(("deny", text), (verdict.outcome.value, verdict.message))

    def test_endpass(self) -> None:
        """A condition that fails behind endpass denies."""
        passing = "accept condition = {}\nendpass\ncondition = {}\naccept"

        self.assertEqual("accept", self.outcome(passing.format("no", "yes")))
        self.assertEqual("deny", self.outcome(passing.format("yes", "no")))
        self.assertEqual("accept", self.outcome(passing.format("yes", "yes")))

    def test_stops_at_the_first_false_condition(self) -> None:
        """What stands behind it is not done."""
        self.outcome("warn condition = no\nset acl_m1 = x")

        self.assertEqual({}, self.transaction.early_message().acl_variables)

    def test_negation(self) -> None:
        """A negated condition is true where the condition is false."""
        self.assertEqual("accept", self.outcome("accept !condition = no"))
        self.assertEqual("deny", self.outcome("accept !condition = yes"))

    def test_negated_doubt(self) -> None:
        """What cannot be decided stays so when it is negated."""
        self.assertEqual("defer", self.outcome("accept !condition = maybe"))


class PhaseTests(ACLCase):
    """What is used where it means nothing."""

    def test_wrong_phase(self) -> None:
        """It is an error, and never a pass."""
        verdict = self.verdict("accept !domains = a.example", Phase.DATA)

        self.assertEqual("error", verdict.outcome.value)
        self.assertEqual(
            "cannot test domains condition in DATA ACL", verdict.log_message
        )

    def test_discard_where_nothing_is(self) -> None:
        """discard cannot be said to DATA's begin."""
        verdict = self.verdict("discard", Phase.PREDATA)

        self.assertEqual("error", verdict.outcome.value)
        self.assertIn('"discard" verb not allowed', verdict.log_message)

    def test_drop_of_a_parameter(self) -> None:
        """drop cannot be said to the AUTH parameter."""
        self.assertEqual("error", self.outcome("drop", Phase.MAILAUTH))

    def test_quit(self) -> None:
        """QUIT cannot be refused."""
        self.assertEqual("error", self.outcome("deny", Phase.QUIT))
        self.assertEqual("accept", self.outcome("warn\naccept", Phase.QUIT))
        self.assertEqual("deny", self.outcome("warn", Phase.QUIT))


class MessageTests(ACLCase):
    """Which text the client and the log get."""

    def texts(self, text: str, **options: object) -> tuple[str, str]:
        """Return message and log message."""
        verdict = self.verdict(text, **options)  # type: ignore[arg-type]
        return verdict.message, verdict.log_message

    def test_deny(self) -> None:
        """Both texts of a deny that applies are used."""
        self.assertEqual(
            ("no", "spam"), self.texts("deny message = no\nlog_message = spam")
        )

    def test_log_text_is_the_users_by_default(self) -> None:
        """Without a log_message the log gets the message."""
        self.assertEqual(("no", "no"), self.texts("deny message = no"))

    def test_require(self) -> None:
        """The last message before the condition that fails is used."""
        text = "require message = one\n{}\nmessage = two\n{}\nmessage = three"

        self.assertEqual("one", self.texts(text.format(NO, YES))[0])
        self.assertEqual("two", self.texts(text.format(YES, NO))[0])

    def test_text_of_a_statement_that_does_not_apply(self) -> None:
        """It is forgotten."""
        self.assertEqual(("", ""), self.texts(f"deny message = no\n{NO}\ndeny"))

    def test_accept_with_text(self) -> None:
        """An accept's own text is used, a condition's is not."""
        self.verifier.unknown = FakeVerification("fail", "bad")

        self.assertEqual(("fine", "fine"), self.texts("accept message = fine"))
        self.assertEqual(("", ""), self.texts("accept !verify = recipient"))

    def test_endpass_with_text(self) -> None:
        """A denial behind endpass has the last text before it."""
        text = f"accept {YES}\nendpass\nmessage = no\n{NO}"

        self.assertEqual("no", self.texts(text)[0])

    def test_text_of_a_condition(self) -> None:
        """A condition's own text is used, and the log's is put before it."""
        self.verifier.unknown = FakeVerification("fail", "Unrouteable address")

        self.assertEqual(
            ("Unrouteable address", "odd: Unrouteable address"),
            self.texts("require log_message = odd\nverify = recipient"),
        )

    def test_verify_message(self) -> None:
        """A message can hold what the condition said."""
        self.verifier.unknown = FakeVerification("fail", "no such user")

        message, log_message = self.texts(
            "require message = sorry: $acl_verify_message\nverify = recipient"
        )

        self.assertEqual("sorry: no such user", message)
        self.assertEqual("no such user", log_message)

    def test_text_that_cannot_be_expanded(self) -> None:
        """It is a panic line, and the refusal stands."""
        self.assertEqual(("", ""), self.texts("deny message = $nothing"))
        self.assertIn(
            'failed to expand ACL message "$nothing"', self.logs.panic_lines[0][0]
        )

    def test_empty_text(self) -> None:
        """A text that is expanded to nothing counts as none."""
        self.assertEqual(
            ("", ""), self.texts("deny message = $empty", values={"empty": ""})
        )


class DeferTests(ACLCase):
    """What cannot be decided now."""

    def test_details_of_the_verb(self) -> None:
        """The text of the verb defer may be read by the client."""
        verdict = self.verdict("defer message = later")

        self.assertEqual(("later", True), (verdict.message, verdict.show_details))

    def test_details_of_a_condition(self) -> None:
        """Those of a condition may not, unless an option says so."""
        self.assertFalse(self.verdict(f"accept {UNDECIDED}").show_details)

        run = self.new_run()
        run.return_error_details = True
        self.new_run = lambda phase=Phase.RCPT: run  # type: ignore[method-assign]
        self.assertTrue(self.verdict(f"accept {UNDECIDED}").show_details)

    def test_reason(self) -> None:
        """The log gets the reason."""
        self.assertEqual(
            'invalid "condition" value "maybe"',
            self.verdict(f"accept {UNDECIDED}").log_message,
        )

    def test_dns_trouble(self) -> None:
        """A list that needs the DNS and does not get it defers."""
        self.resolver.records["host.example", "A"] = Outcome.AGAIN

        self.assertEqual("defer", self.outcome("accept hosts = host.example"))

    def test_expansion_error(self) -> None:
        """An argument that cannot be expanded is an error, never a pass."""
        verdict = self.verdict("accept !condition = $nothing")

        self.assertEqual("error", verdict.outcome.value)
        self.assertIn("nothing", verdict.log_message)


class WarnTests(ACLCase):
    """The verb that decides nothing."""

    def test_log_message(self) -> None:
        """Its log message is written once for a message."""
        for _ in range(2):
            self.verdict("warn log_message = odd")

        self.assertEqual([f"H=[{'192.0.2.7'}] Warning: odd"], self.logs.lines)

    def test_no_log_line(self) -> None:
        """Nothing is written where a condition is false."""
        self.verdict(f"warn log_message = odd\n{NO}")

        self.assertEqual([], self.logs.lines)

    def test_message_is_a_field(self) -> None:
        """Its message is a header field, as it once was."""
        self.verdict("warn message = X-Odd: yes")

        added = self.transaction.header_changes.added
        self.assertEqual([b"X-Odd: yes\r\n"], [field.content for field in added])
        self.assertEqual([], self.logs.lines)

    def test_message_where_no_message_is(self) -> None:
        """At EHLO there is no header section to add to: a panic line."""
        self.verdict("warn message = X-Odd: yes\naccept", Phase.HELO)

        self.assertIn("message ignored", self.logs.panic_lines[0][0])
        self.assertFalse(self.transaction.header_changes)

    def test_skipped(self) -> None:
        """A warning that cannot be decided is skipped, and the log says so."""
        self.verdict(f"warn {UNDECIDED}\nlog_message = x\naccept")

        (line,) = self.logs.lines
        self.assertIn("statement skipped: condition test deferred: invalid", line)

    def test_error(self) -> None:
        """An error is not skipped."""
        self.assertEqual("error", self.outcome("warn condition = $nothing\naccept"))


class NestedTests(ACLCase):
    """ACLs that call others."""

    def nested(self, inner: str, outer: str = "accept acl = inner") -> str:
        """Return how an outer ACL ends."""
        return self.verdict(outer, named={"inner": inner}).outcome.value

    def test_outcomes(self) -> None:
        """accept is true, deny is false, drop drops, defer defers."""
        self.assertEqual("accept", self.nested("accept"))
        self.assertEqual("deny", self.nested("deny"))
        self.assertEqual("defer", self.nested("defer"))
        self.assertEqual("drop", self.nested("drop", "require acl = inner"))
        self.assertEqual("discard", self.nested("discard"))
        self.assertEqual("error", self.nested("discard", "require acl = inner"))

    def test_negated(self) -> None:
        """A negated call is true where the other ACL denies or drops."""
        for inner, wanted in {
            "accept": "deny",
            "deny": "accept",
            "drop": "accept",
        }.items():
            self.assertEqual(wanted, self.nested(inner, "accept !acl = inner"))

    def test_message(self) -> None:
        """The other ACL's text is used, unless there is one of one's own."""
        inner = {"inner": "deny message = theirs"}

        theirs = self.verdict("require acl = inner", named=inner)
        ours = self.verdict("require message = ours\nacl = inner", named=inner)

        self.assertEqual("theirs", theirs.message)
        self.assertEqual(("ours", "theirs"), (ours.message, ours.log_message))

    def test_arguments(self) -> None:
        """Arguments are seen inside and gone afterwards."""
        verdict = self.verdict(
            'warn acl = inner "one two" $x\naccept message = <$acl_narg>',
            named={"inner": "accept set acl_m1 = $acl_narg,$acl_arg1,$acl_arg2"},
            values={"x": "three", "acl_narg": "outer"},
        )

        variables = self.transaction.early_message().acl_variables
        self.assertEqual("2,one two,three", variables["m1"])
        self.assertEqual("<outer>", verdict.message)

    def test_loop(self) -> None:
        """An ACL that calls itself ends in an error."""
        verdict = self.verdict(
            "accept acl = inner", named={"inner": "accept acl = inner"}
        )

        self.assertEqual("error", verdict.outcome.value)
        self.assertIn("nested too deep", verdict.log_message)

    def test_text_of_statements(self) -> None:
        """A nested ACL may be written out."""
        self.assertEqual("accept", self.outcome('accept acl = "accept hosts = *"'))
        self.assertEqual("deny", self.outcome('accept acl = "deny hosts = *"'))

    def test_file(self) -> None:
        """A path names a file, which is read once."""
        self.files["/acl"] = "accept\n  hosts = 192.0.2.7\n"
        text = "accept acl = /acl"

        self.assertEqual("accept", self.outcome(text))
        del self.files["/acl"]
        self.assertEqual("accept", self.outcome(text))

    def test_missing_file(self) -> None:
        """A file that cannot be read is an error, which names it."""
        verdict = self.verdict("accept !acl = /nowhere")

        self.assertEqual("error", verdict.outcome.value)
        self.assertEqual(
            'failed to open ACL file "/nowhere": No such file or directory',
            verdict.log_message,
        )

    def test_tainted(self) -> None:
        """What a client said is never taken as an ACL."""
        verdict = self.verdict("accept acl = $said", values={"said": Tainted("accept")})

        self.assertEqual("error", verdict.outcome.value)
        self.assertIn('Tainted ACL "accept" not permitted', verdict.log_message)


class ForcedFailureTests(ACLCase):
    """The word ``fail`` in an argument."""

    def setUp(self) -> None:
        super().setUp()
        self.language = ACLLanguage.load(Language.load())

    def test_condition(self) -> None:
        """The condition counts as true, even if it is negated."""
        failing = "condition = ${if eq{a}{b}{no}fail}"

        self.assertEqual("accept", self.outcome(f"accept {failing}"))
        self.assertEqual("accept", self.outcome(f"accept !{failing}"))

    def test_modifier(self) -> None:
        """The modifier does nothing."""
        self.assertEqual(
            "accept", self.outcome("accept set acl_m1 = ${if eq{a}{b}{no}fail}")
        )
        self.assertEqual({}, self.transaction.early_message().acl_variables)

    def test_message(self) -> None:
        """The message is none, and nobody is alarmed."""
        verdict = self.verdict("deny message = ${if eq{a}{b}{no}fail}")

        self.assertEqual("", verdict.message)
        self.assertEqual([], self.logs.panic_lines)

    def test_name_of_an_acl(self) -> None:
        """An ACL whose name fails is an error."""
        self.assertEqual("error", self.outcome("accept acl = ${if!eq{a}{a}{b}fail}"))
