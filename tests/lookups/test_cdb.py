"""The cdb look-up."""

from __future__ import annotations

import struct

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import TemporaryFailure
from mta.lookups.cdb import find_in
from tests.lookups.files import LookupTestCase


def cdb(pairs: list[tuple[bytes, bytes]]) -> bytes:
    """Return a constant database, as its published format says."""
    position = 2048
    records = b""
    tables: list[list[tuple[int, int]]] = [[] for _ in range(256)]
    for key, data in pairs:
        hash_value = 5381
        for octet in key:
            hash_value = ((hash_value * 33) & 0xFFFFFFFF) ^ octet
        tables[hash_value & 255].append((hash_value, position + len(records)))
        records += struct.pack("<LL", len(key), len(data)) + key + data
    header = b""
    slots = b""
    start = position + len(records)
    for table in tables:
        length = len(table) * 2
        header += struct.pack("<LL", start + len(slots), length)
        filled = [(0, 0)] * length
        for hash_value, place in table:
            slot = (hash_value >> 8) % length
            while filled[slot][1]:
                slot = (slot + 1) % length
            filled[slot] = (hash_value, place)
        slots += b"".join(struct.pack("<LL", *entry) for entry in filled)
    return header + records + slots


PAIRS = [(b"key%d" % number, b"data%d" % number) for number in range(500)]


class ConstantDatabaseTests(LookupTestCase):
    """Keys in a database file."""

    def test_found(self) -> None:
        """Every key has its data, in the right case."""
        path = self.file(cdb([*PAIRS, (b"key1", b"second")]))
        for number in range(500):
            self.assertEqual(self.find("cdb", path, f"key{number}"), f"data{number}")
        for key in ("key500", "KEY1", "k", "*"):
            self.assertIsNone(self.find("cdb", path, key))

    def test_empty(self) -> None:
        """A database without entries has none."""
        self.assertIsNone(self.find("cdb", self.file(cdb([])), "a"))

    def test_damaged(self) -> None:
        """A file too short to be one is a defer."""
        with self.assertRaises(TemporaryFailure):
            self.find("cdb", self.file(b"short"), "a")


class DamageTests(SynchronousTestCase):
    """Files that are cut."""

    def test_every_cut(self) -> None:
        """A cut file gives an error or the true answer, never another."""
        whole = cdb(PAIRS[:3])
        for end in range(len(whole)):
            for key, data in PAIRS[:3]:
                try:
                    found = find_in(whole[:end], key)
                except struct.error:
                    continue
                self.assertEqual(found, data)
