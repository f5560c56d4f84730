"""Tests of the variables that describe proxies."""

from __future__ import annotations

from mta.connection import Connection
from mta.errors import ConfigurationError
from mta.proxy.result import Endpoint, ProxyResult, ProxyStatus
from mta.proxy.tlvs import TLVs
from tests.expand.expansions import ExpansionTestCase

PROXY, OURS = Endpoint("10.0.0.1", 4711), Endpoint("10.0.0.9", 25)
TOLD = TLVs({2: b"mx.example", 0xEA: b"\x01a\xff"}, {0x22: b"cn"}, 0x07, 0)


class ProxyVariableTests(ExpansionTestCase):
    """A connection through a proxy, and one without."""

    def use(self, status: ProxyStatus, tlvs: TLVs = TOLD) -> None:
        """Let the client come through a proxy."""
        named = status is ProxyStatus.PROXIED
        result = ProxyResult(
            status,
            PROXY,
            OURS,
            2,
            Endpoint("192.0.2.7", 4660) if named else None,
            Endpoint("198.51.100.1", 2525) if named else None,
            tlvs,
        )
        self.context.connection = Connection("192.0.2.7", 4660, proxy=result)

    def test_without(self) -> None:
        """Without a proxy there is nothing to tell."""
        self.check(
            ("$proxy_session", "no"),
            ("$proxy_status", "none"),
            ("[$proxy_local_address$proxy_external_address]", "[]"),
            ("$proxy_local_port $proxy_external_port", "0 0"),
            ("[$proxy_tlv_authority$proxy_tlv_ssl_cn$proxy_tlv_0xEA]", "[]"),
            ("$proxy_tlv_ssl_verified", "0"),
        )

    def test_proxied(self) -> None:
        """Addresses and ports by both names."""
        self.use(ProxyStatus.PROXIED)
        self.check(
            ("$proxy_session $proxy_status", "yes proxied"),
            ("$proxy_local_address $proxy_local_port", "10.0.0.1 4711"),
            ("$proxy_host_address $proxy_host_port", "10.0.0.1 4711"),
            ("$proxy_external_address $proxy_external_port", "198.51.100.1 2525"),
            ("$proxy_target_address $proxy_target_port", "198.51.100.1 2525"),
        )
        self.assert_trusted("$proxy_local_address")

    def test_failure(self) -> None:
        """Where no client was named the addresses are empty, as in Exim."""
        for status in (ProxyStatus.TIMEOUT, ProxyStatus.INVALID, ProxyStatus.LOCAL):
            self.use(status)
            self.check(
                ("$proxy_session $proxy_status", f"yes {status.value}"),
                ("[$proxy_local_address$proxy_external_address]", "[]"),
                ("$proxy_host_port$proxy_target_port", "00"),
            )

    def test_values(self) -> None:
        """Values by name and by number; they are tainted."""
        self.use(ProxyStatus.PROXIED)
        self.check(
            ("$proxy_tlv_authority $proxy_tlv_ssl_cn", "mx.example cn"),
            ("$proxy_tlv_ssl_verified", "1"),
            ("$proxy_tlv_0xea", "\x01a\udcff"),
            ("[$proxy_tlv_alpn$proxy_tlv_unique_id$proxy_tlv_ssl_version]", "[]"),
        )
        for text in ("$proxy_tlv_authority", "$proxy_tlv_0xEA"):
            self.assert_tainted(text)

    def test_numbers(self) -> None:
        """A name without two digits is the name of no variable."""
        for name in ("$proxy_tlv_0x1", "$proxy_tlv_0x123", "$proxy_tlv_nothing"):
            self.assertRaises(ConfigurationError, self.expand, name)
