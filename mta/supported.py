"""What this program supports: main options, drivers, and the macros that tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType

from zope.interface.interface import InterfaceClass

from mta import routers, transports
from mta.acl.syntax import ACLLanguage
from mta.config.configuration import Drivers
from mta.config.known import (
    driver_macros,
    feature_macros,
    language_macros,
    main_macros,
)
from mta.delivery.bounce_options import BounceOptions
from mta.delivery.callout_options import CalloutOptions
from mta.delivery.queue_options import QueueOptions
from mta.delivery.retry import RetryOptions
from mta.delivery.tls_report_options import TLSReportOptions
from mta.expand.registry import Language
from mta.interfaces import IRouter, ITransport
from mta.log import ALL_SELECTORS
from mta.options import Configurable
from mta.plugins import find
from mta.reception.acceptance import MessageOptions
from mta.reception.acl_options import ACLOptions
from mta.reception.ocsp_options import OCSPOptions
from mta.reception.options import ListenerOptions, SMTPOptions
from mta.reception.proxy_options import ProxyOptions
from mta.reception.submission import SubmissionOptions
from mta.reception.tls_options import TLSOptions
from mta.routers.base import Router
from mta.transports.base import Transport

FEATURES = (
    "TLS",
    "OPENSSL",
    "IPV6",
    "I18N",
    "PROXY",
    "TLS_OCSP",
    "TLS_OCSP_LIST",
    "DANE",
)


def all_groups() -> list[type[Configurable]]:
    """Return every group of main options but the site's own."""
    return [
        ListenerOptions,
        ProxyOptions,
        SMTPOptions,
        TLSOptions,
        OCSPOptions,
        ACLOptions,
        MessageOptions,
        SubmissionOptions,
        QueueOptions,
        RetryOptions,
        BounceOptions,
        CalloutOptions,
        TLSReportOptions,
    ]


DRIVERS = {
    "router": Drivers.of(IRouter, routers),
    "transport": Drivers.of(ITransport, transports),
}


def supported(
    groups: Sequence[type[Configurable]],
    language: Language,
    acl_language: ACLLanguage,
) -> Iterator[str]:
    """Give the names of the macros that tell a configuration what there is."""
    yield from feature_macros(FEATURES)
    yield from language_macros("LOG", ALL_SELECTORS)
    for group in groups:
        yield from main_macros(group.option_names())
    kinds: tuple[tuple[str, InterfaceClass, ModuleType, type[Configurable]], ...] = (
        ("router", IRouter, routers, Router),
        ("transport", ITransport, transports, Transport),
    )
    for kind, interface, package, base in kinds:
        names = {
            name: list(driver.option_names())
            for name, driver in find(interface, package).items()
        }
        yield from driver_macros(kind, base.option_names(), names)
    for prefix, found in _language(language, acl_language).items():
        yield from language_macros(prefix, found)


def _language(
    language: Language, acl_language: ACLLanguage
) -> dict[str, Iterable[str]]:
    return {
        "EXP_OP": language.operators,
        "EXP_ITEM": language.items,
        "EXP_COND": language.conditions,
        "EXP_VAR": language.variables,
        "ACL_COND": acl_language.conditions,
        "ACL_MOD": acl_language.modifiers,
    }
