"""Proofs for all certificates that are served."""

from __future__ import annotations

import fcntl
import os
import threading

from mta.ocsp import refresher as refresher_module
from mta.ocsp.exchange import ExchangeError
from mta.ocsp.refresher import Refresher
from mta.tls.staples import StapleFile
from tests.ocsp.keeping import CA, MX
from tests.ocsp.refreshing import OTHER, URL, RefresherCase
from tests.tls.proofs import DAY, NOW, REVOKED


class StartTests(RefresherCase):
    """Before clients are served."""

    def test_fetched(self) -> None:
        """There is a proof for each certificate before the first client comes."""
        proofs = self.serve(
            self.refresher(), self.chain("a", MX), self.chain("b", OTHER)
        )
        self.assertNotIn(b"", proofs)
        self.assertEqual(2, len(self.asked))
        self.assertEqual([], self.panics)

    def test_slow(self) -> None:
        """A responder that takes its time does not keep clients waiting for us."""
        refresher = self.refresher(is_slow=True)
        self.assertEqual([b""], self.serve(refresher, self.chain("a", MX)))
        refresher.startService()
        self.run_threads()
        self.assertNotEqual(b"", self.kept(MX))

    def test_hangs(self) -> None:
        """Nor does one that never answers, in a thread as daemons have them."""
        released = threading.Event()
        self.addCleanup(released.set)

        def ask(*_words: object) -> bytes:
            released.wait(60)
            raise ExchangeError("no answer")

        self.patch(refresher_module, "ask", ask)
        refresher = Refresher(
            folder=self.folder,
            responders=[URL],
            proxy="",
            served=lambda: self.served,
            logs=self.logs,
            reactor=self.clock,
            start_wait=0.1,
        )
        self.addCleanup(refresher.stopService)
        self.assertEqual([b""], self.serve(refresher, self.chain("a", MX)))
        self.assertFalse(released.is_set())

    def test_restart(self) -> None:
        """Proofs that last are used after a restart, and nobody is asked."""
        chain = self.chain("a", MX)
        before = self.refresher()
        self.serve(before, chain)
        before.startService()
        before.stopService()
        self.asked.clear()

        proofs = self.serve(self.refresher(), chain)

        self.assertEqual([self.kept(MX)], proofs)
        self.assertEqual([], self.asked)

    def test_no_responder(self) -> None:
        """That a certificate names no responder is told once, and is no alarm."""
        refresher = self.refresher("", "")
        path, chain = self.chain("a", MX)
        file = StapleFile(os.path.join(self.directory, "named"))
        for _ in range(2):
            files = refresher.files_for([(path, chain)], [file], may_wait=False)
            self.assertEqual([file], files)
        self.assertEqual(
            [
                f"no OCSP proof is fetched for {path}: the certificate names no OCSP "
                "responder"
            ],
            self.logs.lines,
        )
        self.assertEqual([], self.panics)

    def test_no_issuer(self) -> None:
        """Nor is a chain that ends too early; that the responder is not asked is told."""
        path = self.write("a", MX)
        files = self.refresher().files_for(
            [(path, [MX.certificate])], [], may_wait=False
        )
        self.assertEqual([StapleFile("")], files)
        self.assertIn("its issuer's certificate does not follow it", self.logs.lines[0])

    def test_responders(self) -> None:
        """One responder is for all certificates; of several each has its own."""
        for responders, urls in (
            (("http://x/",), {"http://x/"}),
            (("http://x/", "http://y/"), {"http://x/", "http://y/"}),
        ):
            self.asked.clear()
            self.folder += "x"
            refresher = self.refresher(*responders, proxy="http://proxy:1")
            self.serve(refresher, self.chain("a", MX), self.chain("b", OTHER))
            self.assertEqual(urls, {url for url, _, _ in self.asked})
            self.assertEqual({"http://proxy:1"}, {proxy for _, _, proxy in self.asked})

    def test_folder_unusable(self) -> None:
        """Where nothing can be kept there is one alarm, and TLS goes on."""
        with open(os.path.join(self.directory, "spool"), "wb"):
            pass
        refresher = self.refresher()
        for _ in range(2):
            self.assertEqual([b""], self.serve(refresher, self.chain("a", MX)))
        self.assertEqual(1, len(self.panics))
        self.assertIn("OCSP proofs cannot be kept: ", self.panics[0])

    def test_other_process(self) -> None:
        """While another process fetches this one does not; it takes over after that."""
        os.makedirs(self.folder)
        with open(os.path.join(self.folder, "lock"), "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            refresher = self.refresher()
            self.serve(refresher, self.chain("a", MX))
            refresher.startService()
            self.advance(30)
            self.assertEqual([], self.asked)
        self.advance(5)
        self.assertEqual(1, len(self.asked))


class TimeTests(RefresherCase):
    """While clients are served."""

    def test_renewed(self) -> None:
        """At half of its life a proof is replaced."""
        refresher = self.refresher()
        end = NOW + DAY / 1440
        self.answers[MX.certificate.serial_number] = CA.respond(
            MX.certificate, begin=NOW, end=end
        )
        self.serve(refresher, self.chain("a", MX))
        refresher.startService()
        self.advance(29)
        later = CA.respond(MX.certificate, begin=NOW + DAY / 2880)
        self.answers[MX.certificate.serial_number] = later
        self.assertEqual(1, len(self.asked))
        self.advance(2)
        self.assertEqual(2, len(self.asked))
        self.assertEqual(later, self.kept(MX))

    def test_alarms(self) -> None:
        """A proof that ends, without another, is told in the panic log."""
        refresher = self.refresher()
        self.answers[MX.certificate.serial_number] = CA.respond(
            MX.certificate, begin=NOW, end=NOW + DAY / 1440
        )
        self.serve(refresher, self.chain("a", MX))
        refresher.startService()
        self.answers[MX.certificate.serial_number] = ExchangeError("no answer")
        self.advance(90)
        self.assertEqual(2, len(self.panics))
        self.assertIn("the proof ends soon", self.panics[0])
        self.assertIn("the proof has ended", self.panics[1])

    def test_revoked(self) -> None:
        """A certificate that is revoked has no proof, and is one alarm."""
        refresher = self.refresher()
        self.answers[MX.certificate.serial_number] = CA.respond(MX.certificate, REVOKED)
        self.serve(refresher, self.chain("a", MX))
        refresher.startService()
        self.advance(60)
        self.assertEqual(1, len(self.panics))
        self.assertIn("is revoked, and nothing is stapled", self.panics[0])
        self.assertEqual(1, len(self.asked))

    def test_fault(self) -> None:
        """A fault of ours is an alarm, and does not end the looking at the time."""
        refresher = self.refresher()
        self.answers[MX.certificate.serial_number] = RuntimeError("surprise")
        self.serve(refresher, self.chain("a", MX))
        refresher.startService()
        self.advance(3599)
        self.assertEqual(1, len(self.asked))
        self.assertIn("RuntimeError: surprise", self.panics[0])
        del self.answers[MX.certificate.serial_number]
        self.advance(2)
        self.assertNotEqual(b"", self.kept(MX))
