"""What ``-bV`` tells of TLS."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.commands.calling import CommandCase, Result
from tests.tls.proofs import Authority

NOW = datetime.now(UTC).replace(microsecond=0)
AUTHORITY = Authority(now=NOW)
HOST = AUTHORITY.issue()


class TLSCheckTests(CommandCase):
    """Options that name files, and words for OpenSSL."""

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.files = Path(folder.name)
        self.certificate = self.files / "mx.pem"
        self.certificate.write_bytes(HOST.pem + HOST.key_pem)

    def check(self, *options: str) -> Result:
        """Return what is said of options, with a certificate unless they name one."""
        lines = list(options)
        if "tls_certificate" not in "".join(lines):
            lines.append(f"tls_certificate = {self.certificate}")
        path = Path(self.configuration)
        text = path.read_text("utf-8")
        path.write_text(
            text.replace("begin acl\n", "\n".join([*lines, "begin acl\n"]), 1), "utf-8"
        )
        result = self.call("-bV")
        path.write_text(text, "utf-8")
        return result

    def test_good(self) -> None:
        """Of what is good nothing is told, nor of proofs that may come later."""
        result = self.check(f"tls_ocsp_file = {self.files}/later.ocsp")

        self.assertEqual((0, ""), (result.status, result.errors))
        self.assertNotIn("Warning", result.output)

    def test_files(self) -> None:
        """Files that cannot be used are told by name."""
        for option in ("tls_certificate", "tls_privatekey", "tls_crl"):
            missing = f"{self.files}/missing"
            result = self.check(f"{option} = {missing}", "tls_try_verify_hosts = *")

            self.assertEqual(0, result.status)
            self.assertIn("Warning: TLS error: ", result.output, option)
            self.assertIn(missing, result.output, option)
            self.assertIn("No such file or directory", result.output, option)

    def test_old(self) -> None:
        """So is a certificate that has ended."""
        old = AUTHORITY.issue(end=NOW - timedelta(days=1))
        self.certificate.write_bytes(old.pem + old.key_pem)

        self.assertIn(
            f"Warning: certificate {self.certificate}: it has expired",
            self.check().output,
        )

    def test_words(self) -> None:
        """Words that OpenSSL does not know are errors, with the line."""
        for option in ("tls_eccurve = P-999", "tls_dhparam = ike1",
                       "tls_require_ciphers = NONSENSE"):  # fmt: skip
            result = self.check(option)

            self.assertEqual(1, result.status)
            self.assertIn(str(self.configuration), result.errors)
            self.assertIn(option.split()[0], result.errors)

    def test_off(self) -> None:
        """Where TLS is off nothing of it matters."""
        result = self.check("tls_advertise_hosts =", "tls_certificate = /missing")

        self.assertEqual((0, ""), (result.status, result.errors))
        self.assertNotIn("Warning", result.output)
