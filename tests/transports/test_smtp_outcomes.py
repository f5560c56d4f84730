"""The fields of log lines about remote deliveries."""

from __future__ import annotations

from mta.connection import TLSFacts
from mta.log import ALL_SELECTORS
from tests.transports.relaying import RelayCase


class LogFieldTests(RelayCase):
    def test_order(self) -> None:
        """Everything that selectors ask for, in Exim's order."""
        self.logs.selectors = ALL_SELECTORS
        self.one()
        [link] = [
            link
            for place in self.driver._connections._places.values()
            for link in place.idle
        ]
        link.tls = TLSFacts("TLS1.3", "TLS1.3:C:256", peer_dn='/CN="x"', verified=True)

        outcome = self.one()

        self.assertEqual(
            outcome.log_fields,
            [
                "I=[127.0.0.1]:40000",
                "X=TLS1.3:C:256",
                "CV=yes",
                'DN="/CN=\\"x\\""',
                'TLSV="tls=no (the server did not offer TLS support) '
                'dane=none (the address is not authenticated by DNSSEC)"',
                "L",
                "K",
                'C="250 OK id=1"',
            ],
        )

    def test_nothing(self) -> None:
        """Without selectors there is little."""
        self.logs.selectors = frozenset()

        self.assertEqual(self.one().log_fields, ["K"])

    def test_reply_is_quoted(self) -> None:
        """What the host said cannot end its field."""
        self.a.replies["END"] = b'250-OK "a\\b"\r\n250 id=1\r\n'

        outcome = self.one()

        self.assertEqual(outcome.log_fields[-1], 'C="250-OK \\"a\\\\b\\"\n250 id=1"')
