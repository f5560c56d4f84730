"""The configurations that are shipped."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mta.assembly import Assembly, assemble, default_configuration
from mta.reception.listener import listening_places
from mta.reception.options import ListenerOptions

CONF = Path(__file__).resolve().parent.parent / "conf"


def read(name: str) -> Assembly:
    """Return a shipped configuration, read."""
    return assemble([str(CONF / name)], {}, reactor=lambda: None)


class ShippedConfigurationTests(SynchronousTestCase):
    """Every file of ``conf/``."""

    def test_all_are_read(self) -> None:
        """None has an error, and none a line that the reader warns of."""
        names = sorted(path.name for path in CONF.glob("*.conf"))

        self.assertIn("mta.conf", names)
        for name in names:
            assembly = read(name)
            self.assertEqual([], assembly.configuration.warnings, name)
            self.assertTrue(assembly.configuration.routers, name)
            self.assertTrue(assembly.configuration.retry, name)

    def test_default(self) -> None:
        """The default is found, and listens on the loopback addresses alone."""
        assembly = read("mta.conf")
        places = listening_places(assembly.configuration.main(ListenerOptions))

        self.assertEqual(str(CONF / "mta.conf"), default_configuration())
        self.assertEqual(["[127.0.0.1]:2525", "[::1]:2525"], list(map(str, places)))
