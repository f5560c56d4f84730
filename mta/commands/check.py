"""Check a configuration; try an expansion, an address, a retry rule."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import mta
from mta import lookups, routers, transports
from mta.address import Address, AddressError, parse_address
from mta.assembly import Assembly
from mta.commands.arguments import Arguments, Mode
from mta.commands.caller import identify_caller
from mta.commands.tls_check import check_tls
from mta.commands.waiting import run_coroutine
from mta.config.show import describe
from mta.errors import ConfigurationError, MTAError
from mta.expand.context import Context
from mta.host import Host
from mta.interfaces import ILookup, IRouter, ITransport
from mta.message import Recipient
from mta.options import Source
from mta.plugins import find
from mta.recipient import RoutedAddress


def show_version(assembly: Assembly, arguments: Arguments) -> int:
    """Print what this program is and supports; the configuration has been read."""
    kinds = (
        ("Lookups (built-in)", find(ILookup, lookups)),
        ("Routers", find(IRouter, routers)),
        ("Transports", find(ITransport, transports)),
    )
    print(f"mta version {mta.__version__}")
    print(
        "Support for: IPv6 TLS STARTTLS PIPELINING CHUNKING SMTPUTF8 DSN Maildir LMTP"
    )
    for title, names in kinds:
        print(f"{title}: {' '.join(names)}")
    print("Fixed never_users: 0")
    try:
        problems = check_tls(assembly)
    except ConfigurationError as error:
        print(f"mta: {error}", file=sys.stderr)
        return 1
    for warning in (*assembly.configuration.advice, *problems):
        print(f"Warning: {warning}")
    print(f"Configuration file is {assembly.configuration.path}")
    return 0


def show_options(assembly: Assembly, arguments: Arguments) -> int:
    """Print options as ``-bP`` does."""
    try:
        lines = describe(
            assembly.configuration,
            arguments.operands,
            is_admin=identify_caller(assembly).is_admin,
            values_only=arguments.values_only,
        )
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    for line in lines:
        print(line)
    return 0


def expand_strings(assembly: Assembly, arguments: Arguments) -> int:
    """Expand each argument, or each line of standard input."""
    if arguments.operands:
        for text in arguments.operands:
            print(_expanded(assembly, text))
        return 0
    for text in _logical_lines(_prompted_lines()):
        print(_expanded(assembly, text))
    return 0


def _prompted_lines() -> Iterator[str]:
    """Give the lines of standard input, asking for each."""
    while True:
        print("> ", end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            print()
            return
        yield line.rstrip("\n")


def _logical_lines(lines: Iterable[str]) -> Iterator[str]:
    """Join lines that end with a backslash to the next, as in a configuration."""
    text = ""
    for line in lines:
        text += line.lstrip() if text else line
        if text.endswith("\\"):
            text = text[:-1]
            continue
        yield text
        text = ""
    if text:
        yield text


def _expanded(assembly: Assembly, text: str) -> str:
    try:
        template = assembly.language.template(text, Source())
        return run_coroutine(template.expand(Context(assembly.site)))
    except (MTAError, ValueError) as error:
        return f"Failed: {error}"


def route_addresses(assembly: Assembly, arguments: Arguments) -> int:
    """Print how each address would be routed.

    Returns 2 where one fails, 1 where one cannot be routed at this time.
    """
    from mta.delivery.routing import RouterChain  # noqa: PLC0415 - start-up time

    chain = RouterChain(assembly.configuration.routers)
    status = 0
    for text in _addresses(arguments):
        status = max(status, run_coroutine(_route(assembly, chain, text)))
    return status


def _addresses(arguments: Arguments) -> Iterable[str]:
    if arguments.operands:
        yield from arguments.operands
        return
    for line in _prompted_lines():
        if line.strip():
            yield line.strip()


def _qualified(assembly: Assembly, text: str) -> Address:
    address = parse_address(text.removeprefix("<").removesuffix(">"))
    if not address.domain:
        address = address._replace(domain=assembly.site.qualify_recipient)
    return address


async def _route(assembly: Assembly, chain: object, text: str) -> int:
    from mta.delivery.routing import (  # noqa: PLC0415 - start-up time
        RouterChain,
        address_to_route,
    )
    from mta.routers.base import Purpose  # noqa: PLC0415 - start-up time

    assert isinstance(chain, RouterChain)
    try:
        address = _qualified(assembly, text)
    except AddressError as error:
        print(f"syntax error: {error}")
        return 2
    start = address_to_route(address, Recipient(address))
    routes = await chain.route(
        start, Context(assembly.site), purpose=Purpose.ADDRESS_TEST
    )
    for accepted in routes.accepted:
        _print_route(accepted)
    for discarded in routes.discarded:
        print(f"mail to {discarded.address} is discarded")
    for deferred, decision in routes.deferred:
        print(f"{deferred.address} cannot be resolved at this time: {decision.text}")
    for failed, decision in routes.failed:
        print(f"{failed.address} is undeliverable: {decision.text}")
        _print_parents(failed)
    if routes.failed:
        return 2
    return 1 if routes.deferred else 0


def _print_route(address: RoutedAddress) -> None:
    target = address.pipe_command or address.file_name or address.reply_text
    print(target or address.address)
    _print_parents(address)
    print(f"  router = {address.router}, transport = {address.transport}")
    for host in address.hosts:
        print(f"  {_host(host)}")


def _print_parents(address: RoutedAddress) -> None:
    for parent in address.ancestors:
        print(f"    <-- {parent.address}")


def _host(host: Host) -> str:
    text = f"host {host.name} [{host.ip_address}]"
    if host.preference >= 0:
        text += f" MX={host.preference}"
    if host.port is not None:
        text += f" port={host.port}"
    return text


def verify_addresses(assembly: Assembly, arguments: Arguments) -> int:
    """Print whether each address verifies as recipient, or as sender.

    Returns 2 where one fails, 1 where one cannot be verified at this time.
    """
    from mta.delivery.routing import RouterChain  # noqa: PLC0415 - start-up time
    from mta.delivery.verify import RoutingVerifier  # noqa: PLC0415 - start-up time

    verifier = RoutingVerifier(RouterChain(assembly.configuration.routers))
    verify = (
        verifier.verify_sender
        if arguments.mode is Mode.VERIFY_SENDER
        else verifier.verify_recipient
    )
    status = 0
    for text in _addresses(arguments):
        try:
            address = _qualified(assembly, text)
        except AddressError as error:
            print(f"syntax error: {error}")
            status = 2
            continue
        result = run_coroutine(verify(address, Context(assembly.site)))
        if result.outcome == "ok":
            print(f"{address} verified")
        elif result.outcome == "defer":
            print(f"{address} cannot be resolved at this time: {result.text}")
            status = max(status, 1)
        else:
            print(f"{address} failed to verify: {result.text}")
            status = 2
    return status


def show_retry_rule(assembly: Assembly, arguments: Arguments) -> int:
    """Print the retry rule for a domain or address, a second domain, an error."""
    from mta.delivery.retry_shown import show_rule  # noqa: PLC0415 - start-up time

    if not arguments.operands:
        print("mta: -brt must be followed by a domain", file=sys.stderr)
        return 1
    line = run_coroutine(
        show_rule(
            assembly.configuration.retry, arguments.operands, Context(assembly.site)
        )
    )
    print(line or "No retry information found")
    return 0


def rebuild_aliases(assembly: Assembly, arguments: Arguments) -> int:
    """Do nothing, as ``newaliases``: alias files are read as they are."""
    return 0
