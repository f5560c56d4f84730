"""The resolver that is made at the first question."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mta.assembly import assemble
from mta.errors import ConfigurationError
from mta.resolution import LateResolver, _server


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

    def test_late(self) -> None:
        """Nothing is loaded before somebody asks."""
        made: list[str] = []
        LateResolver(lambda: made.append("reactor"))
        self.assertEqual([], made)
