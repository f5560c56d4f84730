"""Operators on mail addresses and IP addresses."""

from __future__ import annotations

import re

from mta.errors import ExpansionError
from mta.expand.header_addresses import header_address, header_addresses
from mta.expand.ip_text import full_form, ip_octets, masked, normal_form
from mta.expand.registry import operator

_MASK = re.compile(r"(.+)/([0-9]{1,3})\Z")
_MAPPED = bytes(10) + b"\xff\xff"


@operator("address")
def address(text: str) -> str:
    """The address in a string as header fields write it, or nothing."""
    found = header_address(text)
    return found.text if found else ""


@operator("addresses")
def addresses(text: str) -> str:
    """The list of all addresses in the content of a header field.

    ``>`` and a character at the start choose its separator.
    """
    separator = ":"
    if text.startswith(">") and len(text) > 1:
        separator, text = text[1], text[2:]
    found = (address.text for address in header_addresses(text))
    return separator.join(item.replace(separator, separator * 2) for item in found)


@operator("domain")
def domain(text: str) -> str:
    """The domain of an address, or nothing."""
    found = header_address(text)
    return found.domain if found else ""


@operator("local_part")
def local_part(text: str) -> str:
    """The local part of an address, or nothing."""
    found = header_address(text)
    return found.local_part if found else ""


def _ip_octets(text: str) -> bytes:
    octets = ip_octets(text.strip())
    if octets is None:
        raise ExpansionError(f'"{text}" is not an IP address')
    return octets


def _mask_form(argument: str) -> bool:
    if argument not in ("", "n"):
        raise ValueError('only "n" may follow')
    return argument == "n"


@operator("mask", argument=_mask_form, taints=False)
def mask(text: str, is_normal: bool) -> str:
    """The network of ``address/bits``; IPv6 with dots, or under ``mask_n`` colons."""
    match = _MASK.match(text.strip())
    octets = ip_octets(match[1]) if match else None
    if match is None or octets is None or int(match[2]) > len(octets) * 8:
        raise ExpansionError(f'"{text}" is not an IP address with a mask')
    network = masked(octets, int(match[2]))
    if is_normal or len(network) == 4:
        return f"{normal_form(network)}/{int(match[2])}"
    return f"{full_form(network, '.')}/{int(match[2])}"


@operator("ipv6norm", taints=False)
def ipv6norm(text: str) -> str:
    """An IP address as an IPv6 address, as short as it can be written."""
    octets = _sixteen_octets(text)
    # The C library writes mapped addresses with dots; Exim's form has none.
    if octets.startswith(_MAPPED):
        return f"::ffff:{_groups(octets[12:14])}:{_groups(octets[14:])}"
    if octets.startswith(bytes(12)) and octets[12:14] != bytes(2):
        return f"::{_groups(octets[12:14])}:{_groups(octets[14:])}"
    return normal_form(octets)


@operator("ipv6denorm", taints=False)
def ipv6denorm(text: str) -> str:
    """An IP address as an IPv6 address with all its digits."""
    return full_form(_sixteen_octets(text))


def _sixteen_octets(text: str) -> bytes:
    octets = _ip_octets(text)
    return octets if len(octets) == 16 else _MAPPED + octets


def _groups(octets: bytes) -> str:
    return f"{int.from_bytes(octets, 'big'):x}"


@operator("reverse_ip", taints=False)
def reverse_ip(text: str) -> str:
    """An IP address in the order of the DNS: ``4.2.0.192``."""
    octets = _ip_octets(text)
    if len(octets) == 4:
        return ".".join(str(octet) for octet in reversed(octets))
    return ".".join(reversed(octets.hex()))


@operator("utf8_domain_to_alabel")
def utf8_domain_to_alabel(text: str) -> str:
    """An internationalized domain with its labels in ASCII."""
    import idna  # noqa: PLC0415 - start-up time

    if text.isascii():
        return text
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except UnicodeError as error:
        raise ExpansionError(f'"{text}" is not a domain: {error}') from error


@operator("utf8_domain_from_alabel")
def utf8_domain_from_alabel(text: str) -> str:
    """A domain with its labels in Unicode."""
    import idna  # noqa: PLC0415 - start-up time

    try:
        return idna.decode(text)
    except UnicodeError as error:
        raise ExpansionError(f'"{text}" is not a domain: {error}') from error


@operator("utf8_localpart_to_alabel")
def utf8_localpart_to_alabel(text: str) -> str:
    """A local part in ASCII, in the form that domains' labels have."""
    if text.isascii():
        return text
    try:
        return "xn--" + text.encode("punycode").decode("ascii")
    except UnicodeError as error:
        raise ExpansionError(f"not a valid local part: {error}") from error


@operator("utf8_localpart_from_alabel")
def utf8_localpart_from_alabel(text: str) -> str:
    """A local part in Unicode, from the form that domains' labels have."""
    if not text.lower().startswith("xn--") or len(text) > 256:
        return text
    try:
        return text[4:].encode("ascii").decode("punycode")
    except UnicodeError as error:
        raise ExpansionError(f"not a valid local part: {error}") from error
