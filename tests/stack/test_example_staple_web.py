"""The example of ``docs/``: a web server that staples."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.programs import Peer, answers, program, wait_for
from tests.tls.proofs import REVOKED, Authority

CHECKOUT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = CHECKOUT / "docs" / "examples" / "staple_web.py"


class WebServer(Peer):
    """The example as a program of its own."""

    def __init__(self, certificate: Path, response: Path) -> None:
        super().__init__()
        os.environ["PYTHONPATH"] = str(CHECKOUT)
        (self.directory / "page.html").write_text("hello over there")
        files = [str(certificate), str(response), str(self.directory)]
        self.start([sys.executable, str(EXAMPLE), str(self.port), *files])

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.told()
        return answers(self.port, greeting=False)

    def told(self) -> str:
        """Return what it has written so far."""
        return (self.directory / "output").read_text()


class StapleWebTests(SynchronousTestCase):
    """A web server with a certificate of a private authority, and its proof."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.authority = Authority(now=datetime.now(UTC).replace(microsecond=0))
        self.host = self.authority.issue("web.test")
        self.write("authority.pem", self.authority.holder.pem)
        self.write(
            "web.pem", self.host.pem + self.authority.holder.pem + self.host.key_pem
        )
        self.write("web.ocsp", self.authority.respond(self.host.certificate))
        self.server = WebServer(self.directory / "web.pem", self.directory / "web.ocsp")
        self.addCleanup(self.server.stop)

    def write(self, name: str, octets: bytes) -> None:
        """Put a file in place at once."""
        temporary = self.directory / "temporary"
        temporary.write_bytes(octets)
        os.replace(temporary, self.directory / name)

    def fetch(self, version: str) -> str:
        """Return what OpenSSL's client shows of a request."""
        done = subprocess.run(
            [
                program("openssl"), "s_client", "-status", f"-{version}", "-ign_eof",
                "-connect", f"127.0.0.1:{self.server.port}", "-verify_return_error",
                "-CAfile", str(self.directory / "authority.pem"),
            ],
            input=b"GET /page.html HTTP/1.0\r\n\r\n",
            capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        return done.stdout.decode(errors="replace")

    def test_good(self) -> None:
        """A client that asks is told that the certificate is good, and has its page."""
        for version in ("tls1_2", "tls1_3"):
            shown = self.fetch(version)

            self.assertIn("Cert Status: good", shown)
            self.assertIn("hello over there", shown)

    def test_revoked(self) -> None:
        """A proof that says otherwise is not stapled from then on, and that is told."""
        self.assertIn("Cert Status: good", self.fetch("tls1_3"))

        self.write("web.ocsp", self.authority.respond(self.host.certificate, REVOKED))

        self.assertIn("OCSP response: no response sent", self.fetch("tls1_3"))
        wait_for(lambda: "revoked" in self.server.told(), 10, "a line in the log")

    def test_renewed(self) -> None:
        """A new certificate is served with its own proof, without a restart."""
        host = self.authority.issue("web.test", serial=4711)
        self.write("web.ocsp", self.authority.respond(host.certificate))
        self.write("web.pem", host.pem + self.authority.holder.pem + host.key_pem)

        def is_served() -> bool:
            shown = self.fetch("tls1_3")
            # 4711, in hexadecimal digits.
            return "Serial Number: 1267" in shown and "Cert Status: good" in shown

        wait_for(is_served, 20, "the new certificate")
