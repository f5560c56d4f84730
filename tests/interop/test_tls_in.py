"""TLS of a whole daemon, as other programs see it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from tests.interop.daemon import Daemon
from tests.interop.daemon_case import DaemonTestCase, send, swaks
from tests.interop.peers import Exim
from tests.interop.programs import free_port, program, wait_for
from tests.tls.lists import issue
from tests.tls.proofs import DAY, HOUR, Authority, Holder, signature_hash

# Exim connects to an address: there is no name to check.
EXIM_TRANSPORT = """\
hosts_require_tls = *
  tls_verify_hosts =
  tls_try_verify_hosts =
  tls_certificate = {certificate}
"""


class TLSTestCase(DaemonTestCase):
    """A daemon with certificates of a private authority, and clients of it."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.directory.chmod(0o755)
        self.authority = Authority(now=datetime.now(UTC).replace(microsecond=0))
        self.write("ca.pem", self.authority.holder.pem)
        self.keep_holder("mx", self.authority.issue("ours.test"))
        for name in ("ann", "bob"):
            self.keep_holder(name, issue(self.authority, host_name=f"{name}.test"))

    def path(self, name: str) -> str:
        """Return the path of a file."""
        return str(self.directory / name)

    def write(self, name: str, octets: bytes) -> str:
        """Put a file in place at once; return its path."""
        temporary = self.directory / "temporary"
        temporary.write_bytes(octets)
        # Exim reads it as another user.
        temporary.chmod(0o644)
        os.replace(temporary, self.directory / name)
        return self.path(name)

    def keep_holder(self, name: str, holder: Holder) -> Holder:
        """Write a certificate, its issuer's, and its key; return it."""
        chain = holder.pem + self.authority.holder.pem
        self.write(f"{name}.pem", chain + holder.key_pem)
        return holder

    def serve(self, *options: str, is_sick: bool = False) -> Daemon:
        """Start a daemon with further options."""
        make = self.sick_daemon if is_sick else self.daemon
        main = "\n".join(options)
        if "tls_certificate" not in main:
            main += f"\ntls_certificate = {self.path('mx.pem')}"
        return make(main=f"{main}\nlog_selector = +tls_peerdn +tls_sni")

    def session(self, daemon: Daemon, *options: str, says: bytes = b"QUIT\r\n") -> str:
        """Return what OpenSSL's client shows of a session."""
        done = subprocess.run(
            [
                program("openssl"), "s_client", "-starttls", "smtp",
                "-connect", f"127.0.0.1:{daemon.port}", "-CAfile", self.path("ca.pem"),
                *options,
            ],
            input=says, capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        return (done.stdout + done.stderr).decode(errors="replace")


class OpenSSLTests(TLSTestCase):
    """OpenSSL's own client."""

    def test_versions(self) -> None:
        """TLS 1.2 and 1.3 are there, and nothing older."""
        daemon = self.serve()
        for option, name in (("tls1_2", "TLSv1.2"), ("tls1_3", "TLSv1.3")):
            shown = self.session(daemon, f"-{option}", "-verify_return_error")
            self.assertIn(f"New, {name}, Cipher is ", shown)
            self.assertIn("Verify return code: 0 (ok)", shown)
        old = self.session(daemon, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        self.assertIn("alert protocol version", old)

    def test_protocols(self) -> None:
        """One protocol for mail is agreed on; others get an alert (ALPN)."""
        daemon = self.serve()
        self.assertIn("ALPN protocol: smtp", self.session(daemon, "-alpn", "smtp"))
        for offered in ("h2", "smtp,h2"):
            shown = self.session(daemon, "-alpn", offered)
            self.assertIn("alert no application protocol", shown)
        self.assertIn("(SSL_accept): Bad ALPN presented ('smtp', 'h2')", daemon.log())

    def test_needed_protocol(self) -> None:
        """A client that must name one gets nowhere without."""
        daemon = self.serve("hosts_require_alpn = *")

        refused = self.session(daemon, says=b"NOOP\r\n")
        served = self.session(daemon, "-alpn", "smtp", "-quiet")

        self.assertNotIn("250 OK", refused)
        self.assertIn("221 ours.test closing connection", served)
        self.assertIn("(SSL_accept): ALPN required but not negotiated", daemon.log())

    def test_keys(self) -> None:
        """Groups, and Diffie-Hellman for old clients, are as the options say."""
        self.keep_holder(
            "rsa",
            self.authority.issue(
                "ours.test", key=rsa.generate_private_key(65537, 2048)
            ),
        )
        daemon = self.serve(
            f"tls_certificate = {self.path('mx.pem')} : {self.path('rsa.pem')}",
            "tls_eccurve = P-384",
            "tls_dhparam = default",
        )
        self.assertRegex(self.session(daemon, "-tls1_3"), "(ECDH, )?(secp384r1|P-384)")
        old = self.session(daemon, "-tls1_2", "-cipher", "kDHE+AES256")
        self.assertIn("Server Temp Key: DH, 2048 bits", old)
        self.assertIn("Verify return code: 0 (ok)", old)

    def test_server_name(self) -> None:
        """The name asked for chooses the certificate, and stands in the log."""
        self.keep_holder("other", self.authority.issue("other.test"))
        daemon = self.serve(
            "tls_certificate = ${if eq{$tls_in_sni}{other.test}"
            f"{{{self.path('other.pem')}}}{{{self.path('mx.pem')}}}}}"
        )
        for asked, shown in (
            ("other.test", "other.test"),
            ("ours.test", "ours.test"),
            ("../../x", "ours.test"),
        ):
            text = self.session(daemon, "-servername", asked)
            self.assertIn(f"CN = {shown}", text)
        sent = swaks(daemon.port, "--tls", "--tls-sni", "other.test")
        self.assertEqual(0, sent.returncode, sent.stdout)
        self.assertIn(" SNI=other.test", daemon.log())

    def test_client_certificates(self) -> None:
        """Hosts of tls_verify_hosts need a certificate that nobody took back."""
        bob = x509.load_pem_x509_certificate(Path(self.path("bob.pem")).read_bytes())
        self.write("crl.pem", self.revocations(bob.serial_number))
        daemon = self.serve(
            "tls_verify_hosts = *",
            f"tls_verify_certificates = {self.path('ca.pem')}",
            f"tls_crl = {self.path('crl.pem')}",
        )
        for version in ("-tls1_2", "-tls1_3"):
            ann = self.session(daemon, version, "-cert", self.path("ann.pem"), "-quiet")
            self.assertIn("221 ours.test closing connection", ann)
            # The client is told who may vouch for it.
            self.assertIn(
                "Acceptable client certificate CA names",
                self.session(daemon, version, "-cert", self.path("ann.pem")),
            )
            for options in (("-cert", self.path("bob.pem")), ()):
                refused = self.session(daemon, version, "-quiet", *options)
                self.assertNotIn("221 ours.test", refused)
        log = daemon.log()
        self.assertIn(
            "[127.0.0.1] SSL verify error: depth=0 error=certificate revoked "
            "cert=/CN=bob.test",
            log,
        )
        self.assertIn("(SSL_accept): peer did not return a certificate", log)

    def revocations(self, serial: int) -> bytes:
        """Return the authority's list with one certificate."""
        revoked = (
            x509.RevokedCertificateBuilder()
            .serial_number(serial)
            .revocation_date(self.authority.now - HOUR)
            .build()
        )
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.authority.subject)
            .last_update(self.authority.now - HOUR)
            .next_update(self.authority.now + DAY)
            .add_revoked_certificate(revoked)
        )
        signed = builder.sign(self.authority.key, signature_hash(self.authority.key))
        return signed.public_bytes(Encoding.PEM)

    def test_renewal(self) -> None:
        """A certificate that is replaced is served; one half replaced never is."""
        key = self.path("mx.key")
        first, second = (self.authority.issue("ours.test") for _ in range(2))
        self.write("mx.pem", first.pem)
        self.write("mx.key", first.key_pem)
        daemon = self.serve(
            f"tls_certificate = {self.path('mx.pem')}",
            f"tls_privatekey = {key}",
            is_sick=True,
        )
        self.assertEqual(first.certificate, self.served(daemon))
        self.write("mx.pem", second.pem)

        def is_told() -> bool:
            # None of the handshakes fails meanwhile.
            self.assertEqual(first.certificate, self.served(daemon))
            return "the earlier one is kept" in daemon.log("panic")

        wait_for(is_told, 30, "the alarm")
        self.write("mx.key", second.key_pem)

        wait_for(
            lambda: self.served(daemon) == second.certificate, 20, "the new certificate"
        )
        self.assertEqual(1, daemon.log("panic").count("TLS error: "))
        self.assertIn(
            f"cert={self.path('mx.pem')} key={key}: "
            "the key is not that of the certificate; the earlier one is kept",
            daemon.log("panic"),
        )
        self.assertEqual(1, daemon.log().count("can be used again"))

    def test_hang_up(self) -> None:
        """SIGHUP makes it look at once, and does not end it."""
        daemon = self.serve()
        first = self.served(daemon)
        second = self.keep_holder("mx", self.authority.issue("ours.test"))
        assert daemon.process is not None

        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for_log("SIGHUP received: ")

        self.assertNotEqual(first, second.certificate)
        self.assertEqual(second.certificate, self.served(daemon))

    def served(self, daemon: Daemon) -> x509.Certificate:
        """Return the certificate that a client is shown."""
        found = re.search(
            "-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----",
            self.session(daemon),
            re.DOTALL,
        )
        assert found is not None
        return x509.load_pem_x509_certificate(found[0].encode())


class OtherClientTests(TLSTestCase):
    """Clients that others wrote."""

    def test_gnutls(self) -> None:
        """GnuTLS's client verifies us, and gets its answers."""
        daemon = self.serve("tls_certificate = " + self.path("mx.pem"))
        for priority, version in (
            ("NORMAL", "TLS1.3"),
            ("NORMAL:-VERS-TLS1.3", "TLS1.2"),
        ):
            done = subprocess.run(
                [
                    program("gnutls-cli"), "--starttls-proto=smtp", "--crlf",
                    "--port", str(daemon.port), "--priority", priority,
                    "--x509cafile", self.path("ca.pem"), "--alpn=smtp",
                    "--verify-hostname", "ours.test", "127.0.0.1",
                ],
                input=b"QUIT\n", capture_output=True, timeout=30, check=False,
            )  # fmt: skip
            shown = done.stdout.decode(errors="replace")

            self.assertIn("The certificate is trusted", shown)
            self.assertIn(f"({version}", shown)
            self.assertIn("221 ours.test closing connection", shown)

    def test_swaks(self) -> None:
        """swaks sends with a certificate of its own, after STARTTLS."""
        daemon = self.serve(
            "tls_try_verify_hosts = *",
            f"tls_verify_certificates = {self.path('ca.pem')}",
        )
        certificate = self.path("ann.pem")
        sent = swaks(
            daemon.port, "--tls", "--tls-cert", certificate, "--tls-key", certificate
        )
        self.assertEqual(0, sent.returncode, sent.stdout)

        self.assertRegex(
            daemon.log(), r' P=esmtps X=TLS1\.3:\S+ CV=yes DN="/CN=ann\.test" '
        )

    def test_swaks_on_connect(self) -> None:
        """On a port of tls_on_connect_ports TLS comes first."""
        port = free_port()
        daemon = self.daemon(
            main=f"tls_certificate = {self.path('mx.pem')}\n"
            f"tls_on_connect_ports = {port}",
            runs=False,
        )
        *command, place = daemon.daemon_command
        daemon.start([*command, f"{place} : 127.0.0.1.{port}"])

        sent = swaks(port, "--tls-on-connect")

        self.assertEqual(0, sent.returncode, sent.stdout)
        self.assertIn(" P=esmtps X=TLS1.3:", daemon.log())

    def test_exim(self) -> None:
        """Exim delivers with a client's certificate, and is known by it."""
        daemon = self.serve(
            "tls_verify_hosts = *",
            f"tls_verify_certificates = {self.path('ca.pem')}",
        )
        transport = EXIM_TRANSPORT.format(certificate=self.path("ann.pem"))
        exim = Exim(daemon.port, transport=transport)
        self.keep(exim)

        self.assertEqual(250, send(exim.port)[0])

        try:
            daemon.wait_for_mail()
        except AssertionError:
            print(exim.log())
            raise
        self.assertRegex(daemon.log(), r' CV=yes DN="/CN=ann\.test" ')

    def test_testssl(self) -> None:
        """testssl.sh finds nothing that is old or weak."""
        command = program("testssl")
        daemon = self.serve()
        done = subprocess.run(
            [
                command, "--color", "0", "--quiet", "--warnings", "off",
                "--nodns", "min", "-p", "-H", "-I", "-R",
                "--starttls", "smtp", f"127.0.0.1:{daemon.port}",
            ],
            capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        shown = done.stdout.decode(errors="replace")

        for line in (
            r"TLS 1 +not offered",
            r"TLS 1\.1 +not offered",
            r"TLS 1\.2 +offered \(OK\)",
            r"TLS 1\.3 +offered \(OK\)",
            r"Heartbleed .* not vulnerable \(OK\)",
            r"CCS .* not vulnerable \(OK\)",
            r"Secure Renegotiation .* supported \(OK\)",
            r"Secure Client-Initiated Renegotiation +not vulnerable \(OK\)",
        ):
            self.assertRegex(shown, line)
        self.assertNotIn("VULNERABLE", shown)
