"""Tests of certificates, keys and proofs that are loaded together."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import TemporaryFailure
from mta.testing import MemoryLogs
from mta.tls.generation import Generation, load_generation
from mta.tls.staples import StapleFile
from tests.tls.proofs import DAY, NOW, Authority, Holder

AUTHORITY = Authority()
HOST = AUTHORITY.issue()
STRICT = AUTHORITY.issue(must_staple=True)
SHORT = AUTHORITY.issue(end=NOW + 10 * DAY)


class GenerationTests(SynchronousTestCase):
    """The files of one host."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.logs = MemoryLogs()
        self.now = NOW.timestamp()

    def load(
        self, holder: Holder, response: bytes = b"", earlier: Generation | None = None
    ) -> Generation:
        """Return what a host's files give."""
        path = self.directory / "one.pem"
        path.write_bytes(holder.pem + AUTHORITY.holder.pem + holder.key_pem)
        proof = self.directory / "one.ocsp"
        proof.write_bytes(response)
        return load_generation(
            [str(path)],
            [],
            lambda pairs: [StapleFile(str(proof))] if response else [],
            earlier=earlier,
            logs=self.logs,
            clock=lambda: self.now,
        )

    @property
    def panics(self) -> list[str]:
        """The lines of the panic log."""
        return [text for text, _ in self.logs.panic_lines]

    def test_together(self) -> None:
        """A certificate comes with its proof."""
        response = AUTHORITY.respond(HOST.certificate)
        generation = self.load(HOST, response)

        self.assertEqual(
            response, generation.staples.octets_for(lambda: HOST.certificate)
        )
        self.assertEqual([], self.logs.lines)

    def test_doubts(self) -> None:
        """What clients may not like is told."""
        self.now += (91 * DAY).total_seconds()
        generation = self.load(HOST)

        self.assertFalse(generation.is_valid(self.now))
        self.assertEqual(
            [f"Warning: certificate {self.directory}/one.pem: it has expired"],
            self.logs.lines,
        )

    def test_must_staple(self) -> None:
        """A certificate that must have a proof is served without, if there is no other."""
        self.load(STRICT)

        self.assertEqual(1, len(self.panics))
        self.assertIn("(must-staple), and there is none to staple", self.panics[0])

    def test_must_staple_later(self) -> None:
        """But it does not push out a good one."""
        earlier = self.load(SHORT)

        error = self.assertRaises(TemporaryFailure, self.load, STRICT, earlier=earlier)
        self.assertIn("(must-staple), and there is none to staple", error.log_text)
        self.assertEqual([], self.panics)
        response = AUTHORITY.respond(STRICT.certificate)
        self.assertEqual(
            STRICT.certificate,
            self.load(STRICT, response, earlier).pairs[0].certificate,
        )

    def test_must_staple_at_last(self) -> None:
        """When that has ended it is better than nothing."""
        earlier = self.load(SHORT)
        self.now += (11 * DAY).total_seconds()

        generation = self.load(STRICT, earlier=earlier)

        self.assertEqual(STRICT.certificate, generation.pairs[0].certificate)
        self.assertEqual(1, len(self.panics))
