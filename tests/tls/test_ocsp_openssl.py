"""OpenSSL's own tool as a second opinion, and as a responder."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.trial.unittest import SynchronousTestCase

from mta.tls.ocsp import Finding, Verdict, judge
from tests.tls.proofs import (
    DAY,
    HOUR,
    REVOKED,
    SHA256,
    UNKNOWN,
    Authority,
    Holder,
    unsuccessful,
)

RSA = rsa.generate_private_key(65537, 2048)


class OpenSSLTestCase(SynchronousTestCase):
    """Has a directory for OpenSSL's files; its tool knows no time but the present."""

    def setUp(self) -> None:
        if shutil.which("openssl") is None:
            self.skipTest("openssl is not installed")
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.now = datetime.now(UTC).replace(microsecond=0)

    def path(self, name: str) -> str:
        """Return the path of a file."""
        return str(self.directory / name)

    def write(self, name: str, octets: bytes) -> None:
        """Write a file."""
        (self.directory / name).write_bytes(octets)

    def run_openssl(self, *words: str) -> str:
        """Return all that ``openssl ocsp`` says."""
        done = subprocess.run(
            ["openssl", "ocsp", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=30,
            check=False,
        )
        return done.stdout.decode()


class SecondOpinionTests(OpenSSLTestCase):
    """Our verdicts beside OpenSSL's."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority(now=self.now)
        self.host = self.authority.issue()

    def opinion(self, response: bytes, identifier: str = "sha1") -> bool:
        """Return whether OpenSSL finds a response good, identified by a hash."""
        self.write("response", response)
        self.write("ca.pem", self.authority.holder.pem)
        self.write("host.pem", self.host.pem)
        text = self.run_openssl(
            f"-{identifier}", "-respin", self.path("response"), "-CAfile", self.path("ca.pem"),
            "-issuer", self.path("ca.pem"), "-cert", self.path("host.pem"),
        )  # fmt: skip
        return (
            "Response verify OK" in text
            and ": good" in text
            and "Status times invalid" not in text
        )

    def compare(
        self, name: str, response: bytes, *, is_good: bool, identifier: str = "sha1"
    ) -> None:
        """Check that both say the same, and what is expected."""
        verdict = judge(
            response,
            self.host.certificate,
            self.authority.certificate,
            time.time(),
        )
        opinion = self.opinion(response, identifier)
        self.assertEqual(is_good, opinion, f"OpenSSL on {name}")
        self.assertEqual(is_good, verdict.is_good, f"{name}: {verdict.reason}")

    def respond(self, **settings: object) -> bytes:
        """Return the authority's response for the host."""
        return self.authority.respond(self.host.certificate, **settings)  # type: ignore[arg-type]

    def test_good(self) -> None:
        """Both accept what is good."""
        delegate = self.authority.delegate
        good = {
            "issuer": self.respond(),
            "by name": self.respond(by_name=True),
            "SHA-384 signature": self.respond(digest=hashes.SHA384()),
            "delegate": self.respond(signer=delegate()),
            "RSA delegate": self.respond(signer=delegate(key=RSA)),
            "P-384 delegate": self.respond(
                signer=delegate(key=ec.generate_private_key(ec.SECP384R1()))
            ),
            "delegate that ends first": self.respond(
                signer=delegate(end=self.now + HOUR)
            ),
            "four minutes early": self.respond(begin=self.now + HOUR / 15),
            "four minutes late": self.respond(end=self.now - HOUR / 15),
        }
        for name, response in good.items():
            self.compare(name, response, is_good=True)
        for algorithm in (SHA256, hashes.SHA384(), hashes.SHA512()):
            response = self.respond(algorithm=algorithm)
            name = algorithm.name
            self.compare(name, response, is_good=True, identifier=name)

    def test_edwards(self) -> None:
        """Both know Edwards curves."""
        self.authority = Authority(
            now=self.now, key=ed25519.Ed25519PrivateKey.generate()
        )
        self.host = self.authority.issue()

        self.compare("Ed25519", self.respond(), is_good=True)

    def test_status(self) -> None:
        """Both refuse what the responder does not call good."""
        reason = x509.ReasonFlags.superseded
        for name, response in {
            "revoked": self.respond(status=REVOKED),
            "superseded": self.respond(status=REVOKED, reason=reason),
            "unknown": self.respond(status=UNKNOWN),
            "unsuccessful": unsuccessful(),
            "garbage": b"garbage",
            "cut": self.respond()[:-3],
            "another": self.authority.respond(self.authority.issue().certificate),
        }.items():
            self.compare(name, response, is_good=False)

    def test_dates(self) -> None:
        """Both refuse what is out of date by more than five minutes."""
        for name, response in {
            "expired": self.respond(begin=self.now - DAY, end=self.now - HOUR),
            "six minutes late": self.respond(end=self.now - HOUR / 10),
            "six minutes early": self.respond(begin=self.now + HOUR / 10 + HOUR / 60),
            "backwards": self.respond(begin=self.now, end=self.now - HOUR / 30),
        }.items():
            self.compare(name, response, is_good=False)

    def test_signer(self) -> None:
        """Both refuse who may not sign."""
        delegate = self.authority.delegate
        stranger = Authority(now=self.now)
        changed = bytearray(self.respond())
        changed[-1] ^= 1
        server = [ExtendedKeyUsageOID.SERVER_AUTH]
        signers: dict[str, Holder] = {
            "no usage": delegate(usages=[]),
            "server usage": delegate(usages=server),
            "host": self.host,
            "stranger": stranger.holder,
            "stranger's delegate": stranger.delegate(),
            "expired": delegate(end=self.now - HOUR / 2),
            "not yet valid": delegate(begin=self.now + HOUR),
        }
        self.compare("changed", bytes(changed), is_good=False)
        for name, signer in signers.items():
            self.compare(name, self.respond(signer=signer), is_good=False)
        missing = self.respond(signer=delegate(), certificates=[self.host.certificate])
        self.compare("missing", missing, is_good=False)

    def test_stricter(self) -> None:
        """We alone refuse what never ends, and signatures over short hashes."""
        for finding, response in (
            (Finding.ENDLESS, self.respond(end=None)),
            (Finding.UNVERIFIABLE, self.respond(digest=hashes.SHA224())),
        ):
            verdict = judge(
                response,
                self.host.certificate,
                self.authority.certificate,
                time.time(),
            )

            self.assertTrue(self.opinion(response), finding)
            self.assertIs(finding, verdict.finding)


class ResponderTests(OpenSSLTestCase):
    """Responses that OpenSSL makes."""

    def respond(
        self, *options: str, status: str = "V", delegated: bool = False
    ) -> bytes:
        """Return OpenSSL's response for two certificates, the host's the second."""
        self.authority = Authority(now=self.now, key=RSA)
        self.host, other = self.authority.issue(), self.authority.issue("other")
        signer = (
            self.authority.delegate(key=RSA) if delegated else self.authority.holder
        )
        lines = []
        for holder, state in ((self.host, status), (other, "V")):
            revoked = (self.now - HOUR).strftime("%y%m%d%H%M%SZ")
            lines.append(
                f"{state}\t{(self.now + DAY).strftime('%y%m%d%H%M%SZ')}\t"
                f"{revoked if state == 'R' else ''}\t"
                f"{holder.certificate.serial_number:040X}\tunknown\t/CN={len(lines)}\n"
            )
        self.write("index.txt", "".join(lines).encode())
        self.write("ca.pem", self.authority.holder.pem)
        self.write("signer.pem", signer.pem)
        self.write("signer.key", signer.key_pem)
        self.write("host.pem", self.host.pem)
        self.write("other.pem", other.pem)
        self.run_openssl(
            "-issuer", self.path("ca.pem"), "-cert", self.path("other.pem"),
            "-cert", self.path("host.pem"), "-no_nonce", "-reqout", self.path("request"),
        )  # fmt: skip
        text = self.run_openssl(
            "-index", self.path("index.txt"), "-CA", self.path("ca.pem"),
            "-rsigner", self.path("signer.pem"), "-rkey", self.path("signer.key"),
            "-reqin", self.path("request"), "-respout", self.path("response"),
            "-ndays", "1", *options,
        )  # fmt: skip
        response = self.directory / "response"
        self.assertTrue(response.exists(), text)
        return response.read_bytes()

    def judge(self, response: bytes) -> Verdict:
        """Return our verdict."""
        return judge(
            response, self.host.certificate, self.authority.certificate, time.time()
        )

    def test_several(self) -> None:
        """Of several certificates' statuses ours is taken."""
        self.assertTrue(self.judge(self.respond()).is_good)
        found = self.judge(self.respond(status="R"))
        self.assertIs(Finding.REVOKED, found.finding)

    def test_delegate(self) -> None:
        """A delegate's response is good, named by key or by name."""
        self.assertTrue(self.judge(self.respond(delegated=True)).is_good)
        by_key = self.respond("-resp_key_id", delegated=True)
        self.assertTrue(self.judge(by_key).is_good)

    def test_pss(self) -> None:
        """RSA signatures may be of the newer kind (PSS), whatever their salt."""
        padding = ("-rsigopt", "rsa_padding_mode:pss")
        for digest in ("sha256", "sha384", "sha512"):
            for salt in ("digest", "0", "20"):
                options = (*padding, "-rsigopt", f"rsa_pss_saltlen:{salt}")
                response = self.respond("-rmd", digest, *options)

                found = self.judge(response)

                self.assertTrue(found.is_good, f"{digest} {salt}: {found.reason}")

    def test_changed_pss(self) -> None:
        """But it must be the signer's."""
        response = self.respond("-rmd", "sha256", "-rsigopt", "rsa_padding_mode:pss")
        signature_at = ocsp.load_der_ocsp_response(response).signature
        changed = bytearray(response)
        changed[response.index(signature_at)] ^= 1

        self.assertEqual("wrong signature", self.judge(bytes(changed)).detail)

    def test_weak(self) -> None:
        """A signature over SHA-1 does not count."""
        for options in ((), ("-rsigopt", "rsa_padding_mode:pss")):
            found = self.judge(self.respond("-rmd", "sha1", *options))

            self.assertIs(Finding.UNVERIFIABLE, found.finding)
