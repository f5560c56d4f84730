"""The SMTP server of the tests behind proxies."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mta.reception.connections import Connections
from mta.reception.proxy_options import ProxyOptions
from mta.reception.proxying import behind_proxies
from tests.reception.serving import Client, Server, languages

PROXY = "10.0.0.1"
REFUSED = "503 Command refused, required Proxy negotiation failed"
MESSAGE = (
    b"MAIL FROM:<a@b.example>\r\n",
    b"RCPT TO:<c@mx.example>\r\n",
    b"DATA\r\n",
    b"Subject: x\r\n\r\nx\r\n.\r\n",
)


class ProxyCase(SynchronousTestCase):
    """A server for which 10.0.0.1 and its kin are proxies."""

    def serve(
        self, options: str = "", acls: str = "", *, selectors: str = "", **proxy: str
    ) -> None:
        """Start a server with main options and with those of the PROXY protocol."""
        language, _ = languages()
        proxy.setdefault("hosts_proxy", "10.0.0.0/24")
        self.server = Server(options, acls, selectors=selectors)
        self.options = ProxyOptions.with_texts(proxy, language=language)
        self.proxies = Connections()
        self.factory = self.wrap()

    def wrap(self, *, tls: bool = False) -> Any:
        """Return the factory of a listener."""
        server = self.server
        return behind_proxies(
            server.factory.for_tls_on_connect() if tls else server.factory,
            options=self.options,
            site=server.site,
            logs=server.logs,
            clock=server.clock,
            proxies=self.proxies,
        )

    def connect(self, peer: str = PROXY, header: bytes = b"") -> Client:
        """Return a connection that begins with a header."""
        client = Client(self.server, self.factory, peer)
        if header:
            client.send(header)
        return client

    def greeted(self, peer: str = PROXY, header: bytes = b"") -> Client:
        """Return a connection that was greeted."""
        client = self.connect(peer, header)
        self.assertEqual(client.transport.take()[:4], b"220 ")
        return client

    @property
    def main(self) -> list[str]:
        """The lines of the main log."""
        return [line for line, _ in self.server.logs.main_lines]
