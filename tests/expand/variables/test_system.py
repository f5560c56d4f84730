"""Tests of the variables that describe machine, program and time."""

from __future__ import annotations

import os
import time

from tests.expand.expansions import ExpansionTestCase

# 1995-10-06 13:05:26.25 UTC
MOMENT = 812984726.25


class SiteTests(ExpansionTestCase):
    """What a configuration says of the site."""

    def test_names(self) -> None:
        """The names of this host and its domains."""
        site = self.context.site
        site.primary_hostname, site.qualify_domain = "mx.x.test", "x.test"
        site.qualify_recipient, site.version = "y.test", "9.9"
        self.check(
            ("$primary_hostname|$smtp_active_hostname", "mx.x.test|mx.x.test"),
            ("$qualify_domain|$qualify_recipient", "x.test|y.test"),
            ("$exim_version|$version_number|[$queue_name]", "9.9|9.9|[]"),
        )
        site.active_hostname = "in.x.test"
        self.check(("$smtp_active_hostname", "in.x.test"))

    def test_paths(self) -> None:
        """The places of configuration and program."""
        self.context.site.variables.update(
            config_file="/etc/mta.conf", config_dir="/etc", exim_path="/bin/mta"
        )
        self.check(
            ("$config_file|$config_dir|$exim_path", "/etc/mta.conf|/etc|/bin/mta")
        )

    def test_process(self) -> None:
        """Numbers of the process and its user."""
        self.check(
            ("$pid|$exim_uid|$exim_gid", f"{os.getpid()}|{os.geteuid()}|{os.getegid()}")
        )
        self.assertTrue(self.expand("$load_average").isdecimal())

    def test_space(self) -> None:
        """Room for messages, or -1 where that is not known."""
        self.context.site.spool_directory = os.getcwd()
        free = os.statvfs(os.getcwd())
        kilobytes = free.f_bavail * free.f_frsize // 1024
        found = int(self.expand("$spool_space"))
        self.assertTrue(kilobytes // 2 <= found <= kilobytes * 2 + 1024)
        self.context.site.spool_directory = "/nonesuch"
        self.check(("$spool_space|$spool_inodes", "-1|-1"))


class TimeTests(ExpansionTestCase):
    """The time, in a zone that is not UTC."""

    def setUp(self) -> None:
        """Live an hour east of Greenwich."""
        super().setUp()
        before = os.environ.get("TZ")
        self.addCleanup(self.set_zone, before)
        self.set_zone("XXX-1")
        self.context.site.clock = lambda: MOMENT

    def set_zone(self, zone: str | None) -> None:
        """Set the time zone of this process."""
        os.environ.pop("TZ", None)
        if zone is not None:
            os.environ["TZ"] = zone
        time.tzset()

    def test_forms(self) -> None:
        """Every form of the same moment."""
        self.check(
            ("$tod_epoch|$tod_epoch_l", "812984726|812984726250000"),
            ("$tod_full", "Fri, 06 Oct 1995 14:05:26 +0100"),
            ("$tod_log|$tod_logfile", "1995-10-06 14:05:26|19951006"),
            ("$tod_bsdinbox", "Fri Oct 06 14:05:26 1995"),
            ("$tod_zone|$tod_zulu", "+0100|19951006130526Z"),
        )
