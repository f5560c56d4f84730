"""What responders do, each with what is logged of it."""

from __future__ import annotations

import os

from mta.ocsp.exchange import ask
from tests.ocsp.keeping import CA, MX, NAME, KeptProofCase
from tests.ocsp.scripted import ScriptedResponder, Serve, answered
from tests.tls.proofs import DAY, NOW


class ResponderTests(KeptProofCase):
    """A daemon's responder is not what it should be."""

    def failure(self, serve: Serve | bytes, limit: float = 20.0) -> str:
        """Return what is logged of a responder that does this."""
        responder = ScriptedResponder(serve)
        self.addCleanup(responder.stop)
        kept = self.keep(
            ask=lambda url, request: ask(url, request, limit), url=responder.url
        )
        [report] = kept.work()
        self.assertFalse(report.is_alarm)
        self.assertFalse(os.path.exists(kept.file))
        before = f"OCSP proof for {NAME} not fetched: {responder.url}: "
        after = "; next try at 2030-01-01 12:00:30 UTC"
        self.assertTrue(report.text.startswith(before), report.text)
        self.assertTrue(report.text.endswith(after), report.text)
        return report.text.removeprefix(before).removesuffix(after)

    def test_hangs(self) -> None:
        """One that hangs is given up."""
        self.assertEqual(
            "no answer within 0.2 s",
            self.failure(lambda connection, _: connection.recv(1) and None, 0.2),
        )

    def test_redirects(self) -> None:
        """One that redirects is not followed."""
        octets = answered(b"", b"Location: http://127.0.0.1/", status=b"301 Moved")
        self.assertEqual("it redirects, to http://127.0.0.1/", self.failure(octets))

    def test_large(self) -> None:
        """Ten megabytes are not read."""
        self.assertEqual(
            "it sends more than 65536 octets",
            self.failure(
                lambda connection, _: connection.sendall(answered(bytes(10_000_000)))
            ),
        )

    def test_answers(self) -> None:
        """What cannot be used is told: pages, garbage, old and foreign proofs."""
        old = CA.respond(MX.certificate, begin=NOW - 2 * DAY, end=NOW - DAY)
        other = CA.respond(CA.issue().certificate)
        cut = CA.respond(MX.certificate)[:-1]
        for octets, text in (
            (
                answered(b"<html>", b"Content-Type: text/html"),
                "it sends text/html, not an OCSP response",
            ),
            (answered(b"", status=b"404 Not Found"), "HTTP status 404 Not Found"),
            (answered(old), "it has expired: at 2029-12-31 12:00:00 UTC"),
            (answered(b"\xff" * 99), "it is not an OCSP response"),
            (answered(cut), "it is not an OCSP response"),
            (answered(b""), "it is not an OCSP response: empty"),
            (answered(other), "it is for another certificate"),
        ):
            self.assertEqual(text, self.failure(octets))
