"""Variables that describe the proxy through which a client came (Exim chapter 58)."""

from __future__ import annotations

from typing import Any

from mta.expand.context import Context
from mta.expand.registry import variable
from mta.proxy import tlvs
from mta.taint import Tainted


class ProxyEnd:
    """An address or a port of a proxied connection.

    Empty, or 0, where no header named the client: ``proxy_status`` then says why.
    """

    extension_name: str

    def __init__(self, end: str, part: str, sentence: str) -> None:
        self.end = end
        self.part = part
        self.__doc__ = sentence

    def __call__(self, context: Context) -> str:
        proxy = context.connection.proxy
        if proxy is None or proxy.client is None:
            return "0" if self.part == "port" else ""
        return str(getattr(getattr(proxy, self.end), self.part))


class ProxyValue:
    """Something that the proxy told besides the addresses, empty where it did not."""

    extension_name: str

    def __init__(self, number: int, sentence: str, *, tls: bool = False) -> None:
        self.number = number
        self.tls = tls
        self.__doc__ = sentence

    def __call__(self, context: Context) -> str:
        proxy = context.connection.proxy
        if proxy is None:
            return ""
        values = proxy.tlvs.tls if self.tls else proxy.tlvs.values
        return value_text(values, self.number)


def value_text(values: dict[int, bytes], number: int) -> str:
    """Return one of a header's values as text; it is what a client may have chosen."""
    return Tainted(values.get(number, b"").decode("utf-8", "surrogateescape"))


_PROXY_ADDRESS = "The proxy's own address, from which it connected to this host."
_PROXY_PORT = "The port from which the proxy connected to this host."
_EXTERNAL_ADDRESS = "The proxy's address that the client connected to."
_EXTERNAL_PORT = "The proxy's port that the client connected to."

proxy_local_address = variable("proxy_local_address")(
    ProxyEnd("proxy", "ip_address", _PROXY_ADDRESS)
)
proxy_local_port = variable("proxy_local_port")(ProxyEnd("proxy", "port", _PROXY_PORT))
proxy_external_address = variable("proxy_external_address")(
    ProxyEnd("external", "ip_address", _EXTERNAL_ADDRESS)
)
proxy_external_port = variable("proxy_external_port")(
    ProxyEnd("external", "port", _EXTERNAL_PORT)
)
proxy_host_address = variable("proxy_host_address")(
    ProxyEnd("proxy", "ip_address", "``proxy_local_address`` by its old name.")
)
proxy_host_port = variable("proxy_host_port")(
    ProxyEnd("proxy", "port", "``proxy_local_port`` by its old name.")
)
proxy_target_address = variable("proxy_target_address")(
    ProxyEnd("external", "ip_address", "``proxy_external_address`` by its old name.")
)
proxy_target_port = variable("proxy_target_port")(
    ProxyEnd("external", "port", "``proxy_external_port`` by its old name.")
)

proxy_tlv_authority = variable("proxy_tlv_authority")(
    ProxyValue(
        tlvs.AUTHORITY, "The host name that the client asked the proxy for (SNI)."
    )
)
proxy_tlv_alpn = variable("proxy_tlv_alpn")(
    ProxyValue(tlvs.ALPN, "The protocol that client and proxy agreed on (ALPN).")
)
proxy_tlv_unique_id = variable("proxy_tlv_unique_id")(
    ProxyValue(
        tlvs.UNIQUE_ID, "What tells the connection from others in the proxy's log."
    )
)
proxy_tlv_ssl_version = variable("proxy_tlv_ssl_version")(
    ProxyValue(
        tlvs.TLS_VERSION, "The version of TLS between client and proxy.", tls=True
    )
)
proxy_tlv_ssl_cipher = variable("proxy_tlv_ssl_cipher")(
    ProxyValue(tlvs.TLS_CIPHER, "The cipher suite between client and proxy.", tls=True)
)
proxy_tlv_ssl_cn = variable("proxy_tlv_ssl_cn")(
    ProxyValue(
        tlvs.TLS_COMMON_NAME,
        "The common name in the certificate that the client showed the proxy.",
        tls=True,
    )
)


@variable("proxy_session")
def proxy_session(context: Context) -> str:
    """``yes`` where the peer had to send a PROXY header, else ``no``."""
    return "no" if context.connection.proxy is None else "yes"


@variable("proxy_status")
def proxy_status(context: Context) -> str:
    """What came of the header: none, proxied, local, unknown, timeout or invalid."""
    proxy: Any = context.connection.proxy
    return "none" if proxy is None else str(proxy.status.value)


@variable("proxy_tlv_ssl_verified")
def proxy_tlv_ssl_verified(context: Context) -> str:
    """1 where the proxy verified a certificate of the client's, else 0."""
    proxy: Any = context.connection.proxy
    return "1" if proxy is not None and proxy.tlvs.is_verified else "0"


@variable("proxy_tlv", names=r"proxy_tlv_0[xX][0-9a-fA-F]{2}")
def proxy_tlv(context: Context, name: str) -> str:
    """A value of the header by its number: ``proxy_tlv_0xEA``."""
    proxy: Any = context.connection.proxy
    if proxy is None:
        return ""
    return value_text(proxy.tlvs.values, int(name.rpartition("_")[2], 16))
