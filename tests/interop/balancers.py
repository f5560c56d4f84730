"""Balancers before our own daemon, and the daemon behind them."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar
from unittest import SkipTest

from tests.interop.daemon import Daemon
from tests.interop.programs import Peer, free_port, peers_root, program

_MAIN = """\
hosts_proxy = ${{if eq{{$received_port}}{{{plain}}}{{}}{{<; 127.0.0.1 ; ::1}}}}
tls_on_connect_ports = {tls}
log_selector = +proxy
acl_smtp_mail = accept logwrite = from {client} by {external} $proxy_status
"""


def has_ipv6() -> bool:
    """Return whether there is a loopback interface with IPv6."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


class ProxiedDaemon(Daemon):
    """Our daemon, for which this host is a proxy.

    On ``port`` there are plain clients as ever; proxies come to ``clear_port``, and to
    ``tls_port`` where TLS begins at once, each on 127.0.0.1 and ::1.
    """

    def __init__(self) -> None:
        self.clear_port, self.tls_port, plain = free_port(), free_port(), free_port()
        self._plain = plain
        client = "[$sender_host_address]:$sender_host_port"
        external = "[$proxy_external_address]:$proxy_external_port"
        lines = _MAIN.format(
            plain=plain, tls=self.tls_port, client=client, external=external
        )
        super().__init__(main=lines)

    @property
    def daemon_command(self) -> list[str]:
        """The command that starts the daemon; its last word is where it listens."""
        self.port = self._plain
        places = [f"127.0.0.1.{self._plain}"]
        for address in ("127.0.0.1", "[::1]") if has_ipv6() else ("127.0.0.1",):
            separator = ":" if address.startswith("[") else "."
            for port in (self.clear_port, self.tls_port):
                places.append(f"{address}{separator}{port}")
        return [*super().daemon_command[:-1], f"<; {' ; '.join(places)}"]


@dataclass(frozen=True, slots=True)
class Front:
    """One port of a balancer, and how it speaks to the port of ours behind it."""

    name: str
    host: str
    port: int
    server_port: int
    options: str = ""
    tls: bool = False

    @property
    def listens(self) -> str:
        """Where it listens, as balancers write it."""
        return f"{_in_brackets(self.host)}:{self.port}"

    @property
    def server(self) -> str:
        """Where it connects to."""
        return f"{_in_brackets(self.host)}:{self.server_port}"


def _in_brackets(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def fronts(daemon: ProxiedDaemon, versions: dict[str, str]) -> list[Front]:
    """Return a port for each version by each family, to both ports of the daemon."""
    found = []
    for host in ("127.0.0.1", "::1") if has_ipv6() else ("127.0.0.1",):
        for version, options in versions.items():
            for tls in (False, True):
                port = daemon.tls_port if tls else daemon.clear_port
                name = f"{version}-{'6' if ':' in host else '4'}{'-tls' if tls else ''}"
                found.append(Front(name, host, free_port(), port, options, tls))
    return found


class Balancer(Peer):
    """A balancer with several ports; the first is of IPv4 and in clear."""

    fronts: list[Front]


class HAProxy(Balancer):
    """HAProxy that sends both versions of the header, and looks after our health."""

    def __init__(self, daemon: ProxiedDaemon, checks: str = "inter 100ms") -> None:
        super().__init__()
        haproxy = program("haproxy")
        check = f"check check-send-proxy {checks}"
        self.fronts = fronts(
            daemon,
            {
                "v1": f"send-proxy {check}",
                "v2": f"send-proxy-v2 proxy-v2-options unique-id,crc32c {check}",
            },
        )
        self.port = self.fronts[0].port
        text = _HAPROXY
        for front in self.fronts:
            text += (
                f"listen {front.name}\n    bind {front.listens}\n"
                f"    server mta {front.server} {front.options}\n"
            )
        self.start([haproxy, "-db", "-f", str(self.write("haproxy.cfg", text))])


_HAPROXY = """\
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    unique-id-format connection-%pid-%rt
"""


class Egress(Balancer):
    """HAProxy that takes headers, and hands on whom they name to our daemon."""

    def __init__(self, daemon: ProxiedDaemon) -> None:
        super().__init__()
        haproxy = program("haproxy")
        self.clear_port, self.tls_port = free_port(), free_port()
        # It could not be asked whether it is up without a header.
        self.port = free_port()
        text = _HAPROXY
        for name, port, accepts, server_port in (
            ("up", self.port, "", daemon.clear_port),
            ("clear", self.clear_port, " accept-proxy", daemon.clear_port),
            ("tls", self.tls_port, " accept-proxy", daemon.tls_port),
        ):
            text += (
                f"listen {name}\n    bind 127.0.0.1:{port}{accepts}\n"
                f"    server mta 127.0.0.1:{server_port} send-proxy-v2\n"
            )
        self.start([haproxy, "-db", "-f", str(self.write("haproxy.cfg", text))])


class Nginx(Balancer):
    """Nginx: its stream proxy, and with ``mail`` its mail proxy; version 1 only."""

    def __init__(self, daemon: ProxiedDaemon, *, mail: bool = False) -> None:
        super().__init__()
        nginx = program("nginx")
        module = _nginx_module("mail" if mail else "stream")
        self._answers: _Answers | None = None
        if mail:
            self._answers = _Answers(daemon.clear_port)
            asked = self._answers.port
            front = Front("mail", "127.0.0.1", free_port(), daemon.clear_port)
            self.fronts = [front]
            blocks = _MAIL_BLOCK.format(asked=asked, listens=front.listens)
        else:
            self.fronts = fronts(daemon, {"v1": ""})
            servers = "".join(
                f"server {{ listen {one.listens}; proxy_pass {one.server}; "
                "proxy_protocol on; }\n"
                for one in self.fronts
            )
            blocks = f"stream {{\n{servers}}}\n"
        self.port = self.fronts[0].port
        user = "user root;\n" if os.geteuid() == 0 else ""
        text = _NGINX.format(module=module, user=user, d=self.directory) + blocks
        path = self.write("nginx.conf", text)
        log = str(self.directory / "error.log")
        self.start([nginx, "-p", str(self.directory), "-c", str(path), "-e", log])

    def stop(self) -> None:
        """End it, and what it asks."""
        super().stop()
        if self._answers is not None:
            self._answers.stop()


_NGINX = """\
load_module {module};
{user}daemon off;
worker_processes 1;
pid {d}/pid;
error_log {d}/error.log;
events {{ worker_connections 64; }}
"""
_MAIL_BLOCK = """\
mail {{
    server_name nginx.test;
    auth_http 127.0.0.1:{asked}/;
    server {{
        listen {listens};
        protocol smtp;
        smtp_auth none;
        xclient off;
        proxy_protocol on;
    }}
}}
"""


def _nginx_module(name: str) -> Path:
    root = peers_root() or Path("/")
    for folder in (root, Path("/")):
        path = folder / f"usr/lib/nginx/modules/ngx_{name}_module.so"
        if path.exists():
            return path
    raise SkipTest(f"nginx has no {name} module here (see .ci/peers)")


class _Answers:
    """Tells nginx's mail proxy which server has the mailbox: ours, whatever it asks."""

    def __init__(self, port: int) -> None:
        class Request(BaseHTTPRequestHandler):
            headers_sent: ClassVar[dict[str, str]] = {
                "Auth-Status": "OK",
                "Auth-Server": "127.0.0.1",
                "Auth-Port": str(port),
            }

            def do_GET(self) -> None:
                self.send_response(200)
                for name, value in self.headers_sent.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Request)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()
