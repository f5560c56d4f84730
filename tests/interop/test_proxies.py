"""Whole daemons behind HAProxy and nginx, and before HAProxy."""

from __future__ import annotations

import re
import smtplib
import ssl
import subprocess
import sys
import time

from tests.interop.balancers import (
    Egress,
    Front,
    HAProxy,
    Nginx,
    ProxiedDaemon,
    has_ipv6,
)
from tests.interop.daemon import Daemon
from tests.interop.daemon_case import DaemonTestCase, send, swaks
from tests.interop.programs import free_port, program

CLIENT = "127.0.0.2"
# What a log may have besides messages and their deliveries.
_USUAL = re.compile(
    r"\S+ \S+ (\S+-\S+-\S+ )?"
    r"(<= |=> |Completed|from \[|mta \S+ daemon started|configuration /|.*certificate)"
)


def unverified() -> ssl.SSLContext:
    """Return TLS with anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class ProxyCase(DaemonTestCase):
    """Has a daemon behind a balancer."""

    def behind(self) -> ProxiedDaemon:
        """Start a daemon for which this host is a proxy."""
        daemon = ProxiedDaemon()
        self.addCleanup(daemon.stop)
        self.addCleanup(self.check_panics, daemon)
        return daemon

    def deliver(self, front: Front, *, starttls: bool = False) -> tuple[str, int, str]:
        """Send a message; return the client's own end, and what EHLO said of it."""
        source = (CLIENT if front.host == "127.0.0.1" else "::1", 0)
        place = (front.host, front.port, "client.test", 30)
        client = (
            smtplib.SMTP_SSL(*place[:3], timeout=30, context=unverified(),
                             source_address=source)
            if front.tls
            else smtplib.SMTP(*place, source_address=source)
        )  # fmt: skip
        with client:
            assert client.sock is not None
            own = client.sock.getsockname()
            hello = client.ehlo()[1].decode()
            if starttls:
                client.starttls(context=unverified())
                client.ehlo()
            client.sendmail("sender@ours.test", "user@ours.test", b"Subject: x\r\n\r\n")
        return own[0], own[1], hello.partition("\n")[0]

    def assert_arrival(
        self, daemon: ProxiedDaemon, front: Front, *, starttls: bool = False
    ) -> str:
        """Send a message; check that all names the client; return its log line."""
        count = len(daemon.mailbox())
        address, port, hello = self.deliver(front, starttls=starttls)

        messages = daemon.wait_for_mail(count + 1)
        self.assertTrue(hello.endswith(f"[{address}]"), hello)
        self.assertIn(
            f" from [{address}]:{port} by [{front.host}]:{front.port} proxied\n",
            daemon.log(),
        )
        line = [one for one in daemon.log().splitlines() if " <= " in one][-1]
        self.assertIn(f" H=(client.test) [{address}] P=", line)
        self.assertIn(f" PRX={front.host} ", line)
        is_secure = front.tls or starttls
        self.assertIn(" P=esmtps " if is_secure else " P=esmtp ", line)
        self.assertEqual(is_secure, " X=TLS1." in line, line)
        received = f"Received: from [{address}] (helo=client.test)"
        self.assertIn(received.encode(), messages[-1])
        return line

    def assert_all(self, daemon: ProxiedDaemon, fronts: list[Front]) -> list[str]:
        """Send a message to each port, in clear, after STARTTLS and inside TLS."""
        lines = []
        for front in fronts:
            lines.append(self.assert_arrival(daemon, front))
            if not front.tls:
                self.assert_arrival(daemon, front, starttls=True)
        return lines

    def unusual(self, daemon: Daemon) -> list[str]:
        """Return the log lines that are about something else than messages."""
        lines = daemon.log().splitlines()
        return [line for line in lines if not _USUAL.match(line)]


class HAProxyTests(ProxyCase):
    """HAProxy before the daemon."""

    def test_everything(self) -> None:
        """Both versions, both families, in clear, STARTTLS and TLS from the start;
        the health checks meanwhile and afterwards leave no line in the log."""
        daemon = self.behind()
        balancer = HAProxy(daemon)
        self.keep(balancer)

        lines = self.assert_all(daemon, balancer.fronts)

        names = [front.name for front in balancer.fronts]
        self.assertEqual(len(names), 8 if has_ipv6() else 4)
        for name, line in zip(names, lines, strict=True):
            self.assertEqual(name.startswith("v2"), "PRXID=connection-" in line, name)
        time.sleep(1)
        self.assertEqual(self.unusual(daemon), [])

    def test_swaks(self) -> None:
        """A new user's first try."""
        program("swaks")
        daemon = self.behind()
        balancer = HAProxy(daemon)
        self.keep(balancer)

        run = swaks(balancer.port, "--local-interface", CLIENT)

        self.assertEqual(run.returncode, 0, run.stdout)
        (message,) = daemon.wait_for_mail()
        self.assertIn(f"[{CLIENT}]".encode(), message.partition(b"\r\n\r\n")[0])
        self.assertIn(f" H=(client.test) [{CLIENT}] P=", daemon.log())

    def test_long_checks(self) -> None:
        """Balancers that leave at once, and never say anything else."""
        daemon = self.behind()
        balancer = HAProxy(daemon, "inter 20ms")
        self.keep(balancer)

        time.sleep(2)

        self.assertEqual(self.unusual(daemon), [])
        self.assert_arrival(daemon, balancer.fronts[0])


class NginxTests(ProxyCase):
    """Nginx before the daemon."""

    def test_stream(self) -> None:
        """Its stream proxy sends version 1 on all ways."""
        daemon = self.behind()
        balancer = Nginx(daemon)
        self.keep(balancer)

        self.assert_all(daemon, balancer.fronts)

        self.assertEqual(self.unusual(daemon), [])

    def test_mail(self) -> None:
        """Its mail proxy speaks SMTP itself, and names the client by the header."""
        daemon = self.behind()
        balancer = Nginx(daemon, mail=True)
        self.keep(balancer)

        address, port, _ = self.deliver(balancer.fronts[0])

        daemon.wait_for_mail()
        self.assertIn(f" from [{address}]:{port} by ", daemon.log())
        self.assertIn(" PRX=127.0.0.1 ", daemon.log())
        self.assertEqual(self.unusual(daemon), [])


class EgressTests(ProxyCase):
    """The smtp transport before HAProxy."""

    def test_both_versions(self) -> None:
        """HAProxy takes the headers, hands the sources on, and the next host sees
        them, in clear and where TLS comes first."""
        last = self.behind()
        last.rewrite("local_domains = ours.test", "local_domains = elsewhere.test")
        balancer = Egress(last)
        self.keep(balancer)
        for count, (version, source, tls, expected) in enumerate(
            (
                ("v1", "", False, "[127.0.0.1]:"),
                ("v2", "198.51.100.7", False, "[198.51.100.7]:"),
                ("v2", "[198.51.100.8]:4660", True, "[198.51.100.8]:4660 "),
                ("v1", "[$sender_host_address]:4661", True, "[127.0.0.1]:4661 "),
                ("v2", "2001:db8::7", True, "[2001:db8::7]:"),
            )
        ):
            port = balancer.tls_port if tls else balancer.clear_port
            options = f"  proxy_protocol = {version}\n"
            options += f"  proxy_source = {source}\n" if source else ""
            options += "  protocol = smtps\n" if tls else ""
            first = self.daemon(port, transport=options)

            send(first.port, "user@elsewhere.test")

            first.wait_for_log("Completed")
            self.assertIn(" => user@elsewhere.test ", first.log())
            last.wait_for_mail(count + 1)
            line = re.findall(r" from (\[.*) by .* proxied\n", last.log())[-1] + " "
            self.assertTrue(line.startswith(expected), line)
            first.stop()

    def test_proxy_check(self) -> None:
        """``mta proxy-check`` finds both versions understood, and asked for."""
        daemon = self.behind()
        for port, words, status in (
            (daemon.clear_port, (), 0),
            (daemon.tls_port, ("tls",), 0),
            (daemon.port, (), 1),
            (free_port(), (), 1),
        ):
            run = subprocess.run(
                [sys.executable, "-m", "mta", "proxy-check", f"127.0.0.1:{port}", *words],
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            self.assertEqual(run.returncode, status, run.stdout + run.stderr)
