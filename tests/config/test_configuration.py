"""Tests for ``mta.config.configuration``."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

import mta.transports
from mta.config.configuration import Configuration, Drivers
from mta.interfaces import ITransport
from mta.testing import PlainLanguage
from mta.transports.appendfile import AppendfileTransport
from mta.transports.smtp import SMTPTransport


class DriversTests(SynchronousTestCase):
    """Drivers of a package."""

    def test_find(self) -> None:
        """A driver is found by its name; there is None for others."""
        drivers = Drivers.of(ITransport, mta.transports)

        self.assertIs(drivers.find("appendfile"), AppendfileTransport)
        self.assertIsNone(drivers.find("nothing"))
        self.assertIsNone(drivers.find("maildir"))

    def test_names(self) -> None:
        """All names are known for errors."""
        names = set(Drivers.of(ITransport, mta.transports).names())

        self.assertLessEqual({"appendfile", "pipe"}, names)


class ConfigurationTests(SynchronousTestCase):
    """What was read."""

    def test_instances(self) -> None:
        """Instances are found by kind."""
        configuration = Configuration("/conf")
        configuration.transports["a"] = 1

        self.assertEqual(configuration.instances("transport"), {"a": 1})
        self.assertEqual(configuration.instances("router"), {})

    def test_advice(self) -> None:
        """What drivers have to say follows what the reader has."""
        configuration = Configuration("/conf", warnings=["of the file"])
        options = {"hosts_require_ocsp": "*", "hosts_require_tls": "*"}
        out = SMTPTransport.with_texts(options, language=PlainLanguage(), name="out")
        configuration.transports["out"] = out

        first, second = configuration.advice

        self.assertEqual(first, "of the file")
        self.assertTrue(second.startswith("transport out: hosts_require_ocsp"), second)
