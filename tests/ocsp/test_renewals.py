"""Proofs of certificates that are replaced on disk, or asked for by name."""

from __future__ import annotations

import os
from typing import Any

from mta.ocsp.exchange import ExchangeError
from mta.ocsp.kept_proof import proof_path, standing_path
from mta.ocsp.refresher import Refresher
from mta.tls.staples import StapleFile
from mta.tls.watched import Awaited
from tests.ocsp.keeping import CA, MX
from tests.ocsp.refreshing import NEW, OTHER, RefresherCase
from tests.tls.proofs import NOW, REVOKED


class RenewalTests(RefresherCase):
    """A certificate that is replaced on disk."""

    def setUp(self) -> None:
        """Serve a certificate, whose proof has a copy."""
        super().setUp()
        self.copy = StapleFile(os.path.join(self.directory, "copy"))

    def begin(self, **more: Any) -> Refresher:
        """Return what keeps the proof of a certificate that is served."""
        refresher = self.refresher(**more)
        self.serve(refresher, self.chain("a", MX), named=(self.copy,))
        refresher.startService()
        self.run_threads()
        return refresher

    def test_ahead(self) -> None:
        """The proof of the new one is there before a client has asked for it."""
        self.begin()
        self.chain("a", NEW)
        self.advance(5)
        self.assertNotEqual(b"", self.kept(NEW))
        self.assertEqual(self.kept(MX), self.content(self.copy.path))

    def test_client_first(self) -> None:
        """A client that is faster has the new certificate to wait for its proof."""
        refresher = self.begin(is_slow=True)
        chain = self.chain("a", NEW)
        served = self.served
        self.assertRaises(Awaited, self.serve, refresher, chain, may_wait=True)
        self.assertIs(served, self.served)
        self.run_threads()
        proofs = self.serve(refresher, chain, named=(self.copy,), may_wait=True)
        self.assertEqual([self.kept(NEW)], proofs)

    def test_not_for_long(self) -> None:
        """It waits for a few seconds, and not where fetching has failed."""
        refresher = self.begin(is_slow=True)
        chain = self.chain("a", NEW)
        self.assertRaises(Awaited, self.serve, refresher, chain, may_wait=True)
        self.advance(5)
        self.assertEqual([b""], self.serve(refresher, chain, may_wait=True))

        other = self.chain("a", OTHER)
        self.assertRaises(Awaited, self.serve, refresher, other, may_wait=True)
        self.answers[OTHER.certificate.serial_number] = ExchangeError("no")
        self.run_threads()
        self.assertEqual([b""], self.serve(refresher, other, may_wait=True))

    def test_copy(self) -> None:
        """With the new certificate the copy changes, and it stays so."""
        refresher = self.begin()
        chain = self.chain("a", NEW)
        self.advance(5)
        self.serve(refresher, chain, named=(self.copy,), may_wait=True)
        for _ in range(20):
            self.advance(5)
            self.assertEqual(self.kept(NEW), self.content(self.copy.path))

    def test_forgotten(self) -> None:
        """The one before is no longer asked for: it may be revoked now."""
        refresher = self.begin()
        self.serve(refresher, self.chain("a", NEW), named=(self.copy,))
        self.answers[MX.certificate.serial_number] = CA.respond(
            MX.certificate, REVOKED, begin=NOW
        )
        self.advance(65)
        self.asked.clear()
        self.clock.advance(13 * 3600)
        self.advance(5)
        serials = {serial for _, serial, _ in self.asked}
        self.assertEqual({NEW.certificate.serial_number}, serials)

    def test_unusable(self) -> None:
        """Where the new one cannot be served, the one before goes on being asked for."""
        self.begin()
        self.chain("a", NEW)
        self.advance(65)
        self.write("a")
        self.asked.clear()
        self.clock.advance(13 * 3600)
        self.advance(5)
        serials = {serial for _, serial, _ in self.asked}
        self.assertIn(MX.certificate.serial_number, serials)


class ResumingTests(RefresherCase):
    """Certificates that depend on what clients ask for."""

    def test_resumed(self) -> None:
        """What was kept before a restart is kept on, though no client came yet."""
        before = self.refresher()
        self.serve(before, self.chain("a", MX), self.chain("b", OTHER))
        before.startService()
        before.stopService()
        self.served = []
        self.asked.clear()
        self.write("b")
        refresher = self.refresher(resumes=True)
        refresher.startService()
        self.clock.advance(13 * 3600)
        self.advance(5)
        serials = {serial for _, serial, _ in self.asked}
        self.assertEqual({MX.certificate.serial_number}, serials)

    def test_forgotten(self) -> None:
        """What no client asked for in a month is removed."""
        before = self.refresher()
        self.serve(before, self.chain("a", MX))
        before.startService()
        before.stopService()
        path = proof_path(self.folder, MX.certificate)
        self.clock.advance(31 * 86400)
        self.refresher(resumes=True).startService()
        self.assertFalse(os.path.exists(path))
        self.assertFalse(os.path.exists(standing_path(path)))
        self.assertEqual(["lock"], os.listdir(self.folder))
