"""The folder of kept proofs."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from mta.ocsp.folder import (
    UNUSED_SECONDS,
    ProofFolder,
    known_standings,
    proof_folder,
)
from mta.ocsp.kept_proof import standing_path
from mta.ocsp.standing import Standing

NOW = 10_000_000.0


class FolderTests(SynchronousTestCase):
    """One process has it, and keeps it tidy."""

    def setUp(self) -> None:
        """Choose a spool directory that is not there yet."""
        self.folder = proof_folder(os.path.abspath(self.mktemp()))

    def put(self, name: str, used_at: float) -> str:
        """Write a proof with a standing; return its path."""
        proof = os.path.join(self.folder, name + ".ocsp")
        with open(proof, "wb"):
            pass
        Standing("/mx.pem", used_at=used_at).write(standing_path(proof))
        return proof

    def test_one_process(self) -> None:
        """Who comes second may not write, until the first goes."""
        first, second = ProofFolder(self.folder), ProofFolder(self.folder)
        self.addCleanup(second.close)
        self.assertTrue(first.open(NOW))
        self.assertFalse(first.open(NOW))
        self.assertFalse(second.open(NOW))
        self.assertEqual((True, False), (first.is_ours, second.is_ours))
        first.close()
        first.close()
        self.assertTrue(second.open(NOW))

    def test_cleared(self) -> None:
        """What was not used for long, and what was half written, is removed."""
        os.makedirs(self.folder)
        used = self.put("a", NOW - 1)
        self.put("b", NOW - UNUSED_SECONDS - 1)
        with open(os.path.join(self.folder, ".a.ocsp.x"), "wb"):
            pass
        folder = ProofFolder(self.folder)
        folder.open(NOW)
        self.addCleanup(folder.close)
        self.assertEqual(["a.json", "a.ocsp", "lock"], sorted(os.listdir(self.folder)))
        self.assertEqual([used], [proof for proof, _ in known_standings(self.folder)])

    def test_unusable(self) -> None:
        """A place that takes no folder is an error."""
        with open(os.path.dirname(self.folder), "wb"):
            pass
        self.assertRaises(OSError, ProofFolder(self.folder).open, NOW)
        self.assertEqual([], list(known_standings(self.folder)))
