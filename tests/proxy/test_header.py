"""Tests of reading PROXY headers."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mta.proxy.errors import HeaderError
from mta.proxy.header import Header, HeaderReader, version_of
from mta.proxy.result import Endpoint, ProxyStatus
from tests.proxy.headers import (
    BINARY,
    BINARY6,
    FOUR,
    LINE,
    LINE6,
    LOCAL,
    SIGNATURE,
    STREAM6,
    UNIX,
    UNKNOWN,
    UNSPECIFIED,
    binary,
    tls_value,
    tlv,
    with_checksum,
)

CLIENT4, SERVER4 = Endpoint("192.0.2.7", 4660), Endpoint("198.51.100.1", 25)
CLIENT6, SERVER6 = Endpoint("2001:db8::7", 4660), Endpoint("2001:db8::1", 25)
GOOD = [
    LINE,
    LINE6,
    UNKNOWN,
    b"PROXY UNKNOWN ffff::1 garbage 99999\r\n",
    BINARY,
    BINARY6,
    LOCAL,
    binary(FOUR, tlv(5, b"id"), tls_value(7, 0, tlv(0x22, b"client"))),
    with_checksum(tlv(4, b"padding")),
]


def read(octets: bytes, limit: int = 4096) -> Header:
    """Return the header that the octets are."""
    header = HeaderReader(limit).feed(octets)
    assert header is not None, "incomplete"
    return header


class HeaderCase(SynchronousTestCase):
    """Says what is refused."""

    def refuses(self, octets: bytes, why: str) -> None:
        """The octets are refused for a reason that holds some words."""
        with self.assertRaises(HeaderError, msg=repr(octets)) as caught:
            read(octets)
        self.assertIn(why, str(caught.exception))


class LineTests(HeaderCase):
    """A header of version 1."""

    def test_ipv4(self) -> None:
        """The first address and the first port are the client's."""
        self.assertEqual(
            read(LINE), (1, ProxyStatus.PROXIED, CLIENT4, SERVER4, read(LINE).tlvs)
        )

    def test_ipv6(self) -> None:
        """IPv6 addresses come out in their one short form."""
        long = LINE6.replace(b"2001:db8::7", b"2001:0DB8:0:0:0:0:0:0007")

        for line in (LINE6, long):
            self.assertEqual(read(line)[2:4], (CLIENT6, SERVER6))

    def test_mapped(self) -> None:
        """An IPv4 address in IPv6 clothes is IPv4, as host lists see it."""
        header = read(b"PROXY TCP6 ::ffff:192.0.2.7 ::FFFF:c633:6401 4660 25\r\n")

        self.assertEqual(header[2:4], (CLIENT4, SERVER4))

    def test_longest(self) -> None:
        """The longest lines of the document are understood."""
        many = b"ffff:f...f:ffff".replace(b"f...f", b":".join([b"ffff"] * 6))
        line = b"PROXY TCP6 %b %b 65535 65535\r\n" % (many, many)
        unknown = b"PROXY UNKNOWN %b %b 65535 65535\r\n" % (many, many)

        self.assertEqual(read(line).source, Endpoint(many.decode(), 65535))
        self.assertEqual(
            (len(unknown), read(unknown).status), (107, ProxyStatus.UNKNOWN)
        )

    def test_unknown(self) -> None:
        """UNKNOWN names nobody, whatever follows it."""
        for line in (UNKNOWN, b"PROXY UNKNOWN TCP4 1.2.3.4\r\n", b"PROXY UNKNOWN \r\n"):
            self.assertEqual(
                read(line), (1, ProxyStatus.UNKNOWN, None, None, read(line).tlvs)
            )

    def test_edges_of_ports(self) -> None:
        """Ports go from 0 to 65535."""
        header = read(b"PROXY TCP4 192.0.2.7 198.51.100.1 0 65535\r\n")

        self.assertEqual(
            (header.source, header.destination),
            (Endpoint("192.0.2.7", 0), Endpoint("198.51.100.1", 65535)),
        )

    def test_addresses(self) -> None:
        """What is not an address of the family is refused."""
        for wrong in (
            "999.1.1.1",
            "1.2.3",
            "01.2.3.4",
            "1.2.3.4.5",
            "::1",
            "",
            "1.2.3.4\t",
            "host",
            "0x7f.1.1.1",
            "\u0661.2.3.4",
            "1.2.3.4\0",
        ):
            line = f"PROXY TCP4 {wrong} 198.51.100.1 1 25\r\n".encode()
            self.refuses(line, "IP address")
            self.refuses(
                f"PROXY TCP4 198.51.100.1 {wrong} 1 25\r\n".encode(), "IP address"
            )
        for wrong in ("1.2.3.4", "fe80::1%lo", "1:2:3", "::1::", "[::1]", "12345::"):
            self.refuses(f"PROXY TCP6 {wrong} ::1 1 25\r\n".encode(), "IP address")

    def test_ports(self) -> None:
        """What is not the number of a port is refused."""
        for wrong in (
            "65536",
            "99999",
            "100000",
            "-1",
            "+1",
            "",
            "025",
            "00",
            "smtp",
            "1.0",
            "\u0661",
        ):
            for ports in (f"{wrong} 25", f"25 {wrong}"):
                line = f"PROXY TCP4 192.0.2.7 198.51.100.1 {ports}\r\n".encode()
                self.refuses(line, "port")

    def test_fields(self) -> None:
        """A line of more, fewer or unknown fields is refused."""
        self.refuses(b"PROXY TCP4 192.0.2.7 198.51.100.1 1 25 \r\n", "7 fields")
        self.refuses(b"PROXY TCP4 192.0.2.7 198.51.100.1 1 25 x\r\n", "7 fields")
        self.refuses(b"PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n", "5 fields")
        self.refuses(b"PROXY TCP4  192.0.2.7 198.51.100.1 1 25\r\n", "7 fields")
        for family in (
            b"TCP",
            b"UDP4",
            b"tcp4",
            b"TCP5",
            b"UNKNOWNX",
            b"",
            b"UNIX",
            b"\tTCP4",
        ):
            self.refuses(b"PROXY %b 192.0.2.7 198.51.100.1 1 25\r\n" % family, "family")

    def test_line_ends(self) -> None:
        """Only CRLF ends the line."""
        for line in (
            LINE.replace(b"\r", b""),
            LINE.replace(b"\r\n", b"\n\r\n"),
            LINE.replace(b" 25", b"\r 25"),
            LINE.replace(b"\r\n", b"\r\r\n"),
        ):
            self.refuses(line, "bare CR or LF")
        self.refuses(b"PROXY UNKNOWN a\nEHLO x\r\n", "bare CR or LF")

    def test_too_long(self) -> None:
        """A line that does not end in time is refused before it ends."""
        self.assertIsNone(HeaderReader().feed(b"PROXY UNKNOWN ".ljust(106, b"x")))
        self.refuses(b"PROXY UNKNOWN ".ljust(107, b"x"), "107 octets")
        self.refuses(b"PROXY UNKNOWN ".ljust(106, b"x") + b"\r\n", "107 octets")

    def test_spelling(self) -> None:
        """The word must be the document's."""
        for octets in (
            b"proxy TCP4",
            b"PROXY\tTCP4",
            b"PROXYTCP4",
            b" PROXY TCP4",
            b"EHLO x\r\n",
            b"\r\nQUIT\r\n",
            b"PROXY\r\n",
        ):
            self.refuses(octets, "something else")

    def test_tls(self) -> None:
        """The beginning of a TLS handshake is named as such."""
        self.refuses(b"\x16\x03\x01\x02\x00\x01", "TLS hello where a header was due")
        self.refuses(b"\x16", "TLS hello where a header was due")


class BinaryTests(HeaderCase):
    """A header of version 2."""

    def test_addresses(self) -> None:
        """The first address and the first port are the client's."""
        self.assertEqual(read(BINARY)[:4], (2, ProxyStatus.PROXIED, CLIENT4, SERVER4))
        self.assertEqual(read(BINARY6)[:4], (2, ProxyStatus.PROXIED, CLIENT6, SERVER6))

    def test_mapped(self) -> None:
        """An IPv4 address in IPv6 clothes is IPv4."""
        mapped = b"\0" * 10 + b"\xff\xff"
        payload = mapped + FOUR[:4] + mapped + FOUR[4:8] + FOUR[8:]

        self.assertEqual(read(binary(payload, family=STREAM6))[2:4], (CLIENT4, SERVER4))

    def test_local(self) -> None:
        """LOCAL is the proxy itself; the rest of the header is not looked at."""
        for octets in (
            LOCAL,
            binary(FOUR, command=0x20),
            binary(b"?" * 50, family=0xFF, command=0x20),
        ):
            self.assertEqual(read(octets)[:4], (2, ProxyStatus.LOCAL, None, None))

    def test_no_ip_addresses(self) -> None:
        """Local sockets and unspecified families name nobody, but may have values."""
        for family, payload in (
            (UNSPECIFIED, b""),
            (UNIX, b"/tmp/x".ljust(216, b"\0")),
        ):
            header = read(binary(payload, tlv(5, b"id"), family=family))
            self.assertEqual(header[:4], (2, ProxyStatus.UNKNOWN, None, None))
            self.assertEqual(header.tlvs.values, {5: b"id"})

    def test_commands(self) -> None:
        """Only PROXY and LOCAL of version 2 are understood."""
        for command in set(range(256)) - {0x20, 0x21}:
            self.refuses(binary(command=command), f"command 0x{command:02x}")

    def test_families(self) -> None:
        """Datagrams and what the document does not name are refused."""
        for family in set(range(256)) - {0x00, 0x11, 0x21, 0x31}:
            datagram = family in (0x12, 0x22, 0x32)
            self.refuses(
                binary(bytes(216), family=family),
                "datagram" if datagram else f"family 0x{family:02x}",
            )

    def test_short_payloads(self) -> None:
        """Each octet of the addresses must be there."""
        for family, size in ((0x11, 12), (0x21, 36), (0x31, 216)):
            for length in range(size):
                self.refuses(binary(bytes(length), family=family), "too short")

    def test_limit(self) -> None:
        """A header of 4096 octets is read; a longer one is refused unseen."""
        fits = binary(FOUR, tlv(4, bytes(4096 - 16 - 12 - 3)))
        over = binary(FOUR, length=4081)

        self.assertEqual((len(fits), read(fits).source), (4096, CLIENT4))
        self.refuses(over[:16], "4097 octets, where 4096 are the limit")
        with self.assertRaises(HeaderError):
            read(BINARY6, limit=51)

    def test_largest_length(self) -> None:
        """The largest length of all is refused as soon as it is known."""
        self.refuses(SIGNATURE + b"\x21\x11\xff\xff", "65551 octets")


class PieceTests(SynchronousTestCase):
    """A header that comes in pieces, with something behind it."""

    def test_cut_everywhere(self) -> None:
        """Where it is cut makes no difference."""
        for octets in GOOD:
            whole = read(octets)
            for cut in range(1, len(octets)):
                reader = HeaderReader()
                self.assertIsNone(reader.feed(octets[:cut]), octets[:cut])
                self.assertEqual(reader.feed(octets[cut:]), whole)
                self.assertEqual((reader.rest, reader.kept), (b"", b""))

    def test_trickled(self) -> None:
        """It may come octet by octet."""
        for octets in GOOD:
            reader = HeaderReader()
            for octet in octets[:-1]:
                self.assertIsNone(reader.feed(bytes([octet])))
            self.assertEqual(reader.feed(octets[-1:]), read(octets))

    def test_glued(self) -> None:
        """What follows is left alone, whatever it is."""
        for octets in GOOD:
            for behind in (
                b"E",
                b"EHLO client.example\r\n",
                b"\x16\x03\x01\x00\x05hello",
                LINE,
                BINARY,
                b"\n",
                b"\0" * 70000,
            ):
                for cut in (0, 1, 13, len(octets) - 1):
                    reader = HeaderReader()
                    reader.feed(octets[:cut]) if cut else None
                    self.assertEqual(reader.feed(octets[cut:] + behind), read(octets))
                    self.assertEqual(reader.rest, behind)

    def test_beginnings(self) -> None:
        """No more is kept than may become a header."""
        for octets in (LINE, BINARY):
            full = 6 if octets is LINE else 12
            for length in range(1, len(octets)):
                self.assertEqual(
                    version_of(octets[:length]),
                    None if length < full else 2 - (octets is LINE),
                )


_NUMBER = rb"(0|[1-9][0-9]{0,4})"
_GRAMMAR = re.compile(
    rb"PROXY (UNKNOWN( [^\r\n]*)?|"
    rb"TCP4 ([0-9]{1,3}\.){3}[0-9]{1,3} ([0-9]{1,3}\.){3}[0-9]{1,3} %b %b|"
    rb"TCP6 [0-9a-fA-F:.]+ [0-9a-fA-F:.]+ %b %b)\r\n" % ((_NUMBER,) * 4)
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Give a header with some octets changed, taken out or put in."""
    octets = bytearray(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(1, 3))):
        position = draw(st.integers(0, len(octets) - 1))
        match draw(st.integers(0, 2)):
            case 0:
                octets[position] = draw(st.integers(0, 255))
            case 1 if len(octets) > 1:
                del octets[position]
            case _:
                octets.insert(position, draw(st.sampled_from(b" \r\n\0:.0159fPTx")))
    return bytes(octets)


class MutationTests(SynchronousTestCase):
    """Headers that are nearly right."""

    @settings(max_examples=1000, deadline=None)
    @given(mutated(), st.integers(0, 300))
    def test_mutations(self, octets: bytes, cut: int) -> None:
        """They are understood as the grammar says, or refused; nothing else happens."""
        reader = HeaderReader()
        try:
            header = reader.feed(octets[:cut]) if cut else None
            if header is None:
                header = reader.feed(octets[cut:])
            else:
                reader.rest += octets[cut:]
        except HeaderError:
            return
        if header is None:
            self.assertLess(len(octets), 4096)
            return
        taken = octets[: len(octets) - len(reader.rest)]
        if header.version == 1:
            self.assertRegex(taken, _GRAMMAR)
        else:
            self.assertEqual(taken[:12], SIGNATURE)
            self.assertEqual(len(taken), 16 + int.from_bytes(taken[14:16], "big"))
        self.assertEqual(
            header.source is None, header.status is not ProxyStatus.PROXIED
        )

    @settings(max_examples=300, deadline=None)
    @given(st.ip_addresses(v=4), st.ip_addresses(v=6), st.integers(0, 65535))
    def test_both_versions_agree(self, four: object, six: object, port: int) -> None:
        """An address is the same text by either version."""
        for family, address, number in (("TCP4", four, 0x11), ("TCP6", six, STREAM6)):
            packed = address.packed  # type: ignore[attr-defined]
            line = f"PROXY {family} {address} {address} {port} {port}\r\n".encode()
            payload = packed * 2 + port.to_bytes(2, "big") * 2
            self.assertEqual(read(line)[1:4], read(binary(payload, family=number))[1:4])
