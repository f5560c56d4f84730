"""Proofs that look after themselves: our daemon, our responder, OpenSSL's client."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID

from tests.interop.daemon import CHECKOUT, Daemon
from tests.interop.daemon_case import DaemonTestCase
from tests.interop.programs import Peer, answers, program, wait_for
from tests.tls.proofs import DAY, Authority, Holder, name

FIRST, SECOND = 0xA1, 0xB2


class Responder(Peer):
    """``twistd mta-ocsp`` for an authority; all certificates are good at first."""

    def __init__(self, authority: Authority) -> None:
        super().__init__()
        self.authority = authority
        self.put("ca.pem", authority.holder.pem)
        self.revoke()

    def put(self, name: str, octets: bytes) -> str:
        """Put a file in place at once; return its path."""
        path = self.directory / name
        (self.directory / "next").write_bytes(octets)
        os.replace(self.directory / "next", path)
        return str(path)

    def revoke(self, *serials: int) -> None:
        """Let these certificates be revoked, and no others."""
        lines = [
            f"R\t491231235959Z\t260101000000Z\t{serial:X}\tunknown\t/CN=a\n"
            if serial in serials
            else f"V\t491231235959Z\t\t{serial:X}\tunknown\t/CN=a\n"
            for serial in (FIRST, SECOND)
        ]
        self.put("index.txt", "".join(lines).encode())

    def sign_with(self, signer: Holder) -> None:
        """Let somebody sign what is answered."""
        self.put("signer.pem", signer.pem)
        self.put("signer.key", signer.key_pem)

    def run(self) -> None:
        """Start the responder."""
        os.environ["PYTHONPATH"] = str(CHECKOUT)
        paths = {
            "ca": "ca.pem",
            "index": "index.txt",
            "signer": "signer.pem",
            "key": "signer.key",
        }
        files = [
            f"--{option}={self.directory / path}" for option, path in paths.items()
        ]
        twistd = str(Path(sys.executable).with_name("twistd"))
        self.start(
            [twistd, "--nodaemon", "--pidfile=", "mta-ocsp", *files]
            + ["--validity=1m", f"--port={self.port}"]
        )

    def end(self) -> None:
        """End the responder, but keep its files."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(20)
        self.process = None

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None
        return answers(self.port, greeting=False)


class RefreshTests(DaemonTestCase):
    """A daemon with ``tls_ocsp_refresh`` and a certificate that names a responder."""

    def setUp(self) -> None:
        """Start the responder and the daemon."""
        self.began = datetime.now(UTC).replace(microsecond=0)
        self.authority = Authority(now=self.began)
        self.responder = Responder(self.authority)
        self.keep(self.responder)

    def issue(self, serial: int) -> bytes:
        """Return a chain and its key, for a file of the daemon's."""
        place = x509.UniformResourceIdentifier(
            f"http://127.0.0.1:{self.responder.port}/ocsp"
        )
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.authority._certificate(
            name("ours.test"),
            key.public_key(),
            self.began + 90 * DAY,
            [(x509.AuthorityInformationAccess([access]), False)],
            serial=serial,
        )
        holder = Holder(certificate, key)
        return holder.pem + self.authority.holder.pem + holder.key_pem

    def serve(self, certificate: bytes, seconds: float) -> Daemon:
        """Start all, with a signer whose certificate ends after so many seconds.

        A slow machine is given more.
        """
        self.certificate = self.responder.put("mx.pem", certificate)
        while True:
            end = datetime.now(UTC) + timedelta(seconds=seconds)
            self.end = end.replace(microsecond=0)
            self.responder.sign_with(self.authority.delegate(end=self.end))
            self.responder.run()
            daemon = self.sick_daemon(
                main=f"tls_certificate = {self.certificate}\ntls_ocsp_refresh"
            )
            if datetime.now(UTC) < end - timedelta(seconds=seconds / 2):
                return daemon
            self.assertLess(seconds, 300)
            daemon.stop()
            self.responder.end()
            seconds *= 3

    def seen(self, daemon: Daemon) -> tuple[int, str]:
        """Return the certificate's number that a client sees, and its status."""
        done = subprocess.run(
            [
                program("openssl"), "s_client", "-starttls", "smtp", "-status",
                "-connect", f"127.0.0.1:{daemon.port}",
                "-CAfile", str(self.responder.directory / "ca.pem"),
            ],
            input=b"QUIT\r\n", capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        text = done.stdout.decode(errors="replace")
        self.assertIn("Verify return code: 0 (ok)", text)
        begin = text.index("-----BEGIN", text.index("\nServer certificate\n"))
        certificate = x509.load_pem_x509_certificate(text[begin:].encode())
        status = "good" if "Cert Status: good" in text else "other"
        if "OCSP response: no response sent" in text:
            status = "none"
        return certificate.serial_number, status

    def wait_until(self, daemon: Daemon, *wanted: tuple[int, str]) -> list[object]:
        """Wait for what clients see; return what they saw until then."""
        seen: list[object] = []

        def look() -> bool:
            seen.append(self.seen(daemon))
            return seen[-1] in wanted

        try:
            left = (self.end - datetime.now(UTC)).total_seconds()
            wait_for(look, 40 + left, str(wanted))
        except AssertionError:
            print(daemon.log(), seen)
            raise
        return seen

    def test_responder_stops(self) -> None:
        """The first client has a proof; it is stapled until its end, and no longer.

        It ends with its signer's certificate.  The alarm comes before that.
        """
        daemon = self.serve(self.issue(FIRST), 14)
        self.assertEqual((FIRST, "good"), self.seen(daemon))

        self.responder.end()
        seen = self.wait_until(daemon, (FIRST, "none"))

        self.assertGreaterEqual(datetime.now(UTC), self.end)
        self.assertLessEqual(set(seen[:-1]), {(FIRST, "good")})
        daemon.wait_for_log("the proof has ended", 10)
        panics = daemon.log("panic").splitlines()
        self.assertEqual(2, len(panics), panics)
        self.assertIn("the proof ends soon, and no other can be fetched", panics[0])
        self.assertIn("Connection refused", panics[0])
        self.assertIn("and nothing is stapled", panics[1])
        status = daemon.command("ocsp", "status")
        self.assertEqual(2, status.returncode)
        self.assertIn(b"its signer's certificate has expired", status.stdout)

    def test_renewed_and_revoked(self) -> None:
        """A renewed certificate has its own proof at once; a revoked one has none."""
        old, new = self.issue(FIRST), self.issue(SECOND)
        daemon = self.serve(old, 30)
        self.assertEqual((FIRST, "good"), self.seen(daemon))

        self.responder.put("mx.pem", new)
        seen = self.wait_until(daemon, (SECOND, "good"))
        self.assertLessEqual(set(seen[:-1]), {(FIRST, "good")})
        status = daemon.command("ocsp", "status")
        self.assertEqual(0, status.returncode, status)
        self.assertIn(b"serial number: B2\n", status.stdout)

        self.responder.revoke(FIRST)
        self.responder.put("mx.pem", old)
        self.wait_until(daemon, (FIRST, "none"))
        panics = daemon.log("panic").splitlines()
        self.assertEqual(1, len(panics), panics)
        self.assertIn("the certificate is revoked, and nothing is stapled", panics[0])
        self.assertEqual(3, daemon.command("ocsp", "status").returncode)
