"""How hosts are spoken to, by the options."""

from __future__ import annotations

from typing import Any

from mta.host import Host
from mta.taint import Tainted
from mta.testing import result_of
from mta.tls.policy import ClientTLSPolicy, Start, Verify
from mta.transports.smtp_link import HostSettings
from mta.transports.smtp_settings import depends_on_nothing, settings_for
from tests.transports.relaying import HOST_A, HOST_B, RelayCase


class SettingsTests(RelayCase):
    def settings(self, host: Host = HOST_A, **options: str) -> HostSettings:
        """Return the settings for a host."""
        driver = self.transport(**options)
        return result_of(settings_for(driver, host, self.batch().context))

    def policy(self, **options: str) -> ClientTLSPolicy:
        """Return what TLS towards host A must be like."""
        return self.settings(**options).policy

    def test_ports(self) -> None:
        """The host's own port goes before the option, this before the protocol's."""
        with_port = Host("a.example", "192.0.2.1", 1025)
        for host, options, port in (
            (HOST_A, {}, 25),
            (HOST_A, {"protocol": "lmtp"}, 24),
            (HOST_A, {"protocol": "smtps"}, 465),
            (HOST_A, {"protocol": "submissions"}, 465),
            (HOST_A, {"protocol": "smtps", "port": "smtp"}, 25),
            (with_port, {"port": "smtp"}, 1025),
        ):
            found: Any = self.settings(host, **options)
            self.assertEqual((found.port, found.host.port), (port, port))

    def test_start(self) -> None:
        """When TLS begins."""
        self.assertIs(self.policy().start, Start.OFFERED)
        self.assertIs(self.policy(hosts_require_tls="*").start, Start.REQUIRED)
        self.assertIs(self.policy(hosts_avoid_tls="192.0.2.0/24").start, Start.NEVER)
        self.assertIs(self.policy(protocol="smtps").start, Start.ON_CONNECT)
        both = self.policy(hosts_require_tls="*", hosts_avoid_tls="*")
        self.assertIs(both.start, Start.REQUIRED)

    def test_verify(self) -> None:
        """What becomes of certificates that cannot be verified."""
        for options, verify in (
            ({}, Verify.TRY),
            ({"tls_verify_hosts": "*"}, Verify.REQUIRE),
            ({"tls_verify_hosts": "192.0.2.9"}, Verify.TRY),
            ({"tls_try_verify_hosts": "192.0.2.9"}, Verify.NEVER),
            ({"tls_try_verify_hosts": ""}, Verify.REQUIRE),
        ):
            self.assertIs(self.policy(**options).verify, verify, options)

    def test_names(self) -> None:
        """The certificate must be for the host's name, where that is checked."""
        self.assertEqual(self.policy().name, "a.example")
        self.assertEqual(self.policy(tls_verify_cert_hostnames="").name, "")
        self.assertEqual(self.policy(tls_sni="sni.example").server_name, "sni.example")
        self.assertEqual(self.policy().server_name, "")

    def test_only_clear_where_allowed(self) -> None:
        """Clear text after failed TLS is for hosts of which nothing is demanded."""
        self.assertTrue(self.settings().may_go_clear)
        for options in (
            {"tls_tempfail_tryclear": "false"},
            {"hosts_require_tls": "*"},
            {"tls_verify_hosts": "*"},
            {"protocol": "smtps"},
        ):
            self.assertFalse(self.settings(**options).may_go_clear, options)

    def test_connection_key(self) -> None:
        """Hosts and policies that differ share no connection."""
        keys = {
            self.settings().connection_key,
            self.settings(HOST_B).connection_key,
            self.settings(hosts_require_tls="*").connection_key,
            self.settings(port="26").connection_key,
            self.settings(helo_data="other.example").connection_key,
            self.settings().in_clear().connection_key,
        }

        self.assertEqual(len(keys), 6)
        self.assertEqual(len(keys | {self.settings().connection_key}), 6)

    def test_remembered(self) -> None:
        """Settings are computed once where nothing in them can change."""
        for options, is_constant in (
            ({}, True),
            ({"port": "26", "hosts_require_tls": "*"}, True),
            ({"hosts_require_tls": "192.0.2.1"}, False),
            ({"helo_data": "$who"}, False),
            ({"tls_sni": "$host"}, False),
        ):
            driver = self.transport(**options)
            self.assertIs(depends_on_nothing(driver), is_constant, options)

    def test_tainted_certificates(self) -> None:
        """What came from the network names no file of certificates."""
        self.transport(tls_verify_certificates="$file", tls_verify_hosts="*")
        batch = self.batch()
        batch.context.values["file"] = Tainted("/etc/ssl/x.pem")

        [outcome] = self.successResultOf(self.begin(batch))

        self.assertIn("tls_verify_certificates", outcome.text)
        self.assertEqual(self.network.attempts, [])
