"""PROXY headers as HAProxy sends them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mta.proxy import tlvs
from mta.proxy.result import Endpoint, ProxyResult, ProxyStatus
from tests.interop.peers import answers, environment, free_port, program, wait_for
from tests.proxy.talking import AUTHORITY, TalkingServer, certificate_file

CLIENT = "127.0.0.2"
_CONFIGURATION = """\
global
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    unique-id-format connection-%pid-%rt
listen tested
    bind {bind}
    server mta {server} {options}
"""


class HAProxy:
    """A running HAProxy with one listener and one server."""

    def __init__(
        self, server: TalkingServer, options: str, *, tls: str = "", host: str = ""
    ) -> None:
        haproxy = program("haproxy")
        self.host = host or "127.0.0.1"
        self.port = free_port()
        self.directory = tempfile.mkdtemp(prefix="mta-haproxy-")
        bind = f"{self.host}:{self.port}"
        if tls:
            certificate = certificate_file(self.directory)
            authority = f"{self.directory}/authority.pem"
            AUTHORITY.cert_pem.write_to_path(authority)
            bind += f" ssl crt {certificate} ca-file {authority} verify optional {tls}"
        path = Path(self.directory, "haproxy.cfg")
        backend = f"{self.host}:{server.port}"
        path.write_text(
            _CONFIGURATION.format(bind=bind, server=backend, options=options)
        )
        self._output = Path(self.directory, "output")
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [haproxy, "-db", "-f", str(path)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment(),
                start_new_session=True,
            )

    def is_ready(self) -> bool:
        """Return whether it listens; fail where it has ended."""
        if self._process.poll() is not None:
            raise AssertionError(self._output.read_text())
        if ":" not in self.host:
            return answers(self.port, greeting=False)
        with (
            contextlib.suppress(OSError),
            socket.create_connection((self.host, self.port), 2),
        ):
            return True
        return False

    def stop(self) -> None:
        """End it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        shutil.rmtree(self.directory, ignore_errors=True)


class HAProxyTests(TestCase):
    """HAProxy before a server that tells whom it serves."""

    timeout = 60

    async def serve(
        self, options: str, *, tls: str = "", host: str = "127.0.0.1", layers: str = ""
    ) -> TalkingServer:
        """Start a server and HAProxy before it."""
        program("haproxy")
        server = TalkingServer(layers or "proxy", host=host)
        self.addCleanup(lambda: Deferred.fromCoroutine(server.stop()))
        self.haproxy = HAProxy(server, options, tls=tls, host=host)
        self.addCleanup(self.haproxy.stop)
        await deferToThread(wait_for, self.haproxy.is_ready, 20, "haproxy")
        return server

    async def talk(
        self, tls: Callable[[socket.socket], socket.socket] = lambda plain: plain
    ) -> tuple[list[bytes], Any]:
        """Return the greeting and an echo, and the client's own end."""

        def converse() -> tuple[list[bytes], Any]:
            host = self.haproxy.host
            source = (CLIENT, 0) if ":" not in host else ("::1", 0)
            plain = socket.create_connection((host, self.haproxy.port), 20, source)
            own = plain.getsockname()[:2]
            with tls(plain) as connection, connection.makefile("rwb") as stream:
                stream.write(b"one\n")
                stream.flush()
                return [stream.readline(), stream.readline()], own

        return await deferToThread(converse)

    async def result(self, server: TalkingServer, **options: Any) -> ProxyResult:
        """Talk to the server through HAProxy; return what the header said."""
        results: list[ProxyResult] = []
        build = server.talkers.buildProtocol

        def note(address: Any) -> Any:
            results.append(address.proxy)
            return build(address)

        server.talkers.buildProtocol = note  # type: ignore[method-assign]
        lines, own = await self.talk(**options)
        self.assertEqual(lines[1], b"one\n")
        self.assertTrue(
            lines[0].startswith(f"{own[0]} {own[1]} proxied".encode()), lines
        )
        # The look whether HAProxy is ready went through to the server, too.
        (result,) = [one for one in results if one.client == Endpoint(*own)]
        self.assertIs(result.status, ProxyStatus.PROXIED)
        self.assertEqual(
            result.external, Endpoint(self.haproxy.host, self.haproxy.port)
        )
        self.assertEqual(server.reports, [])
        return result

    async def test_version_1(self) -> None:
        """send-proxy: the client is the one that called HAProxy."""
        result = await self.result(await self.serve("send-proxy"))

        self.assertEqual(result.version, 1)
        self.assertEqual(result.proxy.ip_address, "127.0.0.1")

    async def test_version_2(self) -> None:
        """send-proxy-v2: the same."""
        result = await self.result(await self.serve("send-proxy-v2"))

        self.assertEqual((result.version, result.tlvs.values), (2, {}))

    async def test_ipv6(self) -> None:
        """Both versions over IPv6."""
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError:
            self.skipTest("there is no IPv6 loopback here")
        for options, version in (("send-proxy", 1), ("send-proxy-v2", 2)):
            result = await self.result(await self.serve(options, host="::1"))
            self.assertEqual(result.version, version)

    async def test_values(self) -> None:
        """A checksum and a unique id are understood."""
        options = "send-proxy-v2 proxy-v2-options crc32c,unique-id"
        result = await self.result(await self.serve(options))

        self.assertEqual(set(result.tlvs.values), {tlvs.CHECKSUM, tlvs.UNIQUE_ID})
        self.assertTrue(result.tlvs.values[tlvs.UNIQUE_ID].startswith(b"connection-"))

    async def test_tls_at_the_proxy(self) -> None:
        """send-proxy-v2-ssl-cn: what the client's certificate and session were."""
        options = "send-proxy-v2-ssl-cn proxy-v2-options crc32c,authority,ssl-cipher"
        server = await self.serve(options, tls="alpn smtp")
        certificate = certificate_file(self.haproxy.directory, "client.example")

        def with_certificate(plain: socket.socket) -> socket.socket:
            context = ssl.create_default_context()
            AUTHORITY.configure_trust(context)
            context.load_cert_chain(certificate)
            return context.wrap_socket(plain, server_hostname="mx.example")

        found = (await self.result(server, tls=with_certificate)).tlvs

        self.assertEqual(found.values[tlvs.AUTHORITY], b"mx.example")
        self.assertEqual(found.tls[tlvs.TLS_COMMON_NAME], b"client.example")
        self.assertTrue(found.tls[tlvs.TLS_VERSION].startswith(b"TLSv1."))
        self.assertIn(b"TLS_", found.tls[tlvs.TLS_CIPHER])
        self.assertTrue(found.is_verified)

    async def test_no_client_certificate(self) -> None:
        """TLS without a certificate of the client's is not verified."""

        def without(plain: socket.socket) -> socket.socket:
            context = ssl.create_default_context()
            AUTHORITY.configure_trust(context)
            return context.wrap_socket(plain, server_hostname="mx.example")

        server = await self.serve("send-proxy-v2-ssl-cn", tls="alpn smtp")
        found = (await self.result(server, tls=without)).tlvs

        self.assertEqual((found.used_tls, found.is_verified), (True, False))

    async def test_tls_behind_the_header(self) -> None:
        """The client's TLS goes through HAProxy and begins behind the header."""

        def begin(plain: socket.socket) -> socket.socket:
            context = ssl.create_default_context()
            AUTHORITY.configure_trust(context)
            return context.wrap_socket(plain, server_hostname="mx.example")

        for options in ("send-proxy", "send-proxy-v2"):
            server = await self.serve(options, layers="own")
            await self.result(server, tls=begin)

    async def test_health_checks(self) -> None:
        """Checks with and without a header are no failures."""
        for options, status in (
            ("send-proxy check check-send-proxy inter 100ms", "proxied v1"),
            ("send-proxy-v2 check check-send-proxy inter 100ms", "local v2"),
            ("send-proxy check inter 100ms", ""),
        ):
            server = await self.serve(options)
            connected: list[str] = []
            build = server.factory.buildProtocol
            build_inner = server.talkers.buildProtocol

            def note(address: Any, build: Any = build, to: Any = connected) -> Any:
                to.append("connected")
                return build(address)

            def tell(a: Any, build: Any = build_inner, to: Any = connected) -> Any:
                to.append(f"{a.proxy.status.value} v{a.proxy.version}")
                return build(a)

            server.factory.buildProtocol = note
            server.talkers.buildProtocol = tell  # type: ignore[method-assign]
            await deferToThread(
                wait_for, lambda found=connected: found.count("connected") > 5, 20, ""
            )
            self.assertEqual(server.reports, [], options)
            # HAProxy hands on the look whether it is ready.
            others = {one for one in connected if not one.startswith("proxied")}
            self.assertEqual(others - {"connected", status}, set())
            self.assertGreaterEqual(connected.count(status), 3 if status else 0)
