"""Stapling by a whole daemon, to OpenSSL's client and to Exim."""

from __future__ import annotations

import smtplib
import ssl
import subprocess

from tests.interop.daemon import Daemon
from tests.interop.daemon_case import send
from tests.interop.host_files import HostFilesCase
from tests.interop.peers import Exim
from tests.interop.programs import program, wait_for
from tests.tls.proofs import DAY, REVOKED, pem

# Exim connects to an address: there is no name to check.
EXIM_TRANSPORT = """\
hosts_require_tls = *
  hosts_require_ocsp = *
  tls_verify_hosts = *
  tls_verify_cert_hostnames =
  tls_verify_certificates = {authority}
"""


class StaplingTests(HostFilesCase):
    """A daemon with a certificate of a private authority, and its proof."""

    def setUp(self) -> None:
        super().setUp()
        self.issue("ours.test")
        self.good = self.authority.respond(
            self.host.certificate, signer=self.authority.delegate()
        )
        self.write("mx.ocsp", self.good)

    def serve(self, *, is_sick: bool = False, form: str = "") -> Daemon:
        """Start a daemon that staples, and writes in messages what came of it."""
        make = self.sick_daemon if is_sick else self.daemon
        return make(
            main=f"tls_certificate = {self.path('mx.pem')}\n"
            f"tls_ocsp_file = {form}{self.path('mx.ocsp')}\n"
            "received_header_text = Received: $tls_in_ver ocsp=$tls_in_ocsp"
        )

    def status(self, daemon: Daemon, version: str) -> str:
        """Return what OpenSSL's client shows of a session."""
        done = subprocess.run(
            [
                program("openssl"), "s_client", "-starttls", "smtp", "-status",
                "-connect", f"127.0.0.1:{daemon.port}", f"-{version}",
                "-CAfile", self.path("authority.pem"), "-verify_return_error",
            ],
            input=b"QUIT\r\n", capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        return done.stdout.decode(errors="replace")

    def test_openssl(self) -> None:
        """OpenSSL sees a good status as long as there is one, and TLS in any case."""
        daemon = self.serve(is_sick=True)
        for version in ("tls1_2", "tls1_3"):
            self.write("mx.ocsp", self.good)
            good = self.status(daemon, version)
            self.write(
                "mx.ocsp", self.authority.respond(self.host.certificate, REVOKED)
            )
            revoked = self.status(daemon, version)

            self.assertIn("OCSP Response Status: successful", good)
            self.assertIn("Cert Status: good", good)
            self.assertIn("OCSP response: no response sent", revoked)
            for text in (good, revoked):
                self.assertIn("Verify return code: 0 (ok)", text)
        self.assertEqual(2, daemon.log("panic").count("the certificate is revoked"))

    def test_variable(self) -> None:
        """``$tls_in_ocsp`` tells who asked: Python's client does not."""
        daemon = self.serve()
        context = ssl.create_default_context(cafile=self.path("authority.pem"))
        with smtplib.SMTP("127.0.0.1", daemon.port, timeout=30) as client:
            client._host = "ours.test"  # type: ignore[attr-defined]
            client.starttls(context=context)
            client.sendmail("sender@ours.test", "user@ours.test", b"\r\nhello\r\n")

        self.assertIn(b"TLS1.3 ocsp=0", daemon.wait_for_mail()[0])

    def test_exim(self) -> None:
        """Exim, told to insist on a good staple, delivers to us."""
        for form, octets in (("", self.good), ("PEM ", pem(self.good))):
            self.write("mx.ocsp", octets)
            daemon = self.serve(form=form)
            exim = self.exim(daemon)

            self.assertEqual(250, send(exim.port)[0])

            try:
                message = daemon.wait_for_mail()[0]
            except AssertionError:
                print(exim.log())
                raise
            self.assertIn(b"TLS1.3 ocsp=4", message)

    def exim(self, daemon: Daemon) -> Exim:
        """Start an Exim that delivers to a daemon, if that staples."""
        transport = EXIM_TRANSPORT.format(authority=self.path("authority.pem"))
        exim = Exim(daemon.port, transport=transport)
        self.keep(exim)
        return exim

    def test_exim_without(self) -> None:
        """Without a proof that is good Exim delivers nothing."""
        self.write(
            "mx.ocsp",
            self.authority.respond(
                self.host.certificate,
                begin=self.authority.now - 2 * DAY,
                end=self.authority.now - DAY,
            ),
        )
        daemon = self.serve()
        exim = self.exim(daemon)

        self.assertEqual(250, send(exim.port)[0])

        wait_for(lambda: " == user@ours.test" in exim.log(), 20, "Exim's deferral")
        # GnuTLS's words, or OpenSSL's.
        self.assertRegex(exim.log(), "certificate status (check failed|not received)")
        self.assertEqual([], daemon.mailbox())
        self.assertIn(
            f'OCSP response file "{self.path("mx.ocsp")}" is not stapled: '
            "it has expired",
            daemon.log(),
        )
