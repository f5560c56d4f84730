"""Chains of certificates against TLSA records."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.trial.unittest import SynchronousTestCase

from mta.tls.dane import (
    NO_CERTIFICATE,
    NO_MATCH,
    OTHER_NAME,
    UNREADABLE,
    DANEVerdict,
    judge,
)
from mta.tls.tlsa import TLSA, usable_records
from tests.tls.chains import SERVER, Certified, Family, certify
from tests.tls.proofs import DAY, NOW

FAMILY = Family()
STRANGERS = Family()
ALL_FORMS = list(itertools.product((0, 1), (0, 1, 2)))
PAST = {"begin": NOW - 60 * DAY, "end": NOW - DAY}
FUTURE = {"begin": NOW + DAY, "end": NOW + 60 * DAY}


class JudgeCase(SynchronousTestCase):
    def judge(
        self,
        records: Sequence[TLSA],
        chain: Sequence[bytes] | None = None,
        names: Sequence[str] = ("mx.example",),
    ) -> DANEVerdict:
        """Return the verdict on a chain, that of the good family by default."""
        usable = usable_records(records)
        self.assertTrue(usable)
        return judge(usable, FAMILY.chain if chain is None else chain, names, NOW)

    def assert_met(self, *arguments: Any, **facts: Any) -> None:
        """Check that a chain is what its records say."""
        verdict = self.judge(*arguments, **facts)
        self.assertTrue(verdict.is_met, verdict.problem)
        self.assertEqual(verdict.problem, "")

    def assert_problem(self, text: str, *arguments: Any, **facts: Any) -> None:
        """Check that a chain is not, and why."""
        verdict = self.judge(*arguments, **facts)
        self.assertFalse(verdict.is_met)
        self.assertIn(text, verdict.problem)


class EndEntityTests(JudgeCase):
    """DANE-EE: the server's own certificate is published."""

    def test_match(self) -> None:
        """Certificate or key, whole or hashed, names the server."""
        for selector, matching in ALL_FORMS:
            record = FAMILY.host.record(3, selector, matching)

            self.assert_met([record])
            self.assertEqual(self.judge([record]).record, record)

    def test_mismatch(self) -> None:
        """Another certificate or key is refused."""
        for selector, matching in ALL_FORMS:
            record = STRANGERS.host.record(3, selector, matching)

            self.assert_problem(NO_MATCH, [record])

    def test_whatever_else(self) -> None:
        """Dates, names, purposes and issuers are of no account."""
        for host in (
            certify("self-signed.example", names=["other.example"]),
            certify("mx.example", **PAST),
            certify("mx.example", **FUTURE),
            certify("mx.example", usages=[ExtendedKeyUsageOID.CLIENT_AUTH]),
            certify("mx.example", is_authority=True),
            certify(
                "mx.example", key=ed25519.Ed25519PrivateKey.generate(), digest=None
            ),
        ):
            for selector, matching in ALL_FORMS:
                self.assert_met([host.record(3, selector, matching)], [host.der])

    def test_new_certificate(self) -> None:
        """A renewed certificate with the same key matches by key alone."""
        renewed = certify("mx.example", FAMILY.middle, key=FAMILY.host.key)

        self.assert_met([FAMILY.host.record(3, 1)], [renewed.der])
        self.assert_problem(NO_MATCH, [FAMILY.host.record(3, 0)], [renewed.der])

    def test_two_keys(self) -> None:
        """During a roll-over either of two keys will do."""
        records = [STRANGERS.host.record(3), FAMILY.host.record(3)]

        self.assert_met(records)
        self.assert_met(records, STRANGERS.chain)

    def test_only_the_server(self) -> None:
        """A certificate further up is not the server's own."""
        self.assert_problem(NO_MATCH, [FAMILY.middle.record(3)])


class TrustAnchorTests(JudgeCase):
    """DANE-TA: who issues the server's certificate is published."""

    def test_match(self) -> None:
        """The authority may be the issuer, or the root if the server sends it."""
        for selector, matching in ALL_FORMS:
            self.assert_met([FAMILY.middle.record(2, selector, matching)])
            root = FAMILY.root.record(2, selector, matching)
            self.assert_met([root], FAMILY.whole_chain)

    def test_not_sent(self) -> None:
        """One that is not sent counts where it is published whole."""
        for selector, matching in ALL_FORMS:
            root = FAMILY.root.record(2, selector, matching)
            if matching == 0:
                self.assert_met([root])
            else:
                self.assert_problem(NO_MATCH, [root])

    def test_issuer_not_sent(self) -> None:
        """Even the direct issuer may be left out where it is published whole."""
        for selector in (0, 1):
            issuer = FAMILY.middle.record(2, selector, 0)

            self.assert_met([issuer], [FAMILY.host.der])

    def test_mismatch(self) -> None:
        """Another authority is refused, even with the same name."""
        for selector, matching in ALL_FORMS:
            record = STRANGERS.middle.record(2, selector, matching)

            verdict = self.judge([record])

            self.assertFalse(verdict.is_met)
            self.assertNotEqual(verdict.problem, "")

    def test_foreign_leaf(self) -> None:
        """An authority that is sent along, but issued nothing, proves nothing."""
        chain = [STRANGERS.host.der, FAMILY.middle.der, FAMILY.root.der]

        for matching in (0, 1):
            for certified in (FAMILY.middle, FAMILY.root):
                self.assert_problem("", [certified.record(2, 1, matching)], chain)

    def test_names(self) -> None:
        """The certificate must have one of the names."""
        record = [FAMILY.middle.record(2)]

        self.assert_met(record, names=("other.example", "mx.example"))
        self.assert_problem(OTHER_NAME, record, names=("other.example",))
        self.assert_problem(OTHER_NAME, record, names=())

    def test_wildcard(self) -> None:
        """A wildcard is a name, too."""
        family = Family(names=["*.mail.example"])

        for name, is_met in (("mx.mail.example", True), ("mail.example", False)):
            verdict = self.judge([family.middle.record(2)], family.chain, names=(name,))
            self.assertEqual(verdict.is_met, is_met)

    def test_dates(self) -> None:
        """All certificates must be within their dates."""
        for part in ("host", "middle", "root"):
            for dates, text in ((PAST, "expired"), (FUTURE, "not yet valid")):
                family = Family(**dates) if part == "host" else Family(**{part: dates})
                for selector, matching in ALL_FORMS:
                    if part == "root" and (selector, matching) == (1, 0):
                        # A key that is published whole has no dates.
                        continue
                    record = family.root.record(2, selector, matching)
                    self.assert_problem(text, [record], family.whole_chain)

    def test_own_certificate(self) -> None:
        """A self-signed certificate is not its own authority."""
        for is_authority in (True, False):
            host = certify(
                "mx.example",
                names=["mx.example"],
                usages=SERVER,
                is_authority=is_authority,
            )
            for selector, matching in ((0, 0), (0, 1), (1, 1), (0, 2), (1, 2)):
                record = host.record(2, selector, matching)
                self.assert_problem(NO_MATCH, [record], [host.der])
                self.assert_problem(NO_MATCH, [record], [host.der, host.der])

    def test_not_an_authority(self) -> None:
        """A certificate that may not issue others is no link of the chain."""
        family = Family(middle={"is_authority": False})

        for certified in (family.root, family.middle):
            for matching in (0, 1):
                record = certified.record(2, 0, matching)
                self.assert_problem("CA", [record], family.whole_chain)

    def test_path_length(self) -> None:
        """A root that allows no authority below it is heeded."""
        family = Family(root={"path_length": 0})

        self.assert_problem("path length", [family.root.record(2)], family.whole_chain)

    def test_constraints(self) -> None:
        """An authority for other names cannot name this host."""
        bad, good = (Family(middle={"permitted": p}) for p in ("other.test", "example"))

        self.assert_problem("permitted", [bad.middle.record(2)], bad.chain)
        self.assert_met([good.middle.record(2)], good.chain)

    def test_purposes(self) -> None:
        """Host and authorities must be good for servers, where they say for what."""
        client = [ExtendedKeyUsageOID.CLIENT_AUTH]
        for family in (Family(usages=client), Family(middle={"usages": client})):
            record = family.root.record(2)
            self.assert_problem("purpose", [record], family.whole_chain)
        for usages in ((), [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]):
            family = Family(usages=usages)
            self.assert_met([family.middle.record(2)], family.chain)

    def test_forged_signature(self) -> None:
        """A certificate that the authority did not sign is refused."""
        for place in (0, 1):
            chain = list(FAMILY.whole_chain)
            chain[place] = chain[place][:-1] + bytes([chain[place][-1] ^ 1])
            for matching in (0, 1):
                record = FAMILY.root.record(2, 1, matching)
                verdict = self.judge([record], chain)
                self.assertFalse(verdict.is_met)

    def test_rsa(self) -> None:
        """Authorities with RSA keys, published as bare keys or not."""
        key = rsa.generate_private_key(65537, 2048)
        family = Family(middle={"key": key})

        for selector, matching in ALL_FORMS:
            record = family.middle.record(2, selector, matching)
            self.assert_met([record], family.chain)
            if matching == 0:
                self.assert_met([record], family.chain[:1])


class MixedTests(JudgeCase):
    def test_either(self) -> None:
        """Where both usages are published, either will do."""
        own, issuer = FAMILY.host.record(3), FAMILY.middle.record(2)
        strange_own, strange = STRANGERS.host.record(3), STRANGERS.middle.record(2)

        self.assertEqual(self.judge([strange, own]).record, own)
        self.assertEqual(self.judge([strange_own, issuer]).record, issuer)
        self.assert_problem(NO_MATCH, [strange, strange_own])

    def test_own_goes_first(self) -> None:
        """Where the server's own certificate is published its name is free."""
        records = [FAMILY.host.record(3), FAMILY.middle.record(2)]

        self.assert_met(records, names=())

    def test_weaker_hash(self) -> None:
        """A SHA-256 that fits is nothing beside a SHA-512 that does not."""
        records = [FAMILY.host.record(3, 1, 1), STRANGERS.host.record(3, 1, 2)]

        self.assert_problem(NO_MATCH, records)


class HostileTests(JudgeCase):
    def test_no_certificate(self) -> None:
        """A server that shows none is refused."""
        self.assert_problem(NO_CERTIFICATE, [FAMILY.host.record(3)], [])

    def test_cut(self) -> None:
        """A certificate that ends anywhere is a problem, and not an exception."""
        whole = FAMILY.host.der
        records = [FAMILY.host.record(3), FAMILY.middle.record(2)]
        for length in range(0, len(whole), 7):
            self.assert_problem(UNREADABLE, records, [whole[:length]])

    def test_noise(self) -> None:
        """Noise behind the server's certificate is no authority."""
        chain = [FAMILY.host.der, os.urandom(300)]

        self.assert_problem(UNREADABLE, [FAMILY.middle.record(2)], chain)
        self.assert_met([FAMILY.host.record(3)], chain)

    def test_noise_in_records(self) -> None:
        """Keys and certificates that are none do not hide the good record."""
        length = (1000).to_bytes(2, "big")
        noise = b"\x30\x82" + length + os.urandom(1000)
        other = TLSA(2, 0, 0, _hollow(FAMILY.middle))
        records = [TLSA(2, 1, 0, noise), other]

        self.assert_problem(NO_MATCH, records)
        self.assert_met([*records, FAMILY.middle.record(2)])

    def test_long_chain(self) -> None:
        """Endless chains are looked at in part."""
        chain = [FAMILY.host.der, *[STRANGERS.middle.der] * 500, FAMILY.middle.der]

        self.assert_problem(NO_MATCH, [FAMILY.middle.record(2)], chain)

    def test_circle(self) -> None:
        """Authorities that certify each other end somewhere."""
        first = certify("A", is_authority=True)
        second = certify("B", first, is_authority=True)
        again = certify("A", second, is_authority=True, key=first.key)
        host = certify("mx.example", second, names=["mx.example"])
        chain = [host.der, second.der, again.der, second.der, first.der]

        self.assert_met([first.record(2)], chain)
        self.assert_problem("", [STRANGERS.root.record(2, 0, 0)], chain)


def _hollow(certified: Certified) -> bytes:
    """Return what has the outline of a certificate, with zeros for what it says."""
    octets = bytearray(certified.der)
    issuer = octets.index(b"Root")
    octets[issuer - 2 : issuer + 4] = bytes(6)
    return bytes(octets)
