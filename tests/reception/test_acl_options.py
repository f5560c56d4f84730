"""Which ACL is run when."""

from __future__ import annotations

from mta.acl.registry import Phase
from mta.errors import ConfigurationErrors
from mta.options import Setting, Source
from mta.reception.acl_options import OPTION_OF, ACLOptions, bound_acls
from mta.testing import PlainLanguage
from tests.acl.case import ACLCase


class ACLOptionsTests(ACLCase):
    """acl_smtp_... and acl_not_smtp_..."""

    def options(self, **texts: str) -> ACLOptions:
        """Return options that stand in lines 1, 2 and so on of a file."""
        language = PlainLanguage()
        return ACLOptions(
            [
                Setting(name, text, Source("/mta.conf", number, name, language))
                for number, (name, text) in enumerate(texts.items(), 1)
            ],
            language=language,
        )

    def test_every_phase(self) -> None:
        """Every phase but that of expansions has an option."""
        names = set(OPTION_OF.values())

        self.assertEqual(set(Phase) - {Phase.EXPANSION}, set(OPTION_OF))
        self.assertEqual(
            names | {"smtp_return_error_details"}, set(ACLOptions.options())
        )

    def test_unset(self) -> None:
        """Nothing is bound to what is not set."""
        self.assertEqual({}, bound_acls(self.options(), self.acls))

    def test_name(self) -> None:
        """A name is found when the configuration is read."""
        acl = self.parse("accept")
        self.acls.named = {"check": acl}

        bound = bound_acls(self.options(acl_smtp_rcpt="check"), self.acls)

        self.assertIs(acl, bound[Phase.RCPT])

    def test_text(self) -> None:
        """Statements may stand in the option."""
        bound = bound_acls(self.options(acl_smtp_vrfy="accept hosts = *"), self.acls)

        self.assertEqual(1, len(bound[Phase.VRFY].statements))  # type: ignore[union-attr]

    def test_empty(self) -> None:
        """An empty option is an ACL that denies."""
        bound = bound_acls(self.options(acl_smtp_vrfy=""), self.acls)

        self.assertEqual((), bound[Phase.VRFY].statements)  # type: ignore[union-attr]

    def test_expanded(self) -> None:
        """What is expanded, and a file, is found when it is used."""
        options = self.options(acl_smtp_rcpt="check_$x", acl_smtp_data="/acl")

        bound = bound_acls(options, self.acls)

        self.assertEqual("check_$x", bound[Phase.RCPT].text)  # type: ignore[union-attr]
        self.assertEqual("/acl", bound[Phase.DATA].text)  # type: ignore[union-attr]

    def test_unknown_name(self) -> None:
        """A name that no ACL has is an error of the configuration."""
        error = self.assertRaises(
            ConfigurationErrors,
            bound_acls,
            self.options(acl_smtp_helo="accept", acl_smtp_rcpt="nonsense"),
            self.acls,
        )

        (found,) = error.errors
        self.assertEqual(("/mta.conf", 2), (found.file, found.line))
        self.assertIn("nonsense", found.text)

    def test_misplaced_condition(self) -> None:
        """So is a condition that the phase does not allow."""
        self.acls.named = {"check": self.parse("accept\n  domains = *")}

        error = self.assertRaises(
            ConfigurationErrors,
            bound_acls,
            self.options(acl_smtp_data="check"),
            self.acls,
        )

        self.assertIn("cannot test domains condition in DATA ACL", str(error))
