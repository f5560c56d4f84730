"""Files of proofs, which are replaced while others read them."""

from __future__ import annotations

import os
import stat
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.ocsp import proof_file
from mta.ocsp.proof_file import as_pem, read_proof, replace_file


class ReplaceTests(SynchronousTestCase):
    """Writing."""

    def setUp(self) -> None:
        """Make a directory."""
        self.directory = self.mktemp()
        os.mkdir(self.directory)
        self.path = os.path.join(self.directory, "proof.der")

    def write(self, octets: bytes) -> None:
        """Write the file as an administrator would."""
        with open(self.path, "wb") as file:
            file.write(octets)

    def test_new(self) -> None:
        """A new file may be read by all: there is no secret in it."""
        replace_file(self.path, b"new")
        self.assertEqual(b"new", read_proof(self.path))
        self.assertEqual(0o644, stat.S_IMODE(os.stat(self.path).st_mode))
        self.assertEqual(["proof.der"], os.listdir(self.directory))

    def test_mode(self) -> None:
        """The mode of the old file stays, and its owner."""
        self.write(b"old")
        os.chmod(self.path, 0o440)
        replace_file(self.path, b"new")
        self.assertEqual(b"new", read_proof(self.path))
        self.assertEqual(0o440, stat.S_IMODE(os.stat(self.path).st_mode))

    def test_owner(self) -> None:
        """Root's work on another's file is the other's."""
        given: list[tuple[int, int]] = []
        self.write(b"old")
        found = os.stat(self.path)
        values = list(found)
        values[4], values[5] = found.st_uid + 1, found.st_gid + 1
        other = os.stat_result(values)
        self.patch(proof_file.os, "fchown", lambda _, *owner: given.append(owner))
        with open(self.path, "rb") as file:
            proof_file._give(file.fileno(), other)
        self.assertEqual([(found.st_uid + 1, found.st_gid + 1)], given)

    def test_reader(self) -> None:
        """Who has the old file open goes on reading that."""
        self.write(b"old")
        with open(self.path, "rb") as file:
            replace_file(self.path, b"new")
            self.assertEqual(b"old", file.read())

    def test_link(self) -> None:
        """A symbolic link stays one."""
        self.write(b"old")
        link = os.path.join(self.directory, "link")
        os.symlink("proof.der", link)
        replace_file(link, b"new")
        self.assertTrue(os.path.islink(link))
        self.assertEqual(b"new", read_proof(self.path))

    def test_failure(self) -> None:
        """Where something fails the old file is as it was, and nothing lies about."""
        self.write(b"old")

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        for name in ("fsync", "rename", "fchmod"):
            patch: Any = self.patch(proof_file.os, name, fail)
            self.assertRaises(OSError, replace_file, self.path, b"new")
            patch.restore()
            self.assertEqual(b"old", read_proof(self.path))
            self.assertEqual(["proof.der"], os.listdir(self.directory))

    def test_no_file(self) -> None:
        """What is there, and is no file, stays."""
        os.mkdir(self.path)
        self.assertRaises(OSError, replace_file, self.path, b"new")
        self.assertTrue(os.path.isdir(self.path))


class ReadTests(SynchronousTestCase):
    """Reading."""

    def test_pem(self) -> None:
        """PEM and DER come to the same."""
        path = self.mktemp()
        for response in (b"\x30\x03\x0a\x01\x00", bytes(range(256))):
            for octets in (response, as_pem(response)):
                with open(path, "wb") as file:
                    file.write(octets)
                self.assertEqual(response, read_proof(path))

    def test_pem_lines(self) -> None:
        """PEM has lines of the usual length."""
        longest = max(map(len, as_pem(bytes(1000)).split(b"\n")))
        self.assertEqual(64, longest)
