"""Tests of what a context is made of."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.tls.server_settings import TLSSettings


class SettingsTests(SynchronousTestCase):
    """Plain values."""

    def test_groups(self) -> None:
        """Groups are a list, of which auto and nothing have none."""
        self.assertEqual(
            ["X25519", "P-256"], TLSSettings(groups="X25519 : P-256").group_names
        )
        self.assertEqual([], TLSSettings(groups="auto").group_names)
        self.assertEqual([], TLSSettings().group_names)

    def test_equal(self) -> None:
        """Equal settings share a context."""
        self.assertEqual(1, len({TLSSettings("a"), TLSSettings(certificates="a")}))
