"""What the main log says of proxies."""

from __future__ import annotations

from mta.interfaces import ILogs
from mta.proxy.result import SPOOFED, ProxyResult, ProxyStatus
from mta.proxy.tlvs import UNIQUE_ID
from mta.smtp.server_replies import LOCAL_PROBLEM


class ProxyLog:
    """Writes why a connection was not taken for a proxy's.

    It ``speaks`` where the peer can be told, too.
    """

    def __init__(self, logs: ILogs, *, speaks: bool) -> None:
        self._logs = logs
        self._last_words = LOCAL_PROBLEM.reply.encode() if speaks else b""

    def report(self, result: ProxyResult) -> None:
        """A header was missing, bad, or not due."""
        peer = result.proxy
        if result.status is ProxyStatus.TIMEOUT:
            text = f"required PROXY header missing from {peer}: {result.reason}"
        elif result.status is ProxyStatus.INVALID:
            text = f"bad PROXY header from {peer}: {result.reason}"
        elif result.reason == SPOOFED:
            text = f"attempted spoof: PROXY {SPOOFED}: {peer}"
        else:
            text = f"Connection from [{peer.ip_address}] refused: {result.reason}"
        self._logs.main(text)

    def failed(self, error: BaseException) -> bytes:
        """Nobody could tell whether a header was due: return what the peer is told."""
        text = getattr(error, "log_text", "") or str(error)
        self._logs.panic(f"cannot decide whether a host is a proxy: {text}")
        return self._last_words


def proxy_fields(result: ProxyResult) -> list[str]:
    """Return what the ``<=`` line says of the proxy by which a client came.

    ``PRX=`` is its address as in Exim; ``PRXID=`` what the proxy calls the connection.
    """
    if result.client is None:
        return []
    parts = [f"PRX={result.proxy.ip_address}"]
    unique_id = result.tlvs.values.get(UNIQUE_ID)
    if unique_id:
        parts.append(f"PRXID={_visible(unique_id)}")
    return parts


def _visible(octets: bytes) -> str:
    """Return octets that may be anything as one word of a log line."""
    if all(0x20 < octet < 0x7F for octet in octets):
        return octets.decode("ascii")
    return f"0x{octets.hex()}"
