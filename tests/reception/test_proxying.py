"""Tests of the SMTP server behind proxies."""

from __future__ import annotations

from typing import Any, cast

from mta.errors import ConfigurationError
from mta.expand.context import Context
from mta.options import Source
from mta.proxy.factory import ProxyFactory
from mta.reception.proxy_options import ProxyOptions
from mta.reception.proxying import (
    REMEMBERED_LIMIT,
    Remembered,
    names_only_addresses,
)
from mta.testing import result_of
from tests.proxy.headers import (
    BINARY6,
    FOUR,
    LINE,
    LOCAL,
    UNKNOWN,
    binary,
    tls_value,
    tlv,
)
from tests.reception.proxied import MESSAGE, PROXY, ProxyCase
from tests.reception.serving import Client, ClientTransport, languages


class ClientTests(ProxyCase):
    """Who the client is."""

    def expanded(self, header: bytes, text: str, *, timeout: bool = False) -> str:
        """Return a string as the connect ACL would expand it."""
        self.serve()
        client = self.connect(header=header)
        if timeout:
            self.server.clock.advance(3)
        inner = cast(Any, client.protocol)._inner
        context = Context(self.server.site, inner.conversation.connection)
        language, _ = languages()
        return result_of(language.template(text, Source()).expand(context))

    def test_variables(self) -> None:
        """The client's address and port are the header's; ours are our own."""
        found = self.expanded(
            LINE,
            "$sender_host_address $sender_host_port $received_ip_address "
            "$received_port $proxy_session $proxy_status $proxy_local_address "
            "$proxy_local_port $proxy_external_address $proxy_external_port",
        )

        self.assertEqual(
            found,
            "192.0.2.7 4660 198.51.100.1 25 yes proxied 10.0.0.1 4711 198.51.100.1 25",
        )

    def test_older_names(self) -> None:
        """The variables' older names mean the same."""
        found = self.expanded(
            binary(FOUR[:4] + b"\xcb\x00\x71\x05\x12\x34\x09\xc5"),
            "$proxy_host_address $proxy_host_port "
            "$proxy_target_address $proxy_target_port",
        )

        self.assertEqual(found, "10.0.0.1 4711 203.0.113.5 2501")

    def test_nobody_named(self) -> None:
        """A health check, an unknown client and a failure can be told apart."""
        for header, status in (
            (LOCAL, "local"),
            (UNKNOWN, "unknown"),
            (b"", "timeout"),
        ):
            found = self.expanded(
                header,
                "$sender_host_address $proxy_session $proxy_status "
                "[$proxy_local_address$proxy_external_address] $proxy_local_port",
                timeout=not header,
            )
            self.assertEqual(found, f"{PROXY} yes {status} [] 0")

    def test_values(self) -> None:
        """What else the proxy tells can be used, and is tainted."""
        header = binary(
            FOUR,
            tlv(2, b"mx.example"),
            tlv(1, b"smtp"),
            tlv(5, b"id-7"),
            tlv(0xEA, b"vpce-1"),
            tls_value(7, 0, tlv(0x21, b"TLSv1.3"), tlv(0x22, b"cn"), tlv(0x23, b"AES")),
        )
        names = (
            "$proxy_tlv_authority $proxy_tlv_alpn $proxy_tlv_unique_id "
            "$proxy_tlv_ssl_version $proxy_tlv_ssl_cipher $proxy_tlv_ssl_cn "
            "$proxy_tlv_ssl_verified $proxy_tlv_0xEA ${proxy_tlv{0xea}} "
            "${proxy_tlv{234}} $proxy_tlv{0xEA} [${proxy_tlv{0xEB}}]"
        )

        found = self.expanded(header, names)

        self.assertEqual(
            found,
            "mx.example smtp id-7 TLSv1.3 AES cn 1 vpce-1 vpce-1 vpce-1 vpce-1 []",
        )
        self.assertEqual(type(found).__name__, "Tainted")

    def test_acl_and_lists(self) -> None:
        """ACLs and host lists see the client and not the proxy."""
        self.serve(
            "acl_smtp_connect = connect\nhostlist mine = 192.0.2.0/24\n",
            "connect:\n  deny hosts = +mine\n       message = not you\n  accept\n",
        )
        self.assertEqual(self.connect(header=LINE).transport.take(), b"550 not you\r\n")
        self.greeted(header=BINARY6)

    def test_host_name(self) -> None:
        """The host name that is looked up is the client's."""
        self.serve("host_lookup = *\n")
        records = self.server.resolver.records
        records["192.0.2.7", "PTR"] = ["client.example"]
        records["client.example", "A"] = ["192.0.2.7"]

        client = self.greeted(header=LINE)

        reply = client.says(b"EHLO x\r\n")
        self.assertIn(b"Hello client.example [192.0.2.7]", reply)

    def test_logs(self) -> None:
        """PRX= stands on the arrival line where the selector asks for it."""
        self.serve(selectors="proxy")
        client = self.greeted(header=binary(FOUR, tlv(5, b"id-7"))).hello()
        for octets in MESSAGE:
            client.says(octets)
        odd = self.greeted(header=binary(FOUR, tlv(5, b"a b"))).hello()
        for octets in MESSAGE:
            odd.says(octets)
        plain = self.greeted(header=LOCAL).hello()
        for octets in MESSAGE:
            plain.says(octets)

        first, second, third = [line for line in self.main if line.startswith("<= ")]
        self.assertIn(" H=(client.example) [192.0.2.7] ", first)
        self.assertIn(" P=esmtp PRX=10.0.0.1 PRXID=id-7 S=", first)
        self.assertIn(" PRX=10.0.0.1 PRXID=0x612062 S=", second)
        self.assertIn(" H=(client.example) [10.0.0.1] P=esmtp S=", third)

    def test_not_logged(self) -> None:
        """Without the selector there is no PRX=."""
        self.serve()
        client = self.greeted(header=LINE).hello()
        for octets in MESSAGE:
            client.says(octets)

        self.assertNotIn("PRX=", " ".join(self.main))


class OptionTests(ProxyCase):
    """Which hosts are proxies."""

    def test_plain_clients(self) -> None:
        """Others are served as ever."""
        self.serve()
        client = self.greeted("192.0.2.99")

        self.assertIn(b"[192.0.2.99]", client.says(b"EHLO x\r\n"))

    def test_spoof(self) -> None:
        """Their header is an error of syntax, and an attempt that the log names."""
        self.serve("smtp_enforce_sync = false\n")
        client = self.greeted("192.0.2.99")

        self.assertEqual(client.says(LINE), b"500 unrecognized command\r\n")
        self.assertIn(
            "attempted spoof: PROXY header from a peer that is not in hosts_proxy: "
            "[192.0.2.99]:4711",
            self.main,
        )
        self.assertIn(b"[192.0.2.99]", client.says(b"EHLO x\r\n"))

    def test_unset(self) -> None:
        """Without hosts_proxy there is no layer at all."""
        self.serve()
        self.options = ProxyOptions.with_texts({})

        self.assertIs(self.wrap(), self.server.factory)

    def test_expanded(self) -> None:
        """The list is expanded for each connection, with separators of its own."""
        text = "${if eq{$received_port}{25}{<; 10.0.0.1 ; 2001:db8::/32}}"
        self.serve(hosts_proxy=text)

        self.assertIsInstance(self.factory, ProxyFactory)
        for peer in ("10.0.0.1", "2001:db8::5"):
            self.assertEqual(self.connect(peer).transport.take(), b"")
        for peer in ("10.0.0.2", "2001:db9::5"):
            self.greeted(peer)

    def test_constant(self) -> None:
        """A list of addresses alone is looked at once for each address."""
        for text, is_constant in (
            ("10.0.0.1", True),
            ("<; 10.0.0.0/8 ; 2001:db8::/32 ; ! 192.0.2.1", True),
            ("!10.0.0.1 : *", True),
            ("", True),
            ("10.0.0.1 : proxy.example", False),
            ("+proxies", False),
            ("net-lsearch;/etc/proxies", False),
            ("@[]", False),
            ("/etc/proxies", False),
            ("10.0.0.${lookup}", False),
        ):
            self.assertIs(names_only_addresses(text), is_constant, text)

    def test_remembered(self) -> None:
        """Each address has its own answer, however often it comes."""
        self.serve()
        for peer in ("10.0.0.1", "192.0.2.9", "10.0.0.1", "192.0.2.9", "10.0.0.2"):
            greets = not peer.startswith("10.")
            self.assertEqual(bool(self.connect(peer).transport.take()), greets, peer)

    def test_many_addresses(self) -> None:
        """No more than so many answers are remembered."""
        asked: list[str] = []

        async def decide(transport: Any) -> bool:
            asked.append(transport.getPeer().host)
            return True

        remembered = Remembered(decide)
        for number in [*range(REMEMBERED_LIMIT + 1), *range(REMEMBERED_LIMIT, -1, -1)]:
            transport = ClientTransport(f"10.0.{number >> 8}.{number & 255}")
            self.assertTrue(result_of(remembered.decide(transport)))
        self.assertEqual(len(asked), 2 * REMEMBERED_LIMIT + 1)
        self.assertTrue(remembered.knows("10.0.0.0"))
        self.assertIsNone(remembered.knows("192.0.2.1"))

    def test_mapped(self) -> None:
        """An IPv4 proxy may come to an IPv6 socket."""
        self.serve()

        self.assertEqual(self.connect("::ffff:10.0.0.1").transport.take(), b"")

    def test_older_name(self) -> None:
        """The option has an older name, and is not set by both."""
        options = ProxyOptions.with_texts({"proxy_required_hosts": "10.0.0.1"})

        assert options.hosts_proxy is not None
        self.assertEqual(options.hosts_proxy.text, "10.0.0.1")
        with self.assertRaises(ConfigurationError):
            ProxyOptions.with_texts(
                {"proxy_required_hosts": "10.0.0.1", "hosts_proxy": "10.0.0.1"}
            )


class LimitTests(ProxyCase):
    """How many connections there may be."""

    def test_per_host(self) -> None:
        """smtp_accept_max_per_host counts clients, not the proxy before them."""
        self.serve("smtp_accept_max_per_host = 2\n")
        other = LINE.replace(b"192.0.2.7", b"192.0.2.8")
        for header in (LINE, LINE, other, other):
            self.greeted(header=header)

        for header in (LINE, other):
            client = self.connect(header=header)
            self.assertEqual(client.transport.take()[:4], b"421 ")

    def test_per_proxy(self) -> None:
        """smtp_accept_max_per_proxy counts the connections of each proxy."""
        self.serve(smtp_accept_max_per_proxy="2")
        first, _ = self.greeted(header=LINE), self.connect()

        third = self.connect()
        self.assertEqual(third.transport.take()[:4], b"421 ")
        self.assertTrue(third.transport.is_closed)
        third.hang_up()
        self.greeted("10.0.0.2", LINE)
        first.hang_up()
        self.greeted(header=LINE)
        self.assertEqual(
            self.main[0],
            "Connection from [10.0.0.1] refused: too many connections from one proxy",
        )

    def test_in_all(self) -> None:
        """smtp_accept_max counts connections that wait for their header, too."""
        self.serve("smtp_accept_max = 2\n")
        first, second = self.connect(), self.connect("10.0.0.2")
        third, plain = self.connect("10.0.0.3"), self.connect("192.0.2.9")

        for client in (third, plain):
            self.assertEqual(client.transport.take()[:4], b"421 ")
            self.assertTrue(client.transport.is_closed)
            client.hang_up()
        self.assertIn(
            "Connection from [10.0.0.3] refused: too many connections", self.main
        )
        first.send(LINE)
        self.assertEqual(first.transport.take()[:4], b"220 ")
        self.assertEqual(self.connect("10.0.0.4").transport.take()[:4], b"421 ")
        second.hang_up()
        self.greeted("10.0.0.5", BINARY6)
        self.assertEqual(self.server.connections.count, 2)

    def test_nobody_is_left(self) -> None:
        """However a connection ends, it counts no more."""
        self.serve()
        for header in (b"", b"PRO", b"x", LINE, LOCAL):
            for seconds in (0, 3):
                client = self.connect(header=header)
                self.server.clock.advance(seconds)
                self.assertEqual(self.server.connections.count, 1)
                client.hang_up()
                self.assertEqual(self.server.connections.count, 0)
        with_tls = Client(self.server, self.wrap(tls=True), PROXY)
        with_tls.send(b"x")
        self.assertTrue(with_tls.transport.is_closed)
        self.assertEqual(self.server.connections.count, 0)
