"""ACLs inside of expansions."""

from __future__ import annotations

from mta.acl.expansion import ExpansionACLs
from mta.acl.registry import Phase
from mta.acl.syntax import ACLLanguage
from mta.errors import ExpansionError, ForcedFailure
from mta.expand.context import Context
from mta.expand.registry import Language
from mta.options import Source
from mta.testing import result_of
from tests.acl.case import ACLCase


class ExpansionACLTests(ACLCase):
    """``${acl{name}{argument}}``."""

    def setUp(self) -> None:
        super().setUp()
        self.expansions = Language.load()
        self.language = ACLLanguage.load(self.expansions)
        self.acls.language = self.language
        self.site.run_acl = ExpansionACLs(self.acls, self.logs, self.sleep)

    def expand(self, text: str, **acls: str) -> str:
        """Return what a string is expanded to, outside of any ACL."""
        self.acls.named = {name: self.parse(acl, name) for name, acl in acls.items()}
        template = self.expansions.template(text, Source())
        return result_of(template.expand(Context(self.site, self.connection)))

    def test_message(self) -> None:
        """The value is the message of the accept."""
        text = "accept message = <$acl_arg1>"

        self.assertEqual("<x>", self.expand("${acl{a}{x}}", a=text))

    def test_deny(self) -> None:
        """The value of a deny is its message too."""
        self.assertEqual("no", self.expand("${acl{a}}", a="deny message = no"))
        self.assertEqual("", self.expand("${acl{a}}", a="deny"))

    def test_defer(self) -> None:
        """A defer is a forced failure."""
        self.assertRaises(ForcedFailure, self.expand, "${acl{a}}", a="defer")

    def test_condition(self) -> None:
        """As a condition an accept is true, a deny is false."""
        text = "${if acl{{a}}{yes}{no}}"

        self.assertEqual("yes", self.expand(text, a="accept hosts = 192.0.2.7"))
        self.assertEqual("no", self.expand(text, a="deny"))

    def test_error(self) -> None:
        """What means nothing outside of a session is an error."""
        self.assertRaises(
            ExpansionError, self.expand, "${acl{a}}", a="accept control = freeze"
        )

    def test_inside_of_an_acl(self) -> None:
        """Inside of an ACL it acts on the message in hand, and leaves the texts."""
        verdict = self.verdict(
            "require message = outer\nset acl_m1 = ${acl{inner}}\ncondition = no",
            Phase.DATA,
            named={"inner": "accept control = freeze\nmessage = inner"},
        )

        message = self.transaction.early_message()
        self.assertEqual("outer", verdict.message)
        self.assertEqual("inner", message.acl_variables["m1"])
        self.assertTrue(message.frozen)
