"""MTA-STS by a whole daemon: a policy host of twisted.web, and a host that may be bad."""

from __future__ import annotations

import trustme

from tests.interop.daemon import BY_DNS, Daemon
from tests.interop.daemon_case import DaemonTestCase, send
from tests.interop.programs import wait_for
from tests.interop.published import Published

DOMAIN = "theirs.test"
MX = f"mx.{DOMAIN}"
TRANSPORT = """\
  port = {port}
  connection_max_messages = 1
  mta_sts_port = {https}
  mta_sts_certificates = $spool_directory/../authority
  tls_verify_certificates = $spool_directory/../authority
"""


class PolicyTests(DaemonTestCase):
    """Our daemon of ``ours.test`` sends to that of ``theirs.test``, found by the DNS."""

    def setUp(self) -> None:
        self.authority = trustme.CA()
        issued = self.authority.issue_cert(f"mta-sts.{DOMAIN}")
        self.published = Published(issued)
        self.keep(self.published)
        self.published.have({f"{DOMAIN} MX": [f"10 {MX}."], f"{MX} A": ["127.0.0.1"]})
        self.taking = self.daemon(runs=False)
        self.taking.rewrite("ours.test", DOMAIN)
        self.certify(MX)
        self.taking.rewrite(
            "tls_advertise_hosts = *",
            f"tls_advertise_hosts = *\ntls_certificate = {self.taking.directory}/pem",
        )

    def certify(self, name: str) -> None:
        """Let the host's certificate be for a name."""
        made = self.authority.issue_cert(name).private_key_and_cert_chain_pem
        path = self.taking.directory / "new"
        made.write_to_path(str(path))
        path.rename(self.taking.directory / "pem")

    def start(self) -> Daemon:
        """Start both daemons; return the one that sends."""
        self.taking.run()
        sending = self.daemon(
            routers=BY_DNS,
            transport=TRANSPORT.format(
                port=self.taking.port, https=self.published.port
            ),
            dns_port=self.published.dns_port,
            runs=False,
        )
        self.authority.cert_pem.write_to_path(str(sending.directory / "authority"))
        sending.run()
        return sending

    def post(self, daemon: Daemon) -> None:
        """Give a daemon a message for the other's mailbox."""
        self.assertEqual(send(daemon.port, f"user@{DOMAIN}")[0], 250)

    def wait_for_deferral(self, daemon: Daemon, reason: str) -> None:
        """Wait until the log tells why the message waits."""
        try:
            wait_for(lambda: self.deferrals(daemon, reason), 20, reason)
        except AssertionError:
            print(daemon.log())
            raise

    def deferrals(self, daemon: Daemon, reason: str) -> list[str]:
        """Return the lines of the log that say that mail waits for a reason."""
        lines = daemon.log().splitlines()
        return [line for line in lines if " == " in line and reason in line]

    def test_enforced(self) -> None:
        """A host with another's certificate gets mail when it has its own, not before."""
        self.published.announce(DOMAIN, "1", "enforce", MX)
        self.certify("mx.other.test")
        sending = self.start()

        self.post(sending)
        self.wait_for_deferral(
            sending,
            "TLS session: certificate name mismatch (MTA-STS policy of theirs.test)",
        )
        self.assertNotIn(" <= ", self.taking.log())
        self.certify(MX)

        self.taking.wait_for_mail()
        sending.wait_for_log("Completed")
        self.assertRegex(
            sending.log(),
            r"=> user@theirs\.test R=by_dns T=smtp H=mx\.theirs\.test \[127\.0\.0\.1\]"
            r"\S* X=TLS1\.3:\S+ CV=yes",
        )

    def test_no_tls(self) -> None:
        """A host that offers no TLS gets nothing in clear, nor one that is not named."""
        self.published.announce(DOMAIN, "1", "enforce", MX)
        self.taking.rewrite("tls_advertise_hosts = *", "tls_advertise_hosts =")
        sending = self.start()

        self.post(sending)

        self.wait_for_deferral(sending, "the server did not offer TLS support (MTA-STS")
        self.published.announce(DOMAIN, "2", "enforce", "*.mail.theirs.test")
        sending.end()
        sending.run()
        self.wait_for_deferral(sending, "mx.theirs.test is not among the hosts of")
        self.assertNotIn(" <= ", self.taking.log())

        self.published.announce(DOMAIN, "3", "none", MX)
        sending.end()
        sending.run()
        self.taking.wait_for_mail()

    def test_testing(self) -> None:
        """A test lets mail pass, and what would have been is in the verdict."""
        self.published.announce(DOMAIN, "1", "testing", MX)
        self.certify("mx.other.test")
        sending = self.start()
        sending.rewrite(
            "smtp_accept_max = 200",
            "smtp_accept_max = 200\nlog_selector = +tls_verdict",
        )

        self.post(sending)

        self.taking.wait_for_mail()
        sending.wait_for_log("Completed")
        self.assertRegex(
            sending.log(),
            r' => .* TLSV="tls=yes .* sts=no \(certificate name mismatch\)"',
        )

    def test_kept(self) -> None:
        """A known policy is enforced after a restart, though nothing leads to it now."""
        self.published.announce(DOMAIN, "1", "enforce", MX)
        sending = self.start()
        self.post(sending)
        self.taking.wait_for_mail()
        sending.wait_for_log("Completed")
        sending.end()
        self.published.have({f"_mta-sts.{DOMAIN} TXT": [], f"mta-sts.{DOMAIN} A": []})
        self.certify("mx.other.test")
        self.taking.end()
        self.taking.run()
        sending.run()

        self.post(sending)

        self.wait_for_deferral(sending, "(MTA-STS policy of theirs.test)")
        self.assertEqual(len(self.taking.mailbox()), 1)

    def test_policy_host_down(self) -> None:
        """A policy that was never had holds nothing up; the log says what is wrong."""
        self.published.announce(DOMAIN, "1", "enforce", MX)
        self.published.have({f"mta-sts.{DOMAIN} A": ["127.0.0.2"]})
        self.certify("mx.other.test")
        sending = self.start()

        self.post(sending)

        self.taking.wait_for_mail()
        sending.wait_for_log(
            "MTA-STS policy of theirs.test cannot be had: mta-sts.theirs.test "
            "[127.0.0.2]: Connection was refused"
        )
