"""Who the client is, as log lines about it begin (Exim chapter 52)."""

from __future__ import annotations

from mta.connection import Connection
from mta.expand.variables.connection import sender_fullhost
from mta.interfaces import ILogs

_SPACE = "\\040"


def host_and_ident(connection: Connection, logs: ILogs) -> str:
    """Return ``H=name [ip]:port I=[ip]:port U=ident``, as far as it is known."""
    if not connection.peer_address:
        user = connection.ident or connection.caller_login
        return f"U={user}" if user else "H=localhost"
    with_port = logs.selects("incoming_port")
    text = f"H={sender_fullhost(connection, with_port=with_port)}"
    if connection.local_address and logs.selects("incoming_interface"):
        text += f" I=[{connection.local_address}]:{connection.local_port}"
    if connection.ident:
        text += f" U={connection.ident}"
    return text


def tls_fields(connection: Connection, logs: ILogs) -> str:
    """Return `` X=... CV=... DN="..."`` by the log selectors; empty in clear."""
    tls = connection.tls
    if tls is None:
        return ""
    text = ""
    if logs.selects("tls_cipher") and tls.cipher:
        text += f" X={tls.log_cipher}"
    if logs.selects("tls_certificate_verified") and tls.cipher:
        text += f" CV={'yes' if tls.verified else 'no'}"
    if logs.selects("tls_peerdn") and tls.peer_dn:
        escaped = tls.peer_dn.replace("\\", "\\\\").replace('"', '\\"')
        text += f' DN="{escaped}"'
    if logs.selects("tls_sni") and tls.sni:
        # The client chose it, and must not write fields of its own.
        text += f" SNI={tls.sni.replace(' ', _SPACE)}"
    return text
