"""Which OCSP response is stapled, as files come and go."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mta.log import DEFAULT_SELECTORS
from mta.testing import MemoryLogs
from mta.tls.ocsp import Finding
from mta.tls.staples import Staple, StapleFile, Staples, load_staples
from tests.tls.proofs import (
    DAY,
    HOUR,
    NOW,
    REVOKED,
    UNKNOWN,
    Authority,
    pem,
    unsuccessful,
)
from tests.tls.verdicts import AUTHORITY, DELEGATE, HOST, SAMPLE, seconds


class StapleTestCase(SynchronousTestCase):
    """Has a directory, logs and a time."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = self.directory / "mx.ocsp"
        self.logs = MemoryLogs(DEFAULT_SELECTORS)
        self.now = seconds(NOW)

    @property
    def panics(self) -> list[str]:
        """The lines of the panic log."""
        return [text for text, _ in self.logs.panic_lines]

    def replace(self, octets: bytes) -> None:
        """Put another file in the place of the response's, at once."""
        temporary = self.directory / "temporary"
        temporary.write_bytes(octets)
        os.replace(temporary, self.path)


class StapleTests(StapleTestCase):
    """One certificate's response."""

    def staple(self, *, is_pem: bool = False, chain: bool = True) -> Staple:
        """Return the staple of a host, whose issuer may be known."""
        return Staple(
            HOST.certificate,
            [AUTHORITY.certificate] if chain else [],
            StapleFile(str(self.path), is_pem),
            self.logs,
        )

    def refused(self, octets: bytes, *, is_pem: bool = False) -> str:
        """Return what the log says of octets that must not be stapled."""
        self.path.write_bytes(octets)
        staple = self.staple(is_pem=is_pem)
        for _ in range(3):
            self.assertEqual(b"", staple.octets(self.now))
        self.assertEqual(1, len(self.logs.lines), self.logs.lines)
        start = f'OCSP response file "{self.path}" is not stapled: '
        self.assertTrue(self.logs.lines[0].startswith(start), self.logs.lines)
        return self.logs.lines[0].removeprefix(start)

    def test_good(self) -> None:
        """A good response is stapled as it is, and nothing is logged."""
        self.path.write_bytes(SAMPLE)

        self.assertEqual(SAMPLE, self.staple().octets(self.now))
        self.assertEqual([], self.logs.lines)

    def test_pem(self) -> None:
        """One in PEM is stapled in DER."""
        self.path.write_bytes(pem(SAMPLE))

        self.assertEqual(SAMPLE, self.staple(is_pem=True).octets(self.now))

    def test_missing(self) -> None:
        """A file that is not there raises an alarm, once, and again if it returns."""
        staple = self.staple()
        line = (
            f'Failed to open OCSP response file "{self.path}": '
            "No such file or directory"
        )

        for _ in range(3):
            self.assertEqual(b"", staple.octets(self.now))
        self.assertEqual([line], self.panics)

        self.replace(SAMPLE)
        self.assertEqual(SAMPLE, staple.octets(self.now))
        self.path.unlink()
        self.assertEqual(b"", staple.octets(self.now))

    def test_not_a_file(self) -> None:
        """Neither a directory nor a FIFO is waited for."""
        os.mkfifo(self.directory / "fifo")
        (self.directory / "folder").mkdir()
        for name, reason in (
            ("fifo", "not a regular file"),
            ("folder", "Is a directory"),
        ):
            self.path = self.directory / name

            self.assertEqual(b"", self.staple().octets(self.now))
            self.assertTrue(self.panics[-1].endswith(f": {reason}"), self.panics)

    def test_garbage(self) -> None:
        """What is no response is not stapled."""
        self.assertEqual("it is not an OCSP response", self.refused(b"garbage"))

    def test_empty(self) -> None:
        """Nor is an empty file."""
        self.assertEqual("it is not an OCSP response: empty", self.refused(b""))

    def test_cut_short(self) -> None:
        """Nor a response that was not written to its end."""
        self.assertEqual("it is not an OCSP response", self.refused(SAMPLE[:-1]))

    def test_huge(self) -> None:
        """Nor a file larger than any response."""
        self.assertEqual(
            "it is not an OCSP response: longer than 65536 octets",
            self.refused(SAMPLE + bytes(70000)),
        )

    def test_pem_for_der(self) -> None:
        """The log says where PEM was not announced, and where there is none."""
        self.assertEqual(
            'it is not an OCSP response: PEM, without "PEM" before its name',
            self.refused(pem(SAMPLE)),
        )

    def test_der_for_pem(self) -> None:
        """And where PEM was announced, but is not there."""
        self.assertEqual(
            "it is not an OCSP response: no OCSP response in PEM",
            self.refused(SAMPLE, is_pem=True),
        )

    def test_foreign(self) -> None:
        """A response for another certificate is not stapled."""
        other = AUTHORITY.issue()

        self.assertEqual(
            "it is for another certificate",
            self.refused(AUTHORITY.respond(other.certificate)),
        )

    def test_forged(self) -> None:
        """Nor one that somebody else signed."""
        response = AUTHORITY.respond(HOST.certificate, signer=Authority("X").delegate())

        self.assertEqual(
            "its signature cannot be verified: its signer is not of the "
            "certificate's issuer",
            self.refused(response),
        )

    def test_unsuccessful(self) -> None:
        """Nor one without an answer."""
        self.assertEqual(
            "the responder gave no answer: try later", self.refused(unsuccessful())
        )

    def test_unknown(self) -> None:
        """Nor one that does not know the certificate."""
        self.assertEqual(
            "the responder does not know the certificate",
            self.refused(AUTHORITY.respond(HOST.certificate, UNKNOWN)),
        )

    def test_endless(self) -> None:
        """Nor one without nextUpdate."""
        self.assertEqual(
            "it does not say when it ends (nextUpdate)",
            self.refused(AUTHORITY.respond(HOST.certificate, end=None)),
        )

    def test_revoked(self) -> None:
        """A revocation raises an alarm, and is not stapled."""
        reason = self.refused(AUTHORITY.respond(HOST.certificate, REVOKED))

        self.assertEqual("the certificate is revoked", reason)
        self.assertEqual(1, len(self.panics))

    def test_expires(self) -> None:
        """A response is stapled until it ends, and its end is logged once."""
        self.path.write_bytes(SAMPLE)
        staple = self.staple()
        self.assertEqual(SAMPLE, staple.octets(self.now))

        self.now += 24 * 3600 + 299
        self.assertEqual(SAMPLE, staple.octets(self.now))
        for _ in range(3):
            self.now += 60
            self.assertEqual(b"", staple.octets(self.now))

        self.assertEqual(1, len(self.logs.lines))
        self.assertIn("it has expired: at 2030-01-02 12:00:00", self.logs.lines[0])

    def test_begins(self) -> None:
        """One that is not yet valid is stapled when it is, with no new file."""
        begin = NOW + HOUR
        self.path.write_bytes(AUTHORITY.respond(HOST.certificate, begin=begin))
        staple = self.staple()

        self.assertEqual(b"", staple.octets(self.now))
        self.assertNotEqual(b"", staple.octets(seconds(begin)))
        self.assertEqual(1, len(self.logs.lines))

    def test_signer_ends(self) -> None:
        """A response ends with its signer's certificate."""
        delegate = AUTHORITY.delegate(end=NOW + HOUR)
        self.path.write_bytes(AUTHORITY.respond(HOST.certificate, signer=delegate))
        staple = self.staple()

        self.assertNotEqual(b"", staple.octets(self.now))
        self.assertEqual(b"", staple.octets(self.now + 3601))
        self.assertIn("its signer's certificate has expired", self.logs.lines[0])

    def test_replaced(self) -> None:
        """A new file is stapled at the next connection."""
        self.path.write_bytes(SAMPLE)
        staple = self.staple()
        staple.octets(self.now)
        newer = AUTHORITY.respond(HOST.certificate, end=NOW + 2 * DAY)

        self.replace(newer)

        self.assertEqual(newer, staple.octets(self.now))

    def test_replaced_by_worse(self) -> None:
        """Bad files push out a good one, and each is logged once."""
        self.path.write_bytes(SAMPLE)
        staple = self.staple()
        for bad in (b"", AUTHORITY.respond(HOST.certificate, REVOKED), b"nonsense"):
            self.replace(SAMPLE)
            self.assertEqual(SAMPLE, staple.octets(self.now))
            self.replace(bad)
            self.assertEqual(b"", staple.octets(self.now))
            self.assertEqual(b"", staple.octets(self.now))

        self.assertEqual(3, len(self.logs.lines))

    def test_renewal(self) -> None:
        """The next certificate's response lets this one keep its own while it lasts."""
        self.path.write_bytes(SAMPLE)
        staple = self.staple()
        staple.octets(self.now)
        self.replace(AUTHORITY.respond(AUTHORITY.issue().certificate))

        self.assertEqual(SAMPLE, staple.octets(self.now))
        self.assertIn(
            "another certificate; the earlier one is kept", self.logs.lines[0]
        )
        self.assertEqual(b"", staple.octets(self.now + 24 * 3600 + 301))
        self.assertEqual(1, len(self.logs.lines))

    def test_no_issuer(self) -> None:
        """Without the issuer's certificate nothing can be verified; the log says so."""
        self.path.write_bytes(SAMPLE)
        staple = self.staple(chain=False)

        self.assertEqual(b"", staple.octets(self.now))
        self.assertIn(
            "the certificate's issuer is not known: it should follow in the "
            "certificate's file",
            self.logs.lines[0],
        )

    def test_issuer_in_response(self) -> None:
        """The response may bring the issuer's certificate."""
        brought = [DELEGATE.certificate, AUTHORITY.certificate]
        response = AUTHORITY.respond(
            HOST.certificate, signer=DELEGATE, certificates=brought
        )
        self.path.write_bytes(response)

        self.assertEqual(response, self.staple(chain=False).octets(self.now))

    def test_issuer_in_file(self) -> None:
        """So may its file, in PEM."""
        self.path.write_bytes(pem(SAMPLE) + AUTHORITY.holder.pem)
        staple = self.staple(chain=False, is_pem=True)

        self.assertEqual(SAMPLE, staple.octets(self.now))

    def test_false_issuer(self) -> None:
        """A certificate that only bears the issuer's name is not the issuer's."""
        double = Authority()
        response = double.respond(HOST.certificate, certificates=[double.certificate])
        self.path.write_bytes(response)

        self.assertEqual(b"", self.staple(chain=False).octets(self.now))

    def test_verdict(self) -> None:
        """The verdict can be looked at."""
        self.path.write_bytes(AUTHORITY.respond(HOST.certificate, REVOKED))
        staple = self.staple()
        staple.octets(self.now)

        self.assertIs(Finding.REVOKED, staple.verdict.finding)


class StaplesTests(StapleTestCase):
    """The responses for all certificates that are served together."""

    def load(self, *responses: bytes, must_staple: bool = False) -> Staples:
        """Return the staples of two hosts, given their responses."""
        self.hosts = [HOST, AUTHORITY.issue("other", must_staple=must_staple)]
        paths = []
        for number, host in enumerate(self.hosts):
            path = self.directory / f"{number}.pem"
            path.write_bytes(host.pem + AUTHORITY.holder.pem + host.key_pem)
            paths.append(str(path))
        files = []
        for number, octets in enumerate(responses):
            path = self.directory / f"{number}.ocsp"
            path.write_bytes(octets)
            files.append(StapleFile(str(path)))
        return load_staples(paths, files, logs=self.logs, clock=lambda: self.now)

    def test_pairs(self) -> None:
        """Responses and certificates are paired by their order."""
        staples = self.load(SAMPLE)
        other = AUTHORITY.respond(self.hosts[1].certificate)
        (self.directory / "1.ocsp").write_bytes(other)

        self.assertEqual(SAMPLE, staples.octets_for(lambda: HOST.certificate))
        self.assertEqual(b"", staples.octets_for(lambda: self.hosts[1].certificate))
        self.assertEqual([], self.logs.lines)

    def test_wrong_order(self) -> None:
        """In another order none is stapled, and the log says why."""
        staples = self.load(b"", SAMPLE)

        self.assertEqual(b"", staples.octets_for(lambda: HOST.certificate))
        self.assertEqual(b"", staples.octets_for(lambda: self.hosts[1].certificate))
        self.assertIn("it is for another certificate", self.logs.lines[1])

    def test_nobody(self) -> None:
        """For no certificate, or a strange one, there is none."""
        staples = self.load(SAMPLE)

        self.assertEqual(b"", staples.octets_for(lambda: None))
        self.assertEqual(b"", staples.octets_for(lambda: AUTHORITY.certificate))

    def test_unreadable(self) -> None:
        """A certificate that cannot be read for this has no response, as logged."""
        path = self.directory / "odd.pem"
        path.write_bytes(b"-----BEGIN CERTIFICATE-----\nodd\n-----END CERTIFICATE-----")
        files = [StapleFile(str(self.path))]

        load_staples([str(path)], files, logs=self.logs, clock=lambda: self.now)

        self.assertEqual(
            [f"no OCSP response is stapled: cannot read {path}"], self.logs.lines
        )

    def test_must_staple(self) -> None:
        """A certificate that must be stapled and cannot be raises an alarm."""
        self.load(SAMPLE, must_staple=True)

        self.assertIn(
            f"certificate {self.directory}/1.pem is not accepted without an OCSP "
            "response (must-staple), and there is none to staple",
            self.panics,
        )

    def test_never_raises(self) -> None:
        """Whatever breaks, there is no staple, an alarm, and no exception."""
        staples = self.load(SAMPLE)
        self.now = "not a time"  # type: ignore[assignment]

        for _ in range(3):
            self.assertEqual(b"", staples.octets_for(lambda: HOST.certificate))

        self.assertEqual(1, len(self.panics))
        self.assertIn("no OCSP response is stapled: TypeError", self.panics[0])
