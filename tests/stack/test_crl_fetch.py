"""Two of our daemons, a web server, and the revocation list of an authority."""

from __future__ import annotations

import ipaddress
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.interop.daemon import Daemon
from tests.interop.daemon_case import DaemonTestCase, send
from tests.tls.lists import point, revocation_list
from tests.tls.proofs import DAY, SHA256, Authority, Holder, name

FETCHING = """\
  tls_verify_certificates = {authority}
  tls_verify_hosts = *
  tls_crl_fetch
"""


class _Lists(ThreadingHTTPServer):
    content = b""
    daemon_threads = True


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content: bytes = self.server.content  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


class FetchTests(DaemonTestCase):
    """What is sent to a host whose certificate names a list."""

    def setUp(self) -> None:
        self.authority = Authority(now=datetime.now(UTC).replace(microsecond=0))
        self.web = _Lists(("127.0.0.1", 0), _Answer)
        thread = threading.Thread(target=self.web.serve_forever, args=(0.05,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.web.server_close)
        self.addCleanup(self.web.shutdown)
        self.holder = self.issue()

    def issue(self) -> Holder:
        """Return a certificate for 127.0.0.1 that names the web server."""
        key = ec.generate_private_key(ec.SECP256R1())
        url = f"http://127.0.0.1:{self.web.server_port}/list.crl"
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name("theirs.test"))
            .issuer_name(self.authority.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.authority.now - DAY)
            .not_valid_after(self.authority.now + DAY)
            .add_extension(x509.SubjectAlternativeName([address]), False)
            .add_extension(x509.CRLDistributionPoints([point(url)]), False)
            .sign(self.authority.key, SHA256)
        )
        return Holder(certificate, key)

    def pair(self) -> tuple[Daemon, Daemon]:
        """Return our daemon, which fetches lists, and the one that it sends to."""
        taking = self.daemon(runs=False)
        path = taking.write("certificate", self.holder_pem)
        taking.rewrite(
            "tls_advertise_hosts = *",
            f"tls_advertise_hosts = *\ntls_certificate = {path}",
        )
        taking.rewrite("ours.test", "theirs.test")
        taking.run()
        authority = taking.write("authority", self.authority.holder.pem.decode())
        sending = self.daemon(
            taking.port, transport=FETCHING.format(authority=authority)
        )
        return sending, taking

    @property
    def holder_pem(self) -> str:
        """The key and the certificate."""
        return (self.holder.key_pem + self.holder.pem).decode()

    def test_good(self) -> None:
        """A certificate that is not on its list is verified; the list is kept."""
        self.web.content = revocation_list(self.authority)
        sending, taking = self.pair()

        send(sending.port, "user@theirs.test")

        taking.wait_for_mail()
        sending.wait_for_log("Completed")
        self.assertIn(" CV=yes ", sending.log())
        kept = list((sending.directory / "spool" / "crl").iterdir())
        self.assertEqual([self.web.content], [path.read_bytes() for path in kept])

    def test_revoked(self) -> None:
        """One that is on it gets nothing where certificates must be verified."""
        self.web.content = revocation_list(self.authority, self.holder.certificate)
        sending, taking = self.pair()

        send(sending.port, "user@theirs.test")

        sending.wait_for_log("== user@theirs.test R=onward T=smtp defer (-37)")
        self.assertIn("the certificate is revoked: at 20", sending.log())
        self.assertEqual([], taking.mailbox())

    def test_unavailable(self) -> None:
        """Without a list the message goes out."""
        self.web.content = b"there is no list today"
        sending, taking = self.pair()

        send(sending.port, "user@theirs.test")

        taking.wait_for_mail()
