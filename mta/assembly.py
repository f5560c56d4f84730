"""One configuration, read, and the parts that every program needs from it.

The daemon and each command begin here.  Nothing in this module loads the reactor,
since a command that only looks must answer at once.
"""

from __future__ import annotations

import fnmatch
import os
import pwd
import re
import socket
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import mta
from mta.acl.syntax import ACLLanguage
from mta.config.configuration import Configuration
from mta.config.known import BuiltInMacros
from mta.config.sections import read_configuration
from mta.coroutines import StillWaits, at_once
from mta.errors import ConfigurationError
from mta.expand.command_runner import run_blocking
from mta.expand.context import Context, Site
from mta.expand.option_types import AddressList, Expanded, ExpandedList
from mta.expand.registry import Language
from mta.interfaces import IResolver
from mta.log import Logs, parse_selectors
from mta.lookups.base import Lookups
from mta.options import Boolean, Configurable, Option, String, StringList
from mta.resolution import DNSOptions, LateResolver
from mta.supported import DRIVERS, all_groups, supported

if TYPE_CHECKING:
    from mta.hints import Hints

DEFAULT_CONFIGURATION = "mta.conf"


class SiteOptions(Configurable):
    """Names, places, logs and users."""

    primary_hostname = Option(String, None, "The fully qualified name of this host.")
    qualify_domain = Option(
        String, None, "The domain for unqualified senders; the host's name by default."
    )
    qualify_recipient = Option(
        String,
        None,
        "The domain for unqualified recipients; qualify_domain by default.",
    )
    spool_directory = Option(
        Expanded, "/var/spool/mta", "Where messages, hints and logs are kept."
    )
    log_file_path = Option(
        Expanded,
        None,
        "An absolute path with %s for main, reject and panic; by default "
        "log/%slog in the spool directory.",
    )
    log_selector = Option(String, "", "What is logged, as +name and -name words.")
    log_timezone = Option(Boolean, "false", "Add the zone to the times in logs.")
    write_rejectlog = Option(Boolean, "true", "Write the reject log.")
    pid_file_path = Option(
        Expanded, None, "The daemon's pid file; by default in the spool directory."
    )
    trusted_users = Option(
        ExpandedList, None, "Users who may set the sender of what they submit."
    )
    trusted_groups = Option(ExpandedList, None, "Groups of such users.")
    untrusted_set_sender = Option(
        AddressList, None, "Senders that untrusted callers may set, too."
    )
    admin_groups = Option(ExpandedList, None, "Groups whose members see the queue.")
    extra_local_interfaces = Option(
        StringList, None, "Further addresses that are this host when routing."
    )
    never_users = Option(
        StringList, None, "Users that no local delivery runs as; root never is."
    )
    keep_environment = Option(
        StringList,
        None,
        "Environment variables that expansions and their commands see: names, or "
        "patterns with * or ^; none where it is unset.",
    )
    add_environment = Option(
        StringList, None, "Environment variables to set, as NAME=VALUE."
    )


@dataclass(slots=True)
class Assembly:
    """A configuration and what all programs need from it."""

    configuration: Configuration
    options: SiteOptions
    site: Site
    logs: Logs
    language: Language
    acl_language: ACLLanguage

    @property
    def spool(self) -> str:
        """The spool directory."""
        return self.site.spool_directory

    def hints(self) -> Hints:
        """Return the hints of the spool; their file is opened when it is needed."""
        from mta.hints import Hints  # noqa: PLC0415 - start-up time

        path = os.path.join(self.spool, "db", "hints.db")
        return Hints(path, report=self.logs.panic)

    def expand(self, option: object) -> str:
        """Return the text of a main option that needs nothing but the site."""
        return expand_now(option, self.site)


def expand_now(template: object, site: Site) -> str:
    """Expand a template that may not wait; raise ConfigurationError if it does."""
    try:
        return str(at_once(template.expand(Context(site))))  # type: ignore[attr-defined]
    except StillWaits as error:
        text = f"{template} cannot be expanded without waiting"
        raise ConfigurationError(text) from error


def default_configuration() -> str:
    """Return the path of the configuration that is shipped.

    In a checkout it is in ``conf/``, after an installation in ``share/mta/``.
    """
    checkout = Path(mta.__file__).resolve().parent.parent / "conf"
    if (checkout / DEFAULT_CONFIGURATION).is_file():
        return str(checkout / DEFAULT_CONFIGURATION)
    # To ask for the places of an installation takes longer than to look there.
    places = [
        Path(sysconfig.get_path("data")) / "share" / "mta",
        Path(sysconfig.get_path("data", sysconfig.get_preferred_scheme("user")))
        / "share"
        / "mta",
    ]
    for place in places:
        if (place / DEFAULT_CONFIGURATION).is_file():
            return str(place / DEFAULT_CONFIGURATION)
    raise ConfigurationError(
        "the default configuration is missing; name one with -C "
        f"(looked in {', '.join(map(str, [checkout, *places]))})"
    )


def state_directory() -> str:
    """Return where the default configuration keeps its state."""
    if os.geteuid() == 0 and "XDG_STATE_HOME" not in os.environ:
        return "/var/lib/mta"
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(base, "mta")


def built_in_macros() -> dict[str, str]:
    """Return the macros that the program itself defines for a configuration."""
    caller = login_name(os.geteuid())
    macros = {"_STATE_DIRECTORY": state_directory(), "_CALLER": caller}
    if os.geteuid() == 0:
        macros |= {
            "_RUNNING_AS_ROOT": "yes",
            "_MAIL_USER": "mail",
            "_MAIL_GROUP": "mail",
        }
    else:
        group = str(os.getegid())
        macros |= {"_MAIL_USER": str(os.geteuid()), "_MAIL_GROUP": group}
    return macros


def user_id(name: str) -> int:
    """Return the id of a user who is named or numbered; raise ConfigurationError."""
    if name.isdecimal():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise ConfigurationError(f'never_users: there is no user "{name}"') from None


def login_name(uid: int) -> str:
    """Return the login name of a user id, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def assemble(
    config_files: Sequence[str],
    macros: Mapping[str, str],
    *,
    reactor: Callable[[], object],
    echo: Callable[[bytes], object] | None = None,
    later: Callable[[Callable[[], None]], object] | None = None,
) -> Assembly:
    """Read the first configuration file that exists and build what all need.

    ``reactor`` is called when something has to wait for the network for the first
    time; ``echo`` and ``later`` are for the logs.  Raises ConfigurationError.
    """
    resolver = LateResolver(reactor)
    language = Language.load()
    language.lookups = Lookups.load(resolver=resolver)
    acl_language = ACLLanguage.load(language)
    groups: list[type[Configurable]] = [SiteOptions, DNSOptions, *all_groups()]
    configuration = read_configuration(
        list(config_files) or [default_configuration()],
        macros=macros,
        built_in_macros=BuiltInMacros(
            partial(supported, groups, language, acl_language), built_in_macros()
        ),
        language=language,
        acl_language=acl_language,
        main_groups=groups,
        drivers=DRIVERS,
    )
    options = configuration.main(SiteOptions)
    asking = configuration.main(DNSOptions)
    resolver.obey(asking)
    site = build_site(configuration, options, language, resolver)
    if asking.dns_trust_aa is not None:
        resolver.trust_zones(asking.dns_trust_aa, site)
    logs = build_logs(options, site, echo, later)
    site.logs = logs
    return Assembly(configuration, options, site, logs, language, acl_language)


def build_site(
    configuration: Configuration,
    options: SiteOptions,
    language: Language,
    resolver: IResolver,
) -> Site:
    """Return what all expansions of a configuration share."""
    host_name = options.primary_hostname or own_host_name()
    qualify_domain = options.qualify_domain or host_name
    site = Site(
        primary_hostname=host_name,
        qualify_domain=qualify_domain,
        qualify_recipient=options.qualify_recipient or qualify_domain,
        active_hostname=host_name,
        version=mta.__version__,
        local_addresses=local_addresses() | set(options.extra_local_interfaces or ()),
        named_lists=configuration.named_lists,
        lookups=language.lookups,
        resolver=resolver,
        language=language,
        never_users=frozenset({0, *map(user_id, options.never_users or ())}),
    )
    site.environment = kept_environment(options)
    site.run_command = partial(run_blocking, site.environment)
    if os.geteuid() == 0:
        site.delivery_user = mail_account()
    site.variables["config_file"] = configuration.path
    site.variables["config_dir"] = os.path.dirname(configuration.path)
    site.variables["exim_path"] = sys.argv[0] if sys.argv else "mta"
    site.spool_directory = expand_now(options.spool_directory, site)
    return site


def kept_environment(options: SiteOptions) -> dict[str, str]:
    """Return the environment variables that the options keep and add."""
    patterns = [
        re.compile(text if text.startswith("^") else fnmatch.translate(text))
        for text in options.keep_environment or ()
    ]
    kept = {
        name: value
        for name, value in os.environ.items()
        if any(pattern.match(name) for pattern in patterns)
    }
    for setting in options.add_environment or ():
        name, separator, value = setting.partition("=")
        if not name.strip() or not separator:
            raise ConfigurationError(
                f'add_environment: "{setting}" is not like NAME=VALUE'
            )
        kept[name.strip()] = value
    return kept


def mail_account() -> tuple[int, int] | None:
    """Return uid and gid of the mail user; None where there is none."""
    try:
        entry = pwd.getpwnam("mail")
    except KeyError:
        return None
    return entry.pw_uid, entry.pw_gid


def build_logs(
    options: SiteOptions,
    site: Site,
    echo: Callable[[bytes], object] | None,
    later: Callable[[Callable[[], None]], object] | None,
) -> Logs:
    """Return the logs that the options ask for; raise ConfigurationError."""
    pattern = os.path.join(site.spool_directory, "log", "%slog")
    if options.log_file_path is not None:
        pattern = expand_now(options.log_file_path, site)
    if not pattern.startswith("/") or pattern.count("%s") != 1:
        raise ConfigurationError(
            f'log_file_path: "{pattern}" is not an absolute path with one %s '
            "(syslog, %D and %M are not supported)"
        )
    try:
        selectors = parse_selectors(options.log_selector)
    except ValueError as error:
        setting = options.settings["log_selector"][-1]
        raise setting.source.error(str(error)) from error
    return Logs(
        lambda log: pattern.replace("%s", log),
        selectors=selectors,
        write_reject=options.write_rejectlog,
        timezone=options.log_timezone,
        echo=echo,
        later=later,
    )


def own_host_name() -> str:
    """Return this host's fully qualified name as the system knows it."""
    name = socket.gethostname()
    if "." in name:
        return name
    try:
        found = socket.getaddrinfo(name, None, flags=socket.AI_CANONNAME)
    except OSError:
        return name
    canonical = found[0][3]
    return canonical if "." in canonical else name


def local_addresses() -> frozenset[str]:
    """Return the IP addresses of this host's interfaces."""
    return frozenset({"127.0.0.1", "::1", *_ipv4_addresses(), *_ipv6_addresses()})


def _ipv4_addresses() -> list[str]:
    try:
        lines = Path("/proc/net/fib_trie").read_text("ascii").splitlines()
    except OSError:
        return []
    return [
        before.split()[-1]
        for before, line in pairwise(lines)
        if "/32 host LOCAL" in line
    ]


def _ipv6_addresses() -> list[str]:
    try:
        lines = Path("/proc/net/if_inet6").read_text("ascii").splitlines()
    except OSError:
        return []
    return [
        socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0]))
        for line in lines
    ]
