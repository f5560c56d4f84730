"""Tests for mta.tls.verdict."""

from __future__ import annotations

import json
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from mta.tls.verdict import (
    CHECKS,
    REASON_LIMIT,
    UNASKED,
    Check,
    PublishedPolicy,
    TLSVerdict,
    UnreadableVerdict,
    absent,
    judged,
    met,
    result_type_of,
    unmet,
    verdict_from_json,
)

FULL = TLSVerdict(
    host="mx.example",
    ip_address="192.0.2.1",
    local_address="192.0.2.9",
    helo="mail.example",
    cipher="TLS1.3:TLS_AES_256_GCM_SHA384:256",
    tls=met(required=True),
    chain=unmet("certificate has expired"),
    name=met(),
    ocsp=unmet('the certificate is "revoked"', required=True),
    dane=absent("no TLSA records"),
    sts=unmet("mx.example is in no pattern", result_type="validation-failure"),
    policies=(
        PublishedPolicy("sts", "example", ("version: STSv1",), ("*.mx.example",)),
    ),
)


class CheckTests(SynchronousTestCase):
    """One check."""

    def test_constructors(self) -> None:
        """Each constructor says whether the check holds, and keeps what it is told."""
        self.assertEqual(met(required=True), Check(True, True, True))
        self.assertEqual(unmet("bad"), Check(True, False, False, "bad"))
        self.assertEqual(absent("gone"), Check(True, False, None, "gone"))
        self.assertEqual(judged(""), Check(True, False, True))
        self.assertEqual(judged("bad", required=True), Check(True, True, False, "bad"))

    def test_violated(self) -> None:
        """What is required is violated by a failure and by nothing to look at."""
        self.assertTrue(unmet("bad", required=True).is_violated)
        self.assertTrue(absent("none", required=True).is_violated)
        self.assertFalse(met(required=True).is_violated)
        self.assertFalse(unmet("bad").is_violated)
        self.assertFalse(UNASKED.is_violated)

    def test_failed(self) -> None:
        """Only what was found not to hold has failed."""
        self.assertTrue(unmet("bad").has_failed)
        self.assertFalse(absent("none", required=True).has_failed)
        self.assertFalse(UNASKED.has_failed)

    def test_long_reason(self) -> None:
        """A reason that a peer may have had a hand in is cut."""
        self.assertEqual(len(unmet("x" * 10_000).reason), REASON_LIMIT)


class VerdictTests(SynchronousTestCase):
    """The whole of a connection."""

    def test_order(self) -> None:
        """The checks come in the order in which they bear on a connection."""
        expected = "tls chain name ocsp crl dane sts requiretls"
        self.assertEqual(CHECKS, tuple(expected.split()))

    def test_text(self) -> None:
        """The line names what was asked, marks what is required, and says why not."""
        self.assertEqual(
            FULL.text,
            "tls=yes! chain=no (certificate has expired) name=yes "
            'ocsp=no! (the certificate is "revoked") dane=none (no TLSA records) '
            "sts=no (mx.example is in no pattern)",
        )

    def test_log_field(self) -> None:
        """In the log the line is quoted, quotes in it escaped."""
        field = FULL.log_field

        self.assertTrue(field.startswith('TLSV="tls=yes! '))
        self.assertIn('\\"revoked\\"', field)

    def test_empty(self) -> None:
        """Of a connection for which nothing was asked nothing is said."""
        self.assertEqual(TLSVerdict().text, "")

    def test_violations(self) -> None:
        """What was required and is missing is told apart from other failures."""
        self.assertEqual([name for name, _ in FULL.violations], ["ocsp"])
        self.assertEqual([name for name, _ in FULL.failures], ["chain", "ocsp", "sts"])

    def test_having(self) -> None:
        """A check of one message is put into the verdict of its connection."""
        changed = FULL.having(requiretls=met(required=True))

        self.assertTrue(changed.requiretls.met)
        self.assertEqual(changed.having(requiretls=UNASKED), FULL)

    def test_reduced(self) -> None:
        """Reduced to its answers, a verdict holds nothing that a host can choose."""
        reduced = FULL.reduced()

        self.assertEqual(
            reduced.text, "tls=yes! chain=no name=yes ocsp=no! dane=none sts=no"
        )
        self.assertEqual((reduced.host, reduced.helo, reduced.policies), ("", "", ()))

    def test_json(self) -> None:
        """What was written as JSON is read back the same."""
        text = FULL.json_text

        self.assertEqual(verdict_from_json(json.loads(text)), FULL)
        self.assertEqual(verdict_from_json(json.loads(text)).json_text, text)
        self.assertEqual(verdict_from_json({}), TLSVerdict())

    def test_large_policy(self) -> None:
        """Of a policy that others have written, only so much is kept."""
        for strings in (("x" * 1000,) * 1000, ("x",) * 1000, ("x" * 100_000,)):
            policy = PublishedPolicy("sts", "example", strings, strings)
            text = TLSVerdict(policies=(policy,)).json_text

            self.assertLess(len(text), 10_000)
            verdict_from_json(json.loads(text))

    def test_bad_json(self) -> None:
        """What is no verdict is refused."""
        check = {"asked": True, "required": False, "met": True}
        for value in (
            None,
            [],
            "text",
            {"host": 3},
            {"tls": True},
            {"tls": {}},
            {"tls": {**check, "met": "yes"}},
            {"tls": {**check, "reason": []}},
            {"policies": {}},
            {"policies": ["x"]},
            {"policies": [{"kind": "sts", "strings": [1]}]},
        ):
            with self.assertRaises(UnreadableVerdict, msg=repr(value)):
                verdict_from_json(value)

    def test_imports_nothing_large(self) -> None:
        """A command that shows verdicts need not load OpenSSL or the reactor."""
        code = (
            "import sys, mta.tls.verdict;"
            "print([m for m in ('OpenSSL', 'cryptography', 'twisted.internet')"
            " if m in sys.modules])"
        )
        shown = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )

        self.assertEqual(shown.stdout.strip(), "[]")


class ResultTypeTests(SynchronousTestCase):
    """The words of RFC 8460, section 4.3."""

    def test_own_word(self) -> None:
        """A check's own word counts before all."""
        check = unmet("x", result_type="tlsa-invalid")

        self.assertEqual(result_type_of("dane", check), "tlsa-invalid")

    def test_words(self) -> None:
        """Without one, the check's name and its reason give the word."""
        self.assertEqual(result_type_of("tls", unmet("x")), "starttls-not-supported")
        self.assertEqual(
            result_type_of("name", unmet("x")), "certificate-host-mismatch"
        )
        self.assertEqual(result_type_of("chain", unmet("x")), "certificate-not-trusted")
        self.assertEqual(
            result_type_of("chain", unmet("certificate has expired")),
            "certificate-expired",
        )
        self.assertEqual(result_type_of("ocsp", unmet("x")), "validation-failure")
