"""verify = certificate, and verify = header_names_ascii."""

from __future__ import annotations

from mta.acl.registry import Phase
from mta.acl.run import ACLVerdict
from mta.connection import TLSFacts
from mta.message import HeaderSection
from tests.acl.case import ACLCase


class CertificateTests(ACLCase):
    """verify = certificate."""

    def test_verified(self) -> None:
        """Only a certificate that was verified passes."""
        self.assertEqual("deny", self.outcome("require verify = certificate\naccept"))
        self.connection.tls = TLSFacts("TLS1.3", "TLS1.3:X:256")
        verdict = self.verdict("require verify = certificate")
        self.assertEqual("no verified certificate", verdict.message)

        self.connection.tls.verified = True

        self.assertTrue(self.is_true("verify = certificate"))

    def test_phases(self) -> None:
        """There is none where there is no session yet."""
        for phase in (Phase.CONNECT, Phase.NOT_SMTP):
            self.assertEqual(
                "error", self.outcome("accept verify = certificate", phase)
            )


class HeaderNamesTests(ACLCase):
    """verify = header_names_ascii."""

    def judge(self, content: bytes) -> ACLVerdict:
        """Return what is said of a header section."""
        assert self.transaction.message is not None
        self.transaction.message.header = HeaderSection(content)
        return self.verdict("require verify = header_names_ascii\naccept", Phase.DATA)

    def test_ascii(self) -> None:
        """Names of ASCII pass, whatever their values are."""
        verdict = self.judge("Subject: caf\u00e9\r\n \u00e9: x\r\nX-A: b\r\n".encode())

        self.assertEqual("accept", verdict.outcome.value)

    def test_other(self) -> None:
        """A name with other octets is refused, and shown."""
        verdict = self.judge(b"Subject: a\r\nX-\xe9: b\r\n")

        self.assertEqual("deny", verdict.outcome.value)
        self.assertEqual('Invalid character in header "X-\\xe9" found', verdict.message)

    def test_phases(self) -> None:
        """It needs the header section."""
        verdict = self.verdict("accept verify = header_names_ascii", Phase.RCPT)

        self.assertEqual("error", verdict.outcome.value)
