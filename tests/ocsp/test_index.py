"""Lists of a CA's certificates."""

from __future__ import annotations

import os
from calendar import timegm

from twisted.trial.unittest import SynchronousTestCase

from mta.ocsp.index import UNKNOWN, Entry, Index, IndexFileError, Status, read_entries

REVOKED = "R\t301231235959Z\t260102030405Z,keyCompromise\t0B\tunknown\t/CN=b\n"
MOMENT = float(timegm((2026, 1, 2, 3, 4, 5)))
END = float(timegm((2030, 12, 31, 23, 59, 59)))


class IndexTextTests(SynchronousTestCase):
    """OpenSSL's ``index.txt``."""

    def test_kinds(self) -> None:
        """Valid certificates are good, revoked ones revoked, expired ones unknown."""
        entries = read_entries(
            "V\t20301231235959Z\t\t0A\tunknown\t/CN=a\r\n"
            + REVOKED
            + "E\t101231235959Z\t\tABCDEF0123456789ABCDEF\tunknown\t/CN=c\n"
        )

        self.assertEqual(
            {
                10: Entry(Status.GOOD, END),
                11: Entry(Status.REVOKED, END, MOMENT, 1),
                0xABCDEF0123456789ABCDEF: UNKNOWN,
            },
            entries,
        )

    def test_without_reason(self) -> None:
        """A revocation needs no reason."""
        entries = read_entries(REVOKED.replace(",keyCompromise", ""))
        self.assertEqual(Entry(Status.REVOKED, END, MOMENT), entries[11])

    def test_last_century(self) -> None:
        """Years of two digits are those of X.509: 50 is 1950."""
        entries = read_entries(REVOKED.replace("301231235959Z", "500101000000Z"))
        self.assertEqual(1950 - 1970, entries[11].ends // (365.25 * 86400))

    def test_wrong(self) -> None:
        """What is no entry is told with its line: it may have been a revocation."""
        for line, text in (
            ("V\t\n", "2 fields"),
            ("", ""),
            ("X\t301231235959Z\t\t0A\tunknown\t/CN=a\n", "'X'"),
            ("V\tsoon\t\t0A\tunknown\t/CN=a\n", "'soon' is no time"),
            ("V\t301231235959Z\t\t-1\tunknown\t/CN=a\n", "'-1' is no serial"),
            ("R\t301231235959Z\t\t0A\tunknown\t/CN=a\n", "'' is no time"),
            (REVOKED.replace("keyC", "noC"), "'noCompromise' is no reason"),
            (REVOKED, "line 2: B is there already"),
        ):
            if not line:
                continue
            error = self.assertRaises(ValueError, read_entries, REVOKED + line)
            self.assertIn(text, str(error))
            self.assertIn("line 2", str(error))

    def test_cut(self) -> None:
        """A list that is cut within a line is refused, or says nothing else of it."""
        for length in range(1, len(REVOKED) - 1):
            try:
                entries = read_entries(REVOKED[:length])
            except ValueError:
                continue
            self.assertEqual([Status.REVOKED], [one.status for one in entries.values()])


class JSONTests(SynchronousTestCase):
    """Lists in JSON."""

    def test_kinds(self) -> None:
        """An entry is a status, or an object that tells more."""
        entries = read_entries(
            '{"certificates": {"0a": "good", "0B": {"status": "revoked", '
            '"revoked": "2026-01-02T03:04:05Z", "reason": "keyCompromise", '
            '"expires": "2030-12-31T23:59:59+00:00"}, "0C": "unknown"}}'
        )

        self.assertEqual(
            {
                10: Entry(Status.GOOD),
                11: Entry(Status.REVOKED, END, MOMENT, 1),
                12: UNKNOWN,
            },
            entries,
        )

    def test_wrong(self) -> None:
        """What has another form is refused: nothing in it is overlooked."""
        for text in (
            "{",
            "{}",
            '{"certificates": []}',
            '{"certificates": {}, "more": 1}',
            '{"certificates": {"0A": "fine"}}',
            '{"certificates": {"0A": "good", "0a": "good"}}',
            '{"certificates": {"0A": "revoked", "0A": "good"}}',
            '{"certificates": {"0A": "revoked"}}',
            '{"certificates": {"0A": 1}}',
            '{"certificates": {"0A": {"status": "good", "reason": "superseded"}}}',
            '{"certificates": {"0A": {"status": "good", "expires": 1}}}',
            '{"certificates": {"0A": {"status": "good", "expires": "2030-01-01"}}}',
            '{"certificates": {"0A": {"status": "good", "until": "2030"}}}',
            '{"certificates": {"xy": "good"}}',
            '{"a":' * 100_000,
        ):
            self.assertRaises(ValueError, read_entries, text)


class IndexTests(SynchronousTestCase):
    """The file."""

    def setUp(self) -> None:
        """Write a list."""
        self.path = self.mktemp()
        self.write(REVOKED)

    def write(self, text: str) -> None:
        """Replace the list."""
        with open(self.path + ".next", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(self.path + ".next", self.path)

    def test_unchanged(self) -> None:
        """A list is read once."""
        index = Index(self.path)
        index.refresh()
        index.refresh()
        self.assertEqual(1, index.generation)

    def test_changed(self) -> None:
        """Another list is read at once."""
        index = Index(self.path)
        index.refresh()
        before = index.entry(11, 0.0).status, index.entry(10, 0.0).status
        self.write("V\t301231235959Z\t\t0A\tunknown\t/CN=a\n" + REVOKED)

        index.refresh()

        self.assertEqual((Status.REVOKED, Status.UNKNOWN), before)
        self.assertIs(Status.GOOD, index.entry(10, 0.0).status)

    def test_unusable(self) -> None:
        """A list that cannot be read is told again and again, until it is mended."""
        index = Index(self.path)
        for _ in range(2):
            self.write("nonsense\n")
            for _ in range(2):
                error = self.assertRaises(IndexFileError, index.refresh)
                self.assertIn(f"{self.path}: line 1", str(error))
            self.write(REVOKED)
            index.refresh()

    def test_missing(self) -> None:
        """A list that is away is told; it may come back as it was."""
        index = Index(self.path)
        index.refresh()
        os.rename(self.path, self.path + ".away")
        self.assertRaises(IndexFileError, index.refresh)
        os.rename(self.path + ".away", self.path)
        index.refresh()
        self.assertIs(Status.REVOKED, index.entry(11, 0.0).status)

    def test_expired(self) -> None:
        """A certificate is not good any more when it has ended; revoked it stays."""
        self.write("V\t301231235959Z\t\t0A\tunknown\t/CN=a\n" + REVOKED)
        index = Index(self.path)
        index.refresh()
        found = [index.entry(serial, END).status for serial in (10, 11)]
        self.assertEqual([Status.UNKNOWN, Status.REVOKED], found)
