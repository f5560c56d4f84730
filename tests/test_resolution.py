"""The resolver that is made at the first question."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.assembly import assemble
from mta.errors import ConfigurationError
from mta.resolution import LateResolver, _server
from mta.testing import FakeResolver, result_of


class ServerTests(SynchronousTestCase):
    """``dns_servers``."""

    def test_forms(self) -> None:
        """An address may have a port, in brackets or not."""
        for text, server in {
            "192.0.2.1": ("192.0.2.1", 53),
            "192.0.2.1:5353": ("192.0.2.1", 5353),
            "[192.0.2.1]:5353": ("192.0.2.1", 5353),
            "2001:db8::1": ("2001:db8::1", 53),
            "[2001:db8::1]": ("2001:db8::1", 53),
            "[2001:db8::1]:5353": ("2001:db8::1", 5353),
        }.items():
            self.assertEqual(server, _server(text))

    def test_wrong(self) -> None:
        """Anything else is an error that names it."""
        for text in ("9953", "ns.example", "192.0.2.1:x", "[::1]:70000", "", "[::1"):
            error = self.assertRaises(ValueError, _server, text)
            self.assertIn(f'"{text}"', str(error))

    def test_configuration(self) -> None:
        """The error in a configuration names file, line and option."""
        path = os.path.abspath(self.mktemp())
        Path(path).write_text("dns_servers = 127.0.0.1:9953\n")
        error = self.assertRaises(
            ConfigurationError, assemble, [path], {}, reactor=lambda: None
        )
        self.assertRegex(str(error), r'line 1 of .*dns_servers: "9953" is not an IP')

    def test_trust(self) -> None:
        """Whether DNSSEC is asked for, and who is believed, is for options to say."""
        for text, is_asked, near, far in (
            ("", True, True, False),
            ("dns_dnssec_ok = 1", True, True, False),
            ("dns_dnssec_ok = 0", False, False, False),
            ("dns_dnssec_ok = 0\ndns_trust_ad", False, False, False),
            ("dns_trust_ad", True, True, True),
        ):
            path = os.path.abspath(self.mktemp())
            Path(path).write_text(f"dns_servers = 192.0.2.53\n{text}\n")
            site = assemble([path], {}, reactor=lambda: None).site

            resolver: Any = site.resolver.resolver  # type: ignore[union-attr]

            self.assertEqual(
                (
                    resolver._dnssec,
                    resolver._is_trusted("127.0.0.1"),
                    resolver._is_trusted("192.0.2.53"),
                ),
                (is_asked, near, far),
            )

    def test_own_zones(self) -> None:
        """``dns_trust_aa`` is a domain list, which may ask questions of its own."""
        for text, zone, expected in (
            ("example.com : *.example.net", "example.com", True),
            ("example.com : *.example.net", "a.example.net", True),
            ("example.com", "a.example.com", False),
            ("${if eq{$primary_hostname}{}{}{example.com}}", "example.com", True),
            ("@mx_any", "example.com", True),
            ("dnsdb;txt=example.com", "example.com", True),
        ):
            path = os.path.abspath(self.mktemp())
            Path(path).write_text(f"dns_servers = 192.0.2.53\ndns_trust_aa = {text}\n")
            resolver: Any = assemble([path], {}, reactor=lambda: None).site.resolver
            made: list[LateResolver] = []

            def fake(late: LateResolver, made: list[Any] = made) -> FakeResolver:
                made.append(late)
                return FakeResolver(
                    {
                        ("example.com", "MX"): [(1, "mx.example.com")],
                        ("mx.example.com", "A"): ["127.0.0.1"],
                        ("example.com", "TXT"): [b"x"],
                    }
                )

            self.patch(LateResolver, "resolver", property(fake))
            is_own = resolver._facts["is_own_zone"](zone)
            self.assertIs(result_of(is_own), expected, text)
            # Else a question about a zone would wait for itself.
            self.assertNotIn(resolver, made)

    def test_no_own_zones(self) -> None:
        """Without the option no server is believed by the AA bit."""
        path = os.path.abspath(self.mktemp())
        Path(path).write_text("dns_servers = 192.0.2.53\n")
        resolver: Any = assemble([path], {}, reactor=lambda: None).site.resolver
        self.assertIsNone(resolver.resolver._is_own_zone)

    def test_late(self) -> None:
        """Nothing is loaded before somebody asks."""
        made: list[str] = []
        LateResolver(lambda: made.append("reactor"))
        self.assertEqual([], made)
