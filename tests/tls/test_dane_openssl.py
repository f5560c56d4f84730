"""OpenSSL's own DANE as a second opinion on chains and TLSA records."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.trial.unittest import SynchronousTestCase

from mta.tls.dane import judge
from mta.tls.tlsa import TLSA, usable_records
from tests.interop.programs import free_port
from tests.tls.chains import Certified, Family, certify
from tests.tls.proofs import DAY, Holder

NOW = datetime.now(UTC).replace(microsecond=0)
FORMS = ((0, 0), (0, 1), (1, 0), (1, 1), (1, 2))
CLIENT = [ExtendedKeyUsageOID.CLIENT_AUTH]


class OpenSSLTests(SynchronousTestCase):
    def setUp(self) -> None:
        if shutil.which("openssl") is None:
            self.skipTest("openssl is not installed")
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def serve(self, chain: Sequence[Certified]) -> int:
        """Let OpenSSL's server send a chain; return its port."""
        pems = [Holder(one.certificate, one.key) for one in chain]
        own = self.directory / "own.pem"
        own.write_bytes(pems[0].pem + pems[0].key_pem)
        words = ["-cert", str(own), "-key", str(own)]
        if pems[1:]:
            others = self.directory / "others.pem"
            others.write_bytes(b"".join(one.pem for one in pems[1:]))
            words += ["-cert_chain", str(others)]
        port = free_port()
        server = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", *words],
            # It ends with its input.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

        def stop() -> None:
            server.kill()
            server.communicate(timeout=10)

        self.addCleanup(stop)
        assert server.stdout is not None
        for line in server.stdout:
            if line.startswith(b"ACCEPT"):
                return port
        raise AssertionError("OpenSSL's server does not start")

    def is_accepted(self, port: int, record: TLSA) -> bool:
        """Return whether OpenSSL's client is content with a server."""
        text = f"{record.usage} {record.selector} {record.matching}"
        done = subprocess.run(
            [
                "openssl", "s_client", "-connect", f"127.0.0.1:{port}",
                "-dane_tlsa_domain", "mx.example", "-dane_ee_no_namechecks",
                "-dane_tlsa_rrdata", f"{text} {record.octets.hex()}",
            ],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        said = done.stdout.decode(errors="replace")
        self.assertIn("Verif", said, done.stderr)
        return "Verify return code: 0 (ok)" in said

    def check(self, chain: Sequence[Certified], *records: TLSA) -> tuple[int, int]:
        """Check that we say the same; return how often that is yes, and no."""
        port = self.serve(chain)
        octets = [one.der for one in chain]
        counts = [0, 0]
        for record in records:
            verdict = judge(usable_records([record]), octets, ["mx.example"], NOW)
            case = (tuple(record)[:3], verdict.problem)

            self.assertEqual(verdict.is_met, self.is_accepted(port, record), case)
            counts[not verdict.is_met] += 1
        return counts[0], counts[1]

    @staticmethod
    def records(family: Family, others: Family) -> Iterator[TLSA]:
        """Give records that fit a family, and some that do not."""
        for selector, matching in FORMS:
            yield family.host.record(3, selector, matching)
            yield family.middle.record(2, selector, matching)
        yield others.host.record(3)
        yield others.middle.record(2)
        yield others.middle.record(2, 0, 0)
        yield family.middle.record(3)
        yield family.host.record(2)

    def check_family(self, **facts: Any) -> tuple[int, int]:
        """Check all records for one family, without its root."""
        family = Family(now=NOW, **facts)
        records = self.records(family, Family(now=NOW))
        return self.check([family.host, family.middle], *records)

    def test_good(self) -> None:
        """A chain that is good."""
        self.assertEqual(self.check_family(), (10, 5))

    def test_expired(self) -> None:
        """A host's certificate that has expired."""
        past = {"begin": NOW - 9 * DAY, "end": NOW - DAY}

        self.assertEqual(self.check_family(**past), (5, 10))

    def test_other_name(self) -> None:
        """One for another name, and one whose wildcard fits."""
        self.assertEqual(self.check_family(names=["other.example"]), (5, 10))
        self.assertEqual(self.check_family(names=["*.example.com"]), (5, 10))

    def test_purpose(self) -> None:
        """One that is for clients, and an authority that is for clients' ones."""
        self.assertEqual(self.check_family(usages=CLIENT), (5, 10))
        self.assertEqual(self.check_family(middle={"usages": CLIENT}), (5, 10))

    def test_constraints(self) -> None:
        """An authority for other names, and an issuer that is no authority."""
        self.assertEqual(self.check_family(middle={"permitted": "a.test"}), (5, 10))
        met, _ = self.check_family(middle={"is_authority": False})
        self.assertLess(met, 10)

    def test_root(self) -> None:
        """Roots that are sent, or not, or may have no authority below."""
        for facts, sent in (({}, True), ({}, False), ({"path_length": 0}, True)):
            family = Family(now=NOW, root=facts)
            chain = [family.host, family.middle, *([family.root] if sent else [])]
            forms = [(0, 0), (0, 1), (1, 1)]
            if not facts:
                # OpenSSL looks at a certificate with the key, where one is sent.
                forms.append((1, 0))
            records = [family.root.record(2, *form) for form in forms]

            met, unmet = self.check(chain, *records)

            expected = (0, 3) if facts else ((4, 0) if sent else (2, 2))
            self.assertEqual((met, unmet), expected)

    def test_alone(self) -> None:
        """A certificate that signed itself, and the issuer that is not sent."""
        for is_authority in (False, True):
            alone = certify(
                "mx.example", names=["mx.example"], now=NOW, is_authority=is_authority
            )
            records = [alone.record(u, *form) for u in (2, 3) for form in FORMS]
            met, _ = self.check([alone], *records)
            self.assertGreaterEqual(met, 5)
        family = Family(now=NOW)
        records = [family.middle.record(2, *form) for form in FORMS]
        self.assertEqual(self.check([family.host], *records), (2, 3))
