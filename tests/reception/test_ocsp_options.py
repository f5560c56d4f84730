"""Options of fetching proofs."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.errors import ConfigurationError
from mta.expand.context import Site
from mta.expand.registry import Language
from mta.reception.ocsp_options import (
    OCSPOptions,
    proxy_of,
    read_responders,
    responders_of,
)


def site() -> Site:
    """Return a host."""
    return Site(primary_hostname="mx.test", language=Language.load())


class RespondersTests(SynchronousTestCase):
    """Who is asked."""

    def test_one(self) -> None:
        """One URL is written as it is."""
        for text in ("http://a.test/x", " https://[::1]:8080/ "):
            self.assertEqual([text.strip()], read_responders(text))
        self.assertEqual([], read_responders(""))

    def test_several(self) -> None:
        """A list has another separator; items may be empty."""
        self.assertEqual(
            ["http://a/", "", "http://b:1/"],
            read_responders("<; http://a/ ; ; http://b:1/"),
        )

    def test_wrong(self) -> None:
        """What is no URL of HTTP is told when the configuration is read."""
        for text in ("http://a/ : http://b/", "ldap://a/", "a.test", "http://"):
            error = self.assertRaises(
                ConfigurationError, OCSPOptions.with_texts, {"tls_ocsp_responder": text}
            )
            self.assertIn("tls_ocsp_responder: ", str(error))


class OptionsTests(SynchronousTestCase):
    """The group of options."""

    def options(self, **texts: str) -> OCSPOptions:
        """Return options."""
        return OCSPOptions.with_texts(texts, language=Language.load())

    def test_defaults(self) -> None:
        """Nothing is fetched unless that is asked for."""
        options = self.options()
        self.assertFalse(options.tls_ocsp_refresh)
        self.assertEqual([], responders_of(options, site()))
        self.assertEqual("", proxy_of(options, site()))

    def test_expanded(self) -> None:
        """URLs are expanded."""
        options = self.options(
            tls_ocsp_responder="http://ca.$primary_hostname/",
            tls_ocsp_http_proxy="${if eq{a}{a}{http://proxy:3128}}",
        )
        name = site().primary_hostname
        self.assertEqual([f"http://ca.{name}/"], responders_of(options, site()))
        self.assertEqual("http://proxy:3128", proxy_of(options, site()))

    def test_expansion_fails(self) -> None:
        """An expansion that fails, or gives no URL, ends the start."""
        for text in ("${if eq{a}{a}{nonsense}}", "${if eq{a}{b}{x}fail}"):
            options = self.options(tls_ocsp_http_proxy=text)
            error = self.assertRaises(ConfigurationError, proxy_of, options, site())
            self.assertIn("tls_ocsp_http_proxy: ", str(error))

    def test_proxy(self) -> None:
        """A proxy that cannot be one is told when the configuration is read."""
        error = self.assertRaises(
            ConfigurationError, self.options, tls_ocsp_http_proxy="proxy.test:3128"
        )
        self.assertIn("is not a proxy like http://HOST:PORT", str(error))
