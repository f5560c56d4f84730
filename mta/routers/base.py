"""Generic router options and preconditions; the verdicts (Exim chapter 15)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from random import Random
from typing import Any, ClassVar

from mta.address import AddressError, parse_address, unquoted_local_part
from mta.errors import ExpansionError, ForcedFailure, TemporaryFailure
from mta.expand.context import Context
from mta.expand.option_types import (
    AddressList,
    DomainList,
    Expanded,
    ExpandedList,
    HostList,
    ItemsExpanded,
    LocalPartList,
    expanded_boolean,
)
from mta.interfaces import IRouter
from mta.options import (
    Boolean,
    Configurable,
    Option,
    RepeatedOption,
    String,
    StringList,
)
from mta.plugins import extension
from mta.recipient import RoutedAddress
from mta.routers.preconditions import (
    FileChecks,
    Variables,
    is_true,
    local_user,
    prefix_length,
    required_files_exist,
    suffix_length,
)
from mta.routers.self_action import SelfAction
from mta.routers.verdicts import Decision, Purpose, Verdict, deferral
from mta.taint import untainted

__all__ = ["Decision", "Purpose", "Router", "Verdict", "deferral", "router"]

router = extension(IRouter)


_SKIP = Decision(Verdict.SKIP)


class Router(Configurable):
    """A router instance; drivers add their options and ``route``."""

    address_data = Option(
        Expanded, None, "Text that $address_data keeps for later routers and transport."
    )
    address_test = Option(Boolean, "true", "Used when -bt tests an address.")
    cannot_route_message = Option(
        Expanded, None, "What to say when no router takes an address."
    )
    caseful_local_part = Option(
        Boolean, "false", "Keep the case of local parts while this router works."
    )
    check_local_user = Option(
        Boolean, "false", "Only for local parts that are accounts of this system."
    )
    condition = RepeatedOption(
        Expanded, "Texts none of which may be empty, 0, no or false."
    )
    domains = Option(DomainList, None, "Only for these domains.")
    errors_to = Option(
        Expanded,
        None,
        "Where reports about failed deliveries go, and the reverse-path.",
    )
    expn = Option(Boolean, "true", "Used for the EXPN command.")
    fail_verify = Option(Boolean, None, "Sets fail_verify_recipient and _sender.")
    fail_verify_recipient = Option(
        Boolean, "false", "A recipient accepted here fails verification."
    )
    fail_verify_sender = Option(
        Boolean, "false", "A sender accepted here fails verification."
    )
    fallback_hosts = Option(
        ExpandedList,
        None,
        "Hosts to try after all others, in place of the transport's.",
    )
    group = Option(Expanded, None, "Group that a local delivery runs as.")
    headers_add = RepeatedOption(
        ItemsExpanded("\n"), "Header fields to add, one a line."
    )
    headers_remove = RepeatedOption(
        ItemsExpanded(), "Names of header fields to leave out; a final * is a wildcard."
    )
    ignore_target_hosts = Option(
        HostList, None, "IP addresses that are taken as not existing."
    )
    local_part_prefix = Option(
        StringList, None, "What the local part must begin with; it is taken off."
    )
    local_part_prefix_optional = Option(
        Boolean, "false", "A local part without the prefix will do."
    )
    local_part_suffix = Option(
        StringList, None, "What the local part must end with; it is taken off."
    )
    local_part_suffix_optional = Option(
        Boolean, "false", "A local part without the suffix will do."
    )
    local_parts = Option(LocalPartList, None, "Only for these local parts.")
    more = Option(
        expanded_boolean(True), "true", "Try later routers when this one declines."
    )
    pass_on_timeout = Option(
        Boolean, "false", "Pass an address on when the DNS cannot be asked."
    )
    pass_router = Option(String, None, "The router that a passed address goes to.")
    redirect_router = Option(
        String, None, "The router where new addresses of this one start."
    )
    require_files = Option(
        FileChecks, None, "Files that must exist, or with ! must not."
    )
    router_home_directory = Option(Expanded, None, "$home while this router works.")
    self = Option(SelfAction, "freeze", "What to do when the first host is this one.")
    senders = Option(AddressList, None, "Only for messages from these senders.")
    set = RepeatedOption(Variables, "Variables r_NAME = text for later use.")
    transport = Option(Expanded, None, "The transport of accepted addresses.")
    transport_current_directory = Option(
        Expanded, None, "Working directory of a local delivery."
    )
    transport_home_directory = Option(
        Expanded, None, "Home directory of a local delivery."
    )
    unseen = Option(
        expanded_boolean(False), "false", "Pass on a copy of an accepted address."
    )
    user = Option(Expanded, None, "User that a local delivery runs as.")
    verify = Option(Boolean, None, "Sets verify_recipient and verify_sender.")
    verify_only = Option(Boolean, "false", "Used for verification alone.")
    verify_recipient = Option(Boolean, "true", "Used to verify recipients.")
    verify_sender = Option(Boolean, "true", "Used to verify senders.")

    random: ClassVar[Random] = Random()  # noqa: S311 - spreads load, guards nothing

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for both, name in _BOTH:
            if self.__dict__[both] is not None and name not in self.settings:
                self.__dict__[name] = self.__dict__[both]
        self._transports: Mapping[str, Any] = {}

    def attach(self, *, transports: Mapping[str, Any]) -> None:
        """Take the transports by name; called once, before the first address."""
        self._transports = transports

    def is_local_transport(self, name: str) -> bool:
        """Return whether a transport is known to deliver on this machine."""
        transport = self._transports.get(name)
        return transport is not None and not transport.is_remote

    async def applies(
        self, address: RoutedAddress, context: Context, purpose: Purpose
    ) -> Decision | None:
        """Return None where the router is to be asked; else why it is not.

        The address then has what the preconditions gave it.
        """
        address.router = self.name
        address.domain_data = address.local_part_data = None
        address.home = None
        context.captures = ()
        if not self._take_affixes(address) or not self._is_for(purpose):
            return _SKIP
        try:
            if not await self._is_for_address(address, context):
                return _SKIP
            if not await self._is_for_message(context, purpose):
                return _SKIP
            return await self._set_data(address, context)
        except TemporaryFailure as error:
            return deferral(error)
        except ExpansionError as error:
            return Decision(Verdict.DEFER, str(error), error=-1)

    def _take_affixes(self, address: RoutedAddress) -> bool:
        local_part = address.address.local_part
        if local_part.startswith('"'):
            local_part = unquoted_local_part(local_part)
        if not self.caseful_local_part:
            local_part = local_part.lower()
        address.prefix = address.suffix = ""
        address.prefix_variable = address.suffix_variable = ""
        if self.local_part_prefix is not None:
            length, wild = prefix_length(local_part, self.local_part_prefix)
            if length >= 0:
                address.prefix = local_part[:length]
                address.prefix_variable = local_part[:wild]
                local_part = local_part[length:]
            elif not self.local_part_prefix_optional:
                return False
        if self.local_part_suffix is not None:
            length, wild = suffix_length(local_part, self.local_part_suffix)
            if length >= 0:
                start = len(local_part) - length
                address.suffix = local_part[start:]
                address.suffix_variable = local_part[len(local_part) - wild :]
                local_part = local_part[:start]
            elif not self.local_part_suffix_optional:
                return False
        address.local_part = local_part
        return True

    def _is_for(self, purpose: Purpose) -> bool:
        if purpose is Purpose.VERIFY_SENDER:
            return self.verify_sender
        if purpose is Purpose.VERIFY_RECIPIENT:
            return self.verify_recipient
        if self.verify_only:
            return False
        if purpose is Purpose.ADDRESS_TEST:
            return self.address_test
        return purpose is not Purpose.EXPN or self.expn

    async def _is_for_address(self, address: RoutedAddress, context: Context) -> bool:
        if self.domains is not None:
            with _naming("domains"):
                match = await self.domains.match(address.domain, context)
            if match is None:
                return False
            address.domain_data = match.value
            context.captures = match.captures
        if self.local_parts is not None:
            with _naming("local_parts"):
                match = await self.local_parts.match(
                    address.local_part, context, caseful=self.caseful_local_part
                )
            if match is None:
                return False
            address.local_part_data = match.value
            context.captures = match.captures
        if self.check_local_user:
            account = local_user(address.local_part)
            if account is None:
                return False
            address.home = account.pw_dir
            if address.local_part_data is None:
                address.local_part_data = account.pw_name
        if self.router_home_directory is not None:
            try:
                address.home = await self.router_home_directory.expand(context)
            except ForcedFailure:
                pass
        return True

    async def _is_for_message(self, context: Context, purpose: Purpose) -> bool:
        if self.senders is not None:
            message = context.message
            sender = ""
            if message is not None and purpose is not Purpose.VERIFY_SENDER:
                sender = message.sender.text
            with _naming("senders"):
                if await self.senders.match(sender, context) is None:
                    return False
        if self.require_files is not None:
            with _naming("require_files"):
                if not await required_files_exist(self.require_files, context):
                    return False
        for condition in self.condition:
            try:
                text = await condition.expand(context)
            except ForcedFailure:
                return False
            if not is_true(text):
                return False
        return True

    async def _set_data(
        self, address: RoutedAddress, context: Context
    ) -> Decision | None:
        for variables in self.set:
            for name, template in variables:
                try:
                    address.variables[name] = await template.expand(context)
                except ForcedFailure:
                    return Decision(Verdict.DECLINE)
        if self.address_data is not None:
            try:
                address.address_data = await self.address_data.expand(context)
            except ForcedFailure:
                return Decision(Verdict.DECLINE)
        return None

    async def route(self, address: RoutedAddress, context: Context) -> Decision:
        """Say where the address goes; the preconditions already hold."""
        raise NotImplementedError

    async def finish(self, address: RoutedAddress, context: Context) -> None:
        """Give an accepted address what the options say of its delivery.

        Raises ExpansionError or TemporaryFailure, which defer the address.
        """
        await self.set_errors_and_headers(address, context)
        if self.transport is not None and not address.transport:
            name = await self.transport.expand(context)
            address.transport = untainted(name, "transport name")
        await self.set_environment(address, context)
        if self.fallback_hosts is not None:
            address.fallback_hosts = await self.fallback_hosts.template.expand(context)

    async def set_errors_and_headers(
        self, address: RoutedAddress, context: Context
    ) -> None:
        """Give an address, or the one whose children come, its header changes."""
        if self.errors_to is not None:
            await self._set_errors_to(address, context)
        for items in self.headers_add:
            address.headers_add += [text for text in await items.items(context) if text]
        for items in self.headers_remove:
            address.headers_remove += await items.items(context)

    async def _set_errors_to(self, address: RoutedAddress, context: Context) -> None:
        assert self.errors_to is not None
        try:
            text = (await self.errors_to.expand(context)).strip()
        except ForcedFailure:
            return
        text = text.removeprefix("<").removesuffix(">")
        try:
            if text:
                parse_address(text)
        except AddressError as error:
            raise ExpansionError(f'errors_to: "{text}": {error}') from error
        address.errors_to = text

    async def set_environment(self, address: RoutedAddress, context: Context) -> None:
        """Give an address user, group and directories for a local delivery."""
        running_home = address.home
        account = local_user(address.local_part) if self.check_local_user else None
        if account is not None:
            address.user, address.group = account.pw_uid, account.pw_gid
        if self.user is not None:
            address.user = untainted(await self.user.expand(context), "user name")
            address.group = None
        if self.group is not None:
            address.group = untainted(await self.group.expand(context), "group name")
        if self.transport_current_directory is not None:
            address.current_directory = untainted(
                await self.transport_current_directory.expand(context), "directory"
            )
        if self.transport_home_directory is not None:
            text = await self.transport_home_directory.expand(context)
            address.home = untainted(text, "directory")
        elif account is not None:
            address.home = account.pw_dir
        else:
            address.home = running_home


_BOTH = (
    ("fail_verify", "fail_verify_recipient"),
    ("fail_verify", "fail_verify_sender"),
    ("verify", "verify_recipient"),
    ("verify", "verify_sender"),
)


@contextmanager
def _naming(option: str) -> Iterator[None]:
    """Put the option's name before the reason why an address must wait."""
    try:
        yield
    except TemporaryFailure as error:
        text = f"{option} check lookup or other defer: {error.log_text}"
        raise TemporaryFailure(error.text, log_text=text, **error.facts) from error
