"""What may be written in an ACL, and what is said of the rest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mta.acl.registry import Phase
from mta.acl.syntax import Verb, joined_lines, misplaced
from mta.errors import ConfigurationError, ConfigurationErrors
from mta.options import Source
from tests.acl.case import ACLCase


class StatementTests(ACLCase):
    """Verbs, conditions and modifiers in lines."""

    def test_condition_on_the_line_of_its_verb(self) -> None:
        """The first condition may stand behind the verb or below it."""
        for text in ("accept hosts = 192.0.2.1", "accept\n  hosts=192.0.2.1"):
            (statement,) = self.parse(text).statements

            self.assertIs(Verb.ACCEPT, statement.verb)
            self.assertEqual(["hosts"], [step.name for step in statement.steps])

    def test_several_statements(self) -> None:
        """A verb begins the next statement."""
        acl = self.parse("deny\nwarn  set acl_m1 = x\naccept condition = yes")

        self.assertEqual(
            ["deny", "warn", "accept"], [s.verb.word for s in acl.statements]
        )

    def test_negation(self) -> None:
        """An exclamation mark negates a condition, with or without a space."""
        acl = self.parse("deny !hosts = 192.0.2.1\n ! domains = a.example")

        self.assertEqual([True, True], [s.negated for s in acl.statements[0].steps])

    def test_place(self) -> None:
        """Every condition knows file and line."""
        lines = [("accept", Source("/f", 10)), ("hosts = *", Source("/f", 11))]

        acl = self.language.parse("x", lines)

        source = acl.statements[0].steps[0].source
        self.assertEqual(("/f", 11), (source.file, source.line))

    def test_messages_belong_to_what_follows(self) -> None:
        """A condition knows the message that was the last before it."""
        acl = self.parse("require message = one\nhosts = *\nmessage = two\ndomains = *")

        (statement,) = acl.statements
        texts = [step.message and step.message.text for step in statement.steps]
        self.assertEqual(["one", "two"], texts)
        self.assertEqual("two", statement.message and statement.message.text)


class FaultTests(ACLCase):
    """Wrong ACLs: every error names file, line and what it is about."""

    def assert_fault(self, text: str, wanted: str, line: int = 1) -> None:
        """Assert what is said of an ACL."""
        error = self.assertRaises(ConfigurationError, self.parse, text)

        self.assertIn(wanted, str(error))
        self.assertEqual(("/mta.conf", line), (error.file, error.line))

    def test_unknown_verb(self) -> None:
        """The first word must be a verb."""
        self.assert_fault("permit hosts = *", 'unknown ACL verb "permit"')

    def test_unknown_condition(self) -> None:
        """A condition that does not exist, or that we lack, is refused by name."""
        for name in ("host", "malware", "spf"):
            self.assert_fault(
                f"accept\n{name} = x",
                f'unknown ACL condition or modifier "{name}" in ACL "test"',
                2,
            )

    def test_missing_equals_sign(self) -> None:
        """A condition needs an equals sign."""
        self.assert_fault("accept hosts *", '"hosts" in ACL "test": "=" is missing')

    def test_negated_modifier(self) -> None:
        """Only conditions can be negated."""
        for text in ("deny !message = x", "accept !endpass", "warn !delay = 1s"):
            self.assert_fault(text, "only a condition can be negated")

    def test_negated_verb(self) -> None:
        """A verb cannot be negated."""
        self.assert_fault("!accept", "a verb cannot be negated")

    def test_endpass(self) -> None:
        """endpass stands in accept and discard, without an argument."""
        self.parse("accept endpass\nhosts = *\ndiscard endpass\nhosts = *")
        self.assert_fault("deny endpass", 'not in "deny"')
        self.assert_fault("accept endpass = x", "no argument")

    def test_faulty_arguments(self) -> None:
        """Arguments are checked when the configuration is read."""
        self.assert_fault("warn delay = soon", '"delay" in ACL "test"')
        self.assert_fault("accept verify = nonsense", 'cannot verify "nonsense"')
        self.assert_fault("warn control = nonsense", 'unknown control "nonsense"')
        self.assert_fault("warn control = nonsense/$x", 'unknown control "nonsense"')
        self.assert_fault("warn control = freeze/all", "its only option is /no_tell")
        self.assert_fault("warn set acl_x1 = y", '"acl_c" or "acl_m"')
        self.assert_fault("warn set acl_mx = y", '"acl_c" or "acl_m"')
        self.assert_fault("accept acl =", "the name of an ACL is missing")
        self.assert_fault("accept acl = a 1 2 3 4 5 6 7 8 9 10", "at most 9")
        self.assert_fault("accept verify = helo/callout", 'has no option "callout"')

    def test_all_faults_at_once(self) -> None:
        """Every error of an ACL is reported in one go."""
        error = self.assertRaises(
            ConfigurationErrors, self.parse, "accept foo = 1\nbar = 2\nhosts = *\nbaz"
        )

        self.assertEqual([1, 2, 4], [one.line for one in error.errors])

    def test_any_text(self) -> None:
        """Whatever is written, only ConfigurationError is raised."""

        @given(st.text(alphabet='acept deny=!$"{}/:\n\\ hosts12msgd_', max_size=60))
        def check(text: str) -> None:
            try:
                self.parse(text)
            except ConfigurationError:
                pass

        check()


class LineTests(ACLCase):
    """An ACL as a text in an option or a file."""

    def test_continuation_and_comments(self) -> None:
        """A backslash joins lines, comments inside are skipped, numbers stay."""
        acl = self.parse("# one\naccept hosts = \\\n# two\n   192.0.2.1\ndeny")

        self.assertEqual([3 + 1, 5], [s.source.line for s in acl.statements])
        self.assertEqual("192.0.2.1", acl.statements[0].steps[0].value.text)

    def test_unfinished(self) -> None:
        """A last line that ends in a backslash counts."""
        self.assertEqual(["", "accept "], joined_lines("accept \\"))


class MisplacedTests(ACLCase):
    """What a phase does not allow is found when the ACL is bound to it."""

    def test_condition(self) -> None:
        """domains means nothing after DATA."""
        errors = misplaced(self.parse("accept\n  domains = x"), Phase.DATA)

        self.assertEqual(
            ["cannot test domains condition in DATA ACL"],
            [error.text.partition(": ")[2] for error in errors],
        )
        self.assertEqual([2], [error.line for error in errors])

    def test_control(self) -> None:
        """A control has phases of its own."""
        acl = self.parse("warn control = submission")

        self.assertEqual([], misplaced(acl, Phase.RCPT))
        self.assertEqual(1, len(misplaced(acl, Phase.DATA)))

    def test_verification(self) -> None:
        """Every kind of verification has phases of its own."""
        acl = self.parse("accept verify = recipient")

        self.assertEqual([], misplaced(acl, Phase.RCPT))
        self.assertEqual(1, len(misplaced(acl, Phase.MAIL)))

    def test_discard(self) -> None:
        """There is nothing to discard at EHLO."""
        acl = self.parse("discard")

        self.assertEqual([], misplaced(acl, Phase.MAIL))
        self.assertEqual(1, len(misplaced(acl, Phase.HELO)))
