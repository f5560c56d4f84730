"""Variables that describe the address in hand: its parts, and what routers said."""

from __future__ import annotations

from mta.address import unquoted_local_part
from mta.expand.context import Context
from mta.expand.registry import variable
from mta.recipient import RoutedAddress
from mta.taint import carry


@variable("local_part")
def local_part(context: Context) -> str:
    """The local part, unquoted and without prefix and suffix."""
    if context.addresses and len(context.addresses) > 1:
        return ""
    address = context.address
    if address is None:
        return context.values.get("local_part", "")
    if address.pipe_command or address.file_name or address.reply_text:
        address = address.parent or address
    return address.local_part


@variable("domain")
def domain(context: Context) -> str:
    """The domain in lower case."""
    addresses = context.addresses
    if addresses and len(addresses) > 1:
        first = addresses[0].domain
        return first if all(other.domain == first for other in addresses) else ""
    address = context.address
    if address is None:
        return context.values.get("domain", "")
    return address.domain


@variable("local_part_data")
def local_part_data(context: Context) -> str:
    """What matched the local part in a list, not tainted; or the local user."""
    found = context.values.get("local_part_data")
    if found is None and context.address is not None:
        found = context.address.local_part_data
    return found or ""


@variable("domain_data")
def domain_data(context: Context) -> str:
    """What matched the domain in a list, not tainted."""
    found = context.values.get("domain_data")
    if found is None and context.address is not None:
        found = context.address.domain_data
    return found or ""


@variable("local_part_prefix")
def local_part_prefix(context: Context) -> str:
    """The prefix that a router took off the local part."""
    return context.address.prefix if context.address else ""


@variable("local_part_prefix_v")
def local_part_prefix_v(context: Context) -> str:
    """What an asterisk stood for in the prefix."""
    return context.address.prefix_variable if context.address else ""


@variable("local_part_suffix")
def local_part_suffix(context: Context) -> str:
    """The suffix that a router took off the local part."""
    return context.address.suffix if context.address else ""


@variable("local_part_suffix_v")
def local_part_suffix_v(context: Context) -> str:
    """What an asterisk stood for in the suffix."""
    return context.address.suffix_variable if context.address else ""


def _whole_local_part(address: RoutedAddress) -> str:
    parts = (address.prefix, address.local_part, address.suffix)
    if address.local_part:
        return carry("".join(parts), *parts)
    return unquoted_local_part(address.address.local_part)


def _lone_address(context: Context) -> RoutedAddress | None:
    return None if len(context.addresses) > 1 else context.address


@variable("original_local_part")
def original_local_part(context: Context) -> str:
    """The whole local part of the envelope recipient that this one comes from."""
    address = _lone_address(context)
    if address is None:
        return ""
    return _whole_local_part((address.ancestors or [address])[-1])


@variable("original_domain")
def original_domain(context: Context) -> str:
    """The domain of the envelope recipient that this one comes from."""
    address = _lone_address(context)
    if address is None:
        return ""
    first = (address.ancestors or [address])[-1]
    return first.domain or first.address.domain.lower()


@variable("parent_local_part")
def parent_local_part(context: Context) -> str:
    """The whole local part of the address whose redirection made this one."""
    address = _lone_address(context)
    if address is None or address.parent is None:
        return ""
    return _whole_local_part(address.parent)


@variable("parent_domain")
def parent_domain(context: Context) -> str:
    """The domain of the address whose redirection made this one."""
    address = _lone_address(context)
    if address is None or address.parent is None:
        return ""
    return address.parent.domain or address.parent.address.domain.lower()


@variable("address_data")
def address_data(context: Context) -> str:
    """What a router's ``address_data`` gave."""
    if context.address is not None and context.address.address_data:
        return context.address.address_data
    return context.values.get("address_data", "")


@variable("address_file")
def address_file(context: Context) -> str | None:
    """The file that a redirection named."""
    return context.address.file_name if context.address else None


@variable("address_pipe")
def address_pipe(context: Context) -> str | None:
    """The command that a redirection named."""
    return context.address.pipe_command if context.address else None


@variable("home")
def home(context: Context) -> str | None:
    """The home directory that a router set."""
    found = context.values.get("home")
    if found is None and context.address is not None:
        found = context.address.home
    return found


@variable("router_name")
def router_name(context: Context) -> str:
    """The router that has the address in hand, or gave it to the transport."""
    return context.address.router if context.address else ""


@variable("transport_name")
def transport_name(context: Context) -> str:
    """The transport that is running."""
    return context.transport_name


@variable("self_hostname")
def self_hostname(context: Context) -> str:
    """The host that a router took for this one before it passed the address on."""
    return context.address.self_hostname if context.address else ""


@variable("host")
def host(context: Context) -> str:
    """The remote host of a transport: its name."""
    if context.host is not None:
        return context.host.name
    hosts = context.address.hosts if context.address else []
    return hosts[0].name if hosts else ""


@variable("host_address")
def host_address(context: Context) -> str:
    """The remote host of a transport: its IP address."""
    return context.host.ip_address if context.host else ""


@variable("lookup_dnssec_authenticated")
def lookup_dnssec_authenticated(context: Context) -> str:
    """Whether DNSSEC vouches for what was last looked up; empty where unasked."""
    return context.lookup_dnssec


@variable("host_port")
def host_port(context: Context) -> str:
    """The remote host of a transport: its port."""
    port = context.host.port if context.host else None
    return "" if port is None else str(port)


@variable("r_...", names=r"r_\w+")
def router_variable(context: Context, name: str) -> str:
    """What a router's ``set`` gave a variable."""
    address = context.address
    return address.variables.get(name, "") if address else ""
