"""Tests for ``mta.config.references``."""

from __future__ import annotations

from tests.config.reading import ConfigurationCase

TWO = """
begin transports
mail:
 driver = appendfile
begin routers
one:
 driver = accept
 {one}
two:
 driver = accept
 {two}
"""


class ReferenceTests(ConfigurationCase):
    """Names must stand for something."""

    def found(self, one: str = "more", two: str = "more") -> list[str]:
        """Return the errors for an option of the first and the second router."""
        return self.errors(TWO.format(one=one, two=two))

    def good(self, one: str = "more", two: str = "more") -> None:
        """Require that there is no error."""
        self.read(TWO.format(one=one, two=two))

    def test_transport(self) -> None:
        """A router's transport must exist."""
        self.good("transport = mail")
        self.assertEqual(
            self.found("transport = mial"),
            ['8: transport: unknown transport "mial"; did you mean "mail"?'],
        )

    def test_expanded_transport(self) -> None:
        """One that is expanded is known only when it is used."""
        self.good("transport = ${lc:x}")

    def test_pass_router(self) -> None:
        """pass_router must exist and come later."""
        self.good("pass_router = two")
        self.assertIn('unknown router "three"', self.found("pass_router = three")[0])
        self.assertIn("must come after", self.found(two="pass_router = one")[0])
        self.assertIn("must come after", self.found("pass_router = one")[0])

    def test_redirect_router(self) -> None:
        """redirect_router must exist, anywhere."""
        self.good(two="redirect_router = one")
        self.assertIn('unknown router "x"', self.found("redirect_router = x")[0])

    def test_acl(self) -> None:
        """A word that is no ACL, verb or file is a mistake."""
        self.assertEqual(
            self.errors("acl_smtp_rcpt = chek\nbegin acl\ncheck:\naccept\n"),
            ['1: acl_smtp_rcpt: unknown ACL "chek"; did you mean "check"?'],
        )

    def test_other_acls(self) -> None:
        """Files, ACLs in line and expanded names are taken."""
        for text in ("/file", "accept", "deny message = no", "${lc:x}", ""):
            self.read(f"acl_smtp_rcpt = {text}\n")
