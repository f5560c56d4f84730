"""Tests of the item that asks for what a proxy told."""

from __future__ import annotations

from mta.connection import Connection
from mta.errors import ExpansionError
from mta.proxy.result import Endpoint, ProxyResult, ProxyStatus
from mta.proxy.tlvs import TLVs
from tests.expand.expansions import ExpansionTestCase


class ProxyValueTests(ExpansionTestCase):
    """A value of the PROXY header by its number."""

    def test_without(self) -> None:
        """Without a proxy there are no values."""
        self.check(("[${proxy_tlv{0xEA}}]", "[]"), ("[$proxy_tlv{0xEA}]", "[]"))

    def test_values(self) -> None:
        """The number may be computed; what the proxy told is tainted."""
        end = Endpoint("10.0.0.1", 4711)
        tlvs = TLVs({2: b"mx.example", 0xEA: b"\x01a\xff"})
        result = ProxyResult(ProxyStatus.UNKNOWN, end, end, 2, tlvs=tlvs)
        self.context.connection = Connection("10.0.0.1", 4711, proxy=result)

        self.check(
            ("${proxy_tlv{0xEA}}", "\x01a\udcff"),
            ("${proxy_tlv{234}}", "\x01a\udcff"),
            ("${proxy_tlv{${eval:1+1}}}", "mx.example"),
            ("[${proxy_tlv{5}}]", "[]"),
        )
        self.assert_tainted("${proxy_tlv{2}}")

    def test_numbers(self) -> None:
        """What is not the number of a value is an error."""
        self.check_errors(ExpansionError, "${proxy_tlv{x}}", "${proxy_tlv{256}}")
        self.check_errors(ExpansionError, "${proxy_tlv{-1}}", "${proxy_tlv{}}")
