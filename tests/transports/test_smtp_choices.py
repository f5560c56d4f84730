"""What options say for one host."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mta.expand.context import Context, Site
from mta.expand.registry import Language
from mta.transports.smtp import SMTPTransport
from mta.transports.smtp_choices import ascii_name, expanded, is_empty, matches
from tests.transports.relaying import HOST_A, HOST_B

LANGUAGE = Language.load()


class ChoicesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.context = Context(Site(primary_hostname="me.example"))

    def transport(self, **options: str) -> SMTPTransport:
        """Return a transport with options."""
        return SMTPTransport.with_texts(options, language=LANGUAGE, name="t")

    def now(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Return what a coroutine that need not wait returns."""
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def test_text(self) -> None:
        """Texts are expanded; what is not set or fails by force is empty."""
        for text, value in (
            (" ${lc:MX} ", "mx"),
            ("${if eq{a}{b}{x}fail}", ""),
        ):
            template = self.transport(tls_sni=text).tls_sni
            self.assertEqual(self.now(expanded(template, self.context)), value)
        self.assertEqual(self.now(expanded(None, self.context)), "")

    def test_hosts(self) -> None:
        """A host is in a list by address; in an unset list nobody is."""
        hosts = self.transport(hosts_require_tls="192.0.2.1").hosts_require_tls

        for host, found in ((HOST_A, True), (HOST_B, False)):
            self.assertIs(self.now(matches(hosts, host, self.context)), found)
            self.assertIs(self.now(matches(None, host, self.context)), False)

    def test_everybody(self) -> None:
        """An asterisk is every host."""
        hosts = self.transport(hosts_require_tls="*").hosts_require_tls

        self.assertIs(self.now(matches(hosts, HOST_A, self.context)), True)

    def test_names(self) -> None:
        """Names of hosts are in A-labels, small, without the last dot."""
        for name, found in (
            ("MX.Example.", "mx.example"),
            ("b\xfccher.example", "xn--bcher-kva.example"),
        ):
            self.assertEqual(ascii_name(name), found)

    def test_empty(self) -> None:
        """A list that is not set, or set to nothing, is empty."""
        self.assertTrue(is_empty(None))
        self.assertTrue(
            is_empty(self.transport(hosts_require_tls=" ").hosts_require_tls)
        )
        self.assertFalse(
            is_empty(self.transport(hosts_require_tls="*").hosts_require_tls)
        )
