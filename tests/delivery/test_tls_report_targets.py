"""Tests for mta.delivery.tls_report_targets."""

from __future__ import annotations

import time

from twisted.trial.unittest import SynchronousTestCase

from mta.delivery.tls_report_targets import TARGETS_LIMIT, report_targets


def places(*records: bytes) -> list[str]:
    """Return the targets of records as text."""
    return [str(target) for target in report_targets(records)]


class RecordTests(SynchronousTestCase):
    """Records as RFC 8460, section 3, has them."""

    def test_mail(self) -> None:
        """The first example of the RFC names an address."""
        record = b"v=TLSRPTv1;rua=mailto:reports@example.com"

        self.assertEqual(places(record), ["mailto:reports@example.com"])

    def test_web(self) -> None:
        """The second example of the RFC names a URL."""
        record = b"v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt"

        self.assertEqual(places(record), ["https://reporting.example.com/v1/tlsrpt"])

    def test_several(self) -> None:
        """Several places are told apart by commas, with white space around them."""
        record = (
            b"v=TLSRPTv1; rua=mailto:a@example.com , "
            b"https://example.com/x?y=1,MAILTO:b@example.com;"
        )

        self.assertEqual(
            places(record),
            [
                "mailto:a@example.com",
                "https://example.com/x?y=1",
                "mailto:b@example.com",
            ],
        )

    def test_extensions(self) -> None:
        """Fields that the RFC leaves to the future are passed over."""
        record = b"v=TLSRPTv1; later=x:y; rua=mailto:a@example.com; more=1"

        self.assertEqual(places(record), ["mailto:a@example.com"])

    def test_escapes(self) -> None:
        """What a URI must escape in an address is read."""
        record = b"v=TLSRPTv1; rua=mailto:a%2Bb%21c@example.com?subject=x"

        self.assertEqual(places(record), ["mailto:a+b!c@example.com"])

    def test_other_records(self) -> None:
        """Records of other purposes beside it do not count."""
        record = b"v=TLSRPTv1; rua=mailto:a@example.com"

        self.assertEqual(places(b"v=spf1 -all", record, b""), ["mailto:a@example.com"])

    def test_two_records(self) -> None:
        """Two records of TLS reporting are as none."""
        record = b"v=TLSRPTv1; rua=mailto:a@example.com"

        self.assertEqual(places(record, record), [])
        self.assertEqual(places(record, b"v=TLSRPTv1;\xff"), [])
        self.assertEqual(places(record, b"v=TLSRPTv1 ;" + b"x" * 5000), [])


class HostileTests(SynchronousTestCase):
    """Records that nobody should follow."""

    def test_not_ours(self) -> None:
        """Other versions, cases and octets are no records of TLS reporting."""
        for record in (
            b"",
            b"v=TLSRPTv1",
            b"v=TLSRPTv2; rua=mailto:a@example.com",
            b"V=TLSRPTV1; rua=mailto:a@example.com",
            b" v=TLSRPTv1; rua=mailto:a@example.com",
            b"rua=mailto:a@example.com; v=TLSRPTv1",
            b"v=TLSRPTv1; rua=mailto:\xff@example.com",
            b"v=TLSRPTv1; rua=mailto:a@example.com;" + b"x" * 5000,
        ):
            self.assertEqual(places(record), [], record[:60])

    def test_bad_places(self) -> None:
        """Places that are none, or none that a report may go to, are left out."""
        for uri in (
            b"",
            b"mailto:",
            b"mailto:a",
            b"mailto:@example.com",
            b"mailto:a@example.com%0d%0aBcc:b@example.com",
            b"mailto:a%00@example.com",
            b"mailto:a@example.com%2Cb@example.com",
            b"mailto:<a@example.com>",
            b"mailto:%ff@example.com",
            b"http://example.com/",
            b"file:///etc/passwd",
            b"https://",
            b"https:///path",
            b"https://user:secret@example.com/",
            b"https://example.com:0/",
            b"https://example.com:99999/",
            b"https://example.com:x/",
            b"https://[::1/",
            b"https://example.com/a b",
            b"https://example.com/\r\nX: y",
            b"https://example.com/#part",
            b"ftp:x",
            b"nonsense",
        ):
            self.assertEqual(places(b"v=TLSRPTv1; rua=" + uri), [], uri)

    def test_bad_place_beside_a_good_one(self) -> None:
        """A place that is wrong does not spoil the others."""
        record = b"v=TLSRPTv1; rua=ftp:x,,mailto:a@example.com,https://"

        self.assertEqual(places(record), ["mailto:a@example.com"])

    def test_many_places(self) -> None:
        """Only so many are served, each once."""
        uris = [f"mailto:{n % 50}@example.com".encode() for n in range(100)]
        record = b"v=TLSRPTv1; rua=" + b",".join(uris)

        found = places(record)

        self.assertEqual(len(found), TARGETS_LIMIT)
        self.assertEqual(len(set(found)), TARGETS_LIMIT)

    def test_every_cut(self) -> None:
        """A record cut anywhere gives targets or none, and never an error."""
        record = b"v=TLSRPTv1; rua=mailto:a@example.com,https://example.com/x; y=1"
        for end in range(len(record)):
            places(record[:end])
            places(record[end:])

    def test_thousands_of_records(self) -> None:
        """Many large records are passed over quickly."""
        started = time.process_time()

        self.assertEqual(places(*[b"v=TLSRPTv1;" + b",;=" * 20_000] * 200), [])
        self.assertLess(time.process_time() - started, 2)
