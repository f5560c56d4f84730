"""``mta ocsp``: proofs fetched from responders, good and bad, and looked at."""

from __future__ import annotations

import io
import os
import re
import shutil
import socket
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID
from twisted.trial.unittest import SynchronousTestCase

from mta.commands.arguments import Mode, parse_arguments
from mta.commands.command_line import main
from mta.commands.ocsp import Outcome
from tests.ocsp.scripted import ScriptedResponder, answered
from tests.tls.proofs import DAY, HOUR, REVOKED, Authority, Holder, pem

OPENSSL = shutil.which("openssl")
SERIAL = 0x1234


@cache
def authority() -> Authority:
    """Return a CA of today."""
    return Authority(now=datetime.now(UTC).replace(microsecond=0))


@cache
def host() -> Holder:
    """Return a host's certificate of that CA."""
    return authority().issue(serial=SERIAL)


class OCSPCase(SynchronousTestCase):
    """With certificates in files, and a place for the proof."""

    def setUp(self) -> None:
        """Write the files."""
        self.directory = self.mktemp()
        os.mkdir(self.directory)
        self.issuer = self.write("ca.pem", authority().holder.pem)
        self.certificate = self.write("mx.pem", host().pem)
        self.proof = os.path.join(self.directory, "mx.ocsp")
        self.out = self.error = ""

    def write(self, name: str, octets: bytes) -> str:
        """Write a file; return its path."""
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(octets)
        return path

    def present(self) -> bytes:
        """Return what is in the file for the proof."""
        with open(self.proof, "rb") as file:
            return file.read()

    def run_command(self, *words: str) -> int:
        """Return the exit status; what is printed is in ``out`` and ``error``."""
        out, error = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(error):
            status = main(["/usr/sbin/mta", "ocsp", *words])
        self.out, self.error = out.getvalue(), error.getvalue()
        return status

    def fetch(self, url: str, *words: str) -> int:
        """Fetch from a responder; return the exit status."""
        files = ("--certificate", self.certificate, "--issuer", self.issuer)
        return self.run_command(
            "fetch", *files, "--output", self.proof, "--url", url, *words
        )

    def verify(self, path: str) -> int:
        """Look at a proof; return the exit status."""
        files = ("--certificate", self.certificate, "--issuer", self.issuer)
        return self.run_command("verify", path, *files)

    def respond(self, response: bytes) -> str:
        """Answer so until the test ends; return the URL."""
        fields = b"Content-Type: application/ocsp-response"
        responder = ScriptedResponder(answered(response, fields))
        self.addCleanup(responder.stop)
        return responder.url


class FetchTests(OCSPCase):
    """Fetching."""

    def test_new(self) -> None:
        """A proof that can be used is written, and its end is told."""
        response = authority().respond(host().certificate)
        status = self.fetch(self.respond(response))
        self.assertEqual((Outcome.DONE, ""), (status, self.error))
        self.assertEqual(response, self.present())
        end = (authority().now + DAY).strftime("%Y-%m-%d %H:%M:%S UTC")
        self.assertEqual(f"{self.proof}: new, good until {end}\n", self.out)

    def test_pem(self) -> None:
        """It can be written as PEM, and is read as that next time."""
        response = authority().respond(host().certificate)
        url = self.respond(response)
        self.assertEqual(Outcome.DONE, self.fetch(url, "--pem"))
        self.assertIn(b"-----BEGIN OCSP RESPONSE-----\n", self.present())
        self.assertEqual(Outcome.NOT_DUE, self.fetch(url, "--pem"))

    def test_not_due(self) -> None:
        """Nobody is asked while the proof lasts, unless that is forced."""
        response = authority().respond(host().certificate)
        self.write("mx.ocsp", response)
        self.assertEqual(Outcome.NOT_DUE, self.fetch("http://127.0.0.1:1/"))
        self.assertEqual("", self.error)
        self.assertEqual(Outcome.FAILED, self.fetch("http://127.0.0.1:1/", "--force"))

    def test_margin(self) -> None:
        """The margin says how much of its life a proof must have left."""
        now = authority().now
        begin, end = now - 50 * HOUR, now + 50 * HOUR
        old = authority().respond(host().certificate, begin=begin, end=end)
        self.write("mx.ocsp", old)
        response = authority().respond(host().certificate)
        url = self.respond(response)
        self.assertEqual(Outcome.NOT_DUE, self.fetch(url, "--margin", "40%"))
        self.assertEqual(Outcome.DONE, self.fetch(url, "--margin", "60"))
        self.assertEqual(response, self.present())

    def test_unusable(self) -> None:
        """Where a responder misbehaves a line says so, and the old proof stays."""
        now = authority().now
        begin, end = now - 99 * HOUR, now + HOUR
        old = authority().respond(host().certificate, begin=begin, end=end)
        yesterday = authority().respond(
            host().certificate, begin=now - 2 * DAY, end=now - DAY
        )
        self.write("mx.ocsp", old)
        for response, text in (
            (b"nonsense", "it is not an OCSP response"),
            (yesterday, "it has expired"),
            (bytes(100_000), "it sends more than"),
            (old, "it has nothing newer"),
        ):
            url = self.respond(response)
            self.assertEqual(Outcome.FAILED, self.fetch(url))
            self.assertTrue(self.error.startswith(f"mta ocsp: {url}: "))
            self.assertIn(text, self.error)
            self.assertEqual((1, ""), (self.error.count("\n"), self.out))
            self.assertEqual(old, self.present())

    def test_hanging(self) -> None:
        """A responder that hangs has the time that is given."""
        responder = ScriptedResponder(lambda connection, _: connection.recv(1) and None)
        self.addCleanup(responder.stop)
        status = self.fetch(responder.url, "--timeout", "0.2")
        self.assertEqual(Outcome.FAILED, status)
        self.assertIn("no answer within 0.2 s", self.error)

    def test_revoked(self) -> None:
        """A revoked certificate has an exit status of its own."""
        url = self.respond(authority().respond(host().certificate, REVOKED))
        self.assertEqual(Outcome.REVOKED, self.fetch(url))
        self.assertIn("the certificate is revoked", self.error)
        self.assertFalse(os.path.exists(self.proof))

    def test_no_responder(self) -> None:
        """So has a certificate that names no responder."""
        status = self.run_command(
            "fetch", "--certificate", self.certificate,
            "--issuer", self.issuer, "--output", self.proof,
        )  # fmt: skip
        self.assertEqual(Outcome.NO_RESPONDER, status)
        self.assertIn("names no responder", self.error)

    def test_named_responder(self) -> None:
        """The responder that the certificate names is asked."""
        responder = ScriptedResponder(b"")
        self.addCleanup(responder.stop)
        place = x509.UniformResourceIdentifier(responder.url)
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)
        certificate = authority()._certificate(
            host().certificate.subject,
            host().key.public_key(),
            authority().now + DAY,
            [(x509.AuthorityInformationAccess([access]), False)],
        )
        self.certificate = self.write("named.pem", Holder(certificate, None).pem)
        status = self.run_command(
            "fetch", "--certificate", self.certificate,
            "--issuer", self.issuer, "--output", self.proof,
        )  # fmt: skip
        self.assertEqual(Outcome.FAILED, status)
        self.assertEqual(1, len(responder.requests))
        self.assertIn(f"mta ocsp: {responder.url}: ", self.error)

    def test_proxy(self) -> None:
        """A proxy is asked where one is named."""
        response = authority().respond(host().certificate)
        proxy = self.respond(response).removesuffix("/ca")
        status = self.fetch("http://ca.invalid/", "--proxy", proxy)
        self.assertEqual(Outcome.DONE, status, self.error)
        self.assertEqual(response, self.present())

    def test_unwritable(self) -> None:
        """Where the proof cannot be written that is told."""
        self.proof = os.path.join(self.directory, "nowhere", "mx.ocsp")
        url = self.respond(authority().respond(host().certificate))
        self.assertEqual(Outcome.WRONG_USE, self.fetch(url))
        self.assertIn("No such file or directory", self.error)

    def test_hostile_answer(self) -> None:
        """No control character of a responder comes to the terminal."""
        responder = ScriptedResponder(
            answered(b"", b"Location: \x1b[2J", status=b"302 Found")
        )
        self.addCleanup(responder.stop)
        self.fetch(responder.url)
        self.assertIn("it redirects, to \\033[2J\n", self.error)

    def test_openssl(self) -> None:
        """OpenSSL's responder is understood, with several certificates in its index."""
        if OPENSSL is None:
            self.skipTest("there is no openssl command")
        delegate = authority().delegate(signs=True)
        signer = self.write("signer.pem", delegate.pem)
        key = self.write("signer.key", delegate.key_pem)
        revoked = self.write("revoked.pem", authority().issue(serial=0x99).pem)
        index = self.write(
            "index.txt",
            b"V\t491231235959Z\t\t1234\tunknown\t/CN=a\n"
            b"R\t491231235959Z\t260101000000Z\t99\tunknown\t/CN=b\n",
        )
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = str(listening.getsockname()[1])
        with subprocess.Popen(
            [
                OPENSSL, "ocsp", "-port", port, "-CA", self.issuer, "-index", index,
                "-rsigner", signer, "-rkey", key, "-ndays", "2",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as responder:  # fmt: skip
            try:
                assert responder.stderr is not None
                while b"waiting" not in (line := responder.stderr.readline()).lower():
                    self.assertTrue(line)
                url = f"http://127.0.0.1:{port}/"
                self.assertEqual(Outcome.DONE, self.fetch(url), self.error)
                self.assertEqual(Outcome.DONE, self.verify(self.proof))
                self.certificate = revoked
                self.assertEqual(Outcome.REVOKED, self.fetch(url, "--force"))
            finally:
                responder.kill()


class VerifyTests(OCSPCase):
    """Looking at a proof."""

    def test_good(self) -> None:
        """A good proof is shown with its times."""
        for octets in (
            authority().respond(host().certificate),
            pem(authority().respond(host().certificate)),
        ):
            self.assertEqual(Outcome.DONE, self.verify(self.write("proof", octets)))
            self.assertRegex(self.out, r"\A\S+: good\n")
            names = re.findall(r"^  ([^:]+): ", self.out, re.MULTILINE)
            self.assertEqual(
                ["this update", "next update", "signer's end", "effective end"], names
            )

    def test_others(self) -> None:
        """What is not good has another exit status."""
        revoked = authority().respond(host().certificate, REVOKED)
        self.assertEqual(Outcome.REVOKED, self.verify(self.write("proof", revoked)))
        for octets in (b"", b"nonsense", b"-----BEGIN X", revoked[:-1]):
            self.assertEqual(Outcome.FAILED, self.verify(self.write("proof", octets)))
            self.assertIn("it is not an OCSP response", self.out)

    def test_chain(self) -> None:
        """The issuer may be in the certificate's own file."""
        chain = self.write("chain.pem", host().pem + authority().holder.pem)
        proof = self.write("proof", authority().respond(host().certificate))
        status = self.run_command("verify", proof, "--certificate", chain)
        self.assertEqual(Outcome.DONE, status)

    def test_missing(self) -> None:
        """A file that is not there is told."""
        self.assertEqual(Outcome.WRONG_USE, self.verify("/nowhere/proof"))
        self.assertEqual(
            "mta ocsp: /nowhere/proof: No such file or directory\n", self.error
        )


class UseTests(OCSPCase):
    """The command line."""

    def test_words(self) -> None:
        """All that follows is the command's own."""
        arguments = parse_arguments("mta", ["ocsp", "fetch", "-q", "--output", "-"])
        self.assertIs(Mode.OCSP, arguments.mode)
        self.assertEqual(["fetch", "-q", "--output", "-"], arguments.operands)

    def test_help(self) -> None:
        """The options are shown."""
        self.assertEqual(Outcome.DONE, self.run_command("--help"))
        self.assertIn("usage: mta ocsp fetch", self.out)

    def test_wrong(self) -> None:
        """Wrong use has one exit status, and the reason comes first."""
        whole = ("fetch", "--certificate", "a", "--output", "b")
        for words, text in (
            ((), "required: fetch|verify|status"),
            (("guess",), "invalid choice"),
            (("fetch",), "required: --certificate, --output"),
            ((*whole, "--margin", "x"), "'x' is no number"),
            ((*whole, "--margin", "nan"), "0 to 99 percent"),
            ((*whole, "--margin", "100"), "0 to 99 percent"),
            ((*whole, "--timeout", "0"), "seconds are wanted"),
            ((*whole, "--proxy", "proxy:1"), "is not a proxy like http://HOST:PORT"),
            ((*whole, "--cert", "x"), "unrecognized arguments"),
            (whole, "a: No such file"),
        ):
            self.assertEqual(Outcome.WRONG_USE, self.run_command(*words))
            self.assertIn(text, self.error.splitlines()[0])

    def test_certificates(self) -> None:
        """Certificates that cannot be used are told with their file."""
        garbage = self.write("garbage", b"-----BEGIN CERTIFICATE-----\n")
        other = self.write("other.pem", Authority("Stranger").holder.pem)
        for certificate, issuer, text in (
            (garbage, self.issuer, f"{garbage}: no certificate"),
            (self.certificate, garbage, f"{garbage}: no certificate"),
            (self.certificate, other, f"{other}: no certificate of who issued CN=mx"),
        ):
            self.certificate, self.issuer = certificate, issuer
            self.assertEqual(Outcome.WRONG_USE, self.verify("x"))
            self.assertIn(text, self.error)
            self.certificate = os.path.join(self.directory, "mx.pem")

    def test_expired(self) -> None:
        """For a certificate that has expired nobody is asked."""
        gone = authority().issue(end=authority().now - DAY)
        self.certificate = self.write("gone.pem", gone.pem)
        self.assertEqual(Outcome.WRONG_USE, self.fetch("http://127.0.0.1:1/"))
        self.assertIn("the certificate has expired", self.error)
