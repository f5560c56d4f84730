"""Variables that describe this machine, this program, and the time."""

from __future__ import annotations

import os
import time

from mta.expand.context import Context
from mta.expand.registry import variable


@variable("primary_hostname")
def primary_hostname(context: Context) -> str:
    """The name of this host."""
    return context.site.primary_hostname


@variable("qualify_domain")
def qualify_domain(context: Context) -> str:
    """The domain that unqualified senders get."""
    return context.site.qualify_domain


@variable("qualify_recipient")
def qualify_recipient(context: Context) -> str:
    """The domain that unqualified recipients get."""
    return context.site.qualify_recipient


@variable("smtp_active_hostname")
def smtp_active_hostname(context: Context) -> str:
    """The name by which this host speaks SMTP."""
    return context.site.active_hostname or context.site.primary_hostname


@variable("spool_directory")
def spool_directory(context: Context) -> str:
    """Where messages are kept."""
    return context.site.spool_directory


@variable("spool_space")
def spool_space(context: Context) -> str:
    """The free kilobytes where messages are kept, -1 where that is not known."""
    status = _file_system(context.site.spool_directory)
    return str(status.f_bavail * status.f_frsize // 1024) if status else "-1"


@variable("spool_inodes")
def spool_inodes(context: Context) -> str:
    """The free inodes where messages are kept, -1 where that is not known."""
    status = _file_system(context.site.spool_directory)
    return str(status.f_favail) if status and status.f_files else "-1"


def _file_system(directory: str) -> os.statvfs_result | None:
    try:
        return os.statvfs(directory)
    except OSError:
        return None


@variable("load_average")
def load_average(context: Context) -> str:
    """The system's load of the last minute, times 1000."""
    try:
        return str(int(os.getloadavg()[0] * 1000))
    except OSError:
        return "0"


@variable("pid")
def pid(context: Context) -> str:
    """The number of this process."""
    return str(os.getpid())


@variable("exim_uid")
def exim_uid(context: Context) -> str:
    """The user id that this program runs under."""
    return context.site.variables.get("exim_uid") or str(os.geteuid())


@variable("exim_gid")
def exim_gid(context: Context) -> str:
    """The group id that this program runs under."""
    return context.site.variables.get("exim_gid") or str(os.getegid())


@variable("exim_path")
def exim_path(context: Context) -> str:
    """The file that holds this program."""
    return context.site.variables.get("exim_path", "")


@variable("config_file")
def config_file(context: Context) -> str:
    """The configuration file."""
    return context.site.variables.get("config_file", "")


@variable("config_dir")
def config_dir(context: Context) -> str:
    """The directory of the configuration file."""
    return context.site.variables.get("config_dir") or "."


@variable("exim_version")
def exim_version(context: Context) -> str:
    """The version of this program."""
    return context.site.version


@variable("version_number")
def version_number(context: Context) -> str:
    """The version of this program."""
    return context.site.version


@variable("queue_name")
def queue_name(context: Context) -> str:
    """The name of the queue, which is always the default one's: empty."""
    return ""


@variable("tod_bsdinbox")
def tod_bsdinbox(context: Context) -> str:
    """The time as mailbox files write it: ``Thu Oct 17 17:14:09 1995``."""
    # Not %a and %b: these names do not depend on the locale.
    now = time.localtime(context.site.clock())
    day, month = DAYS[now.tm_wday], MONTHS[now.tm_mon - 1]
    return f"{day} {month} {now.tm_mday:02d} {time.strftime('%H:%M:%S %Y', now)}"


@variable("tod_epoch")
def tod_epoch(context: Context) -> str:
    """The seconds since 1970."""
    return str(int(context.site.clock()))


@variable("tod_epoch_l")
def tod_epoch_l(context: Context) -> str:
    """The microseconds since 1970."""
    return str(int(context.site.clock() * 1_000_000))


DAYS = tuple("Mon Tue Wed Thu Fri Sat Sun".split())
MONTHS = tuple("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split())


@variable("tod_full")
def tod_full(context: Context) -> str:
    """The time as header fields write it: ``Fri, 16 Oct 1995 14:05:26 +0100``."""
    now = time.localtime(context.site.clock())
    day, month = DAYS[now.tm_wday], MONTHS[now.tm_mon - 1]
    rest = time.strftime("%Y %H:%M:%S %z", now)
    return f"{day}, {now.tm_mday:02d} {month} {rest}"


@variable("tod_log")
def tod_log(context: Context) -> str:
    """The time as the logs write it: ``1995-10-12 15:32:29``."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(context.site.clock()))


@variable("tod_logfile")
def tod_logfile(context: Context) -> str:
    """The date as names of log files have it: ``19951012``."""
    return time.strftime("%Y%m%d", time.localtime(context.site.clock()))


@variable("tod_zone")
def tod_zone(context: Context) -> str:
    """How far local time is from Greenwich: ``+0100``."""
    return time.strftime("%z", time.localtime(context.site.clock()))


@variable("tod_zulu")
def tod_zulu(context: Context) -> str:
    """The time in UTC: ``20030221154023Z``."""
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(context.site.clock()))
