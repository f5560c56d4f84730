"""URLs of responders and proxies."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mta.ocsp.place import proxy_place, responder_place


class ResponderPlaceTests(SynchronousTestCase):
    """Where a responder is."""

    def test_parts(self) -> None:
        """Host, port and what to ask for are found, whatever is left out."""
        for url, authority, origin, target in (
            ("http://a.test", "a.test:80", "http://a.test", "/"),
            ("https://a.test/b?c", "a.test:443", "https://a.test", "/b?c"),
            ("http://[::1]:81/b", "[::1]:81", "http://[::1]:81", "/b"),
            ("HTTP://u:p@A.test:80/", "a.test:80", "http://a.test", "/"),
        ):
            place = responder_place(url)
            self.assertEqual(
                (authority, origin, target),
                (place.authority, place.origin, place.target),
            )

    def test_others(self) -> None:
        """Certificates may name anything: only HTTP is a way to ask."""
        for url in ("", "ldap://a/", "file:///etc/passwd", "http://", "http://a:0/"):
            error = self.assertRaises(ValueError, responder_place, url)
            self.assertEqual("its URL is not one of HTTP", str(error))


class ProxyPlaceTests(SynchronousTestCase):
    """Where a proxy is."""

    def test_proxy(self) -> None:
        """A proxy is a host and a port."""
        for url in ("http://proxy.test:3128", "http://proxy.test:3128/"):
            self.assertEqual("proxy.test:3128", proxy_place(url).authority)

    def test_others(self) -> None:
        """What could not be done is refused: TLS to a proxy, paths, passwords."""
        for url in (
            "proxy.test:3128",
            "https://proxy.test/",
            "http://proxy.test/path",
            "http://proxy.test/?q",
            "http://user:word@proxy.test:3128/",
        ):
            self.assertRaises(ValueError, proxy_place, url)
