"""The redirect router (Exim chapter 22)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mta.address import Address, unquoted_local_part
from mta.errors import ExpansionError, ForcedFailure, TemporaryFailure
from mta.expand.context import Context
from mta.expand.option_types import Expanded
from mta.interfaces import ITemplate
from mta.options import Boolean, OctalInteger, Option, String, StringList
from mta.recipient import RoutedAddress
from mta.routers.base import Decision, Router, Verdict, router
from mta.routers.preconditions import local_user
from mta.routers.redirect_file import (
    FileRules,
    group_numbers,
    read_list,
    user_numbers,
)
from mta.routers.redirect_list import (
    ItemKind,
    RedirectItem,
    redirect_items,
    split_code,
)
from mta.taint import untainted

_INCLUDE_DEPTH = 20
BYPASSED = "**bypassed**"


class RedirectError(Exception):
    """The redirection data cannot be followed; the text says why."""


class _Concluded(Exception):
    def __init__(self, decision: Decision) -> None:
        super().__init__()
        self.decision = decision


@router("redirect")
class Redirect(Router):
    """Puts other addresses, files or commands in the place of an address."""

    allow_defer = Option(Boolean, "false", "Obey :defer: items.")
    allow_fail = Option(Boolean, "false", "Obey :fail: items.")
    check_ancestor = Option(
        Boolean, "false", "A child equal to an ancestor becomes the address itself."
    )
    check_group = Option(Boolean, None, "Check the group of the file.")
    check_owner = Option(Boolean, None, "Check the owner of the file.")
    data = Option(Expanded, None, "The redirection list.")
    directory_transport = Option(
        Expanded, None, "The transport for paths that end with a slash."
    )
    file = Option(Expanded, None, "A file with the redirection list.")
    file_transport = Option(Expanded, None, "The transport for paths of files.")
    forbid_blackhole = Option(Boolean, "false", "Refuse :blackhole: items.")
    forbid_file = Option(Boolean, "false", "Refuse paths as items.")
    forbid_include = Option(Boolean, "false", "Refuse :include: items.")
    forbid_pipe = Option(Boolean, "false", "Refuse commands as items.")
    forbid_smtp_code = Option(
        Boolean, "false", "Ignore SMTP codes in :defer: and :fail: items."
    )
    hide_child_in_errmsg = Option(
        Boolean, "false", "Reports name the original address, not the child."
    )
    ignore_eacces = Option(
        Boolean, "false", "A file that may not be opened is taken as absent."
    )
    ignore_enotdir = Option(
        Boolean, "false", "A path through what is no directory is taken as absent."
    )
    include_directory = Option(
        String, None, "The directory in which :include: files must be."
    )
    modemask = Option(OctalInteger, "022", "Mode bits that the file may not have.")
    owners = Option(StringList, None, "Users that may own the file.")
    owngroups = Option(StringList, None, "Groups that the file may have.")
    pipe_transport = Option(Expanded, None, "The transport for commands.")
    qualify_domain = Option(Expanded, None, "The domain of addresses without one.")
    qualify_preserve_domain = Option(
        Boolean, "false", "Addresses without a domain get that of their parent."
    )
    repeat_use = Option(
        Boolean, "true", "Used for addresses that descend from its own children."
    )
    skip_syntax_errors = Option(
        Boolean, "false", "Skip malformed addresses, and log them."
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if (self.data is None) == (self.file is None):
            raise self._error("one of file or data must be specified, but not both")
        if self.transport is not None:
            raise self._error("transport may not be set for a redirect router")
        if self.qualify_preserve_domain and self.qualify_domain is not None:
            raise self._error(
                "qualify_domain and qualify_preserve_domain exclude one another"
            )
        try:
            self._owners = user_numbers(self.owners or ())
            self._groups = group_numbers(self.owngroups or ())
        except ValueError as error:
            raise self._error(str(error)) from error

    def _error(self, text: str) -> Exception:
        return self.source.error(f"{self.name} router: {text}")

    async def route(self, address: RoutedAddress, context: Context) -> Decision:
        """Put what the redirection data names in the address's place."""
        text = await self._text(address, context)
        if not text:
            return Decision(Verdict.DECLINE)
        # What the options say is for the children: the address may yet go on.
        model = replace(
            address,
            headers_add=list(address.headers_add),
            headers_remove=list(address.headers_remove),
        )
        await self.set_errors_and_headers(model, context)
        await self.set_environment(model, context)
        redirection = Redirection(self, address, context, model)
        try:
            await redirection.add_list(text, 0)
        except _Concluded as end:
            return end.decision
        except RedirectError as error:
            reason = f"error in redirect data: {error}"
            return Decision(Verdict.DEFER, reason, error=-1)
        if not redirection.children:
            return Decision(Verdict.DECLINE)
        return Decision(Verdict.REDIRECT, children=redirection.children)

    async def finish(self, address: RoutedAddress, context: Context) -> None:
        """Do nothing: the children already have what the options say."""

    async def _text(self, address: RoutedAddress, context: Context) -> str | None:
        try:
            if self.data is not None:
                return (await self.data.expand(context)).strip()
            assert self.file is not None
            path = await self.file.expand(context)
        except ForcedFailure:
            return None
        return read_list(path, self._file_rules(address))

    def _file_rules(self, address: RoutedAddress) -> FileRules:
        account = local_user(address.local_part) if self.check_local_user else None
        owners: frozenset[int] | None = None
        groups: frozenset[int] | None = None
        by_default = self.check_local_user or self.owners is not None
        if by_default if self.check_owner is None else self.check_owner:
            owners = self._owners | ({account.pw_uid} if account else set())
        may_be_writable = self.check_local_user and not self.modemask & 0o020
        by_default = may_be_writable or self.owngroups is not None
        if by_default if self.check_group is None else self.check_group:
            groups = self._groups | ({account.pw_gid} if account else set())
        return FileRules(
            self.modemask, owners, groups, self.ignore_eacces, self.ignore_enotdir
        )


class Redirection:
    """One address whose redirection list is followed.

    ``model`` is the address with what its children are to have from it.
    """

    def __init__(
        self,
        router: Redirect,
        address: RoutedAddress,
        context: Context,
        model: RoutedAddress,
    ) -> None:
        self._router = router
        self._address = address
        self._model = model
        self._context = context
        self.children: list[RoutedAddress] = []

    async def add_list(self, text: str, depth: int) -> None:
        """Add the children that a list names, and the lists that it includes."""
        if depth > _INCLUDE_DEPTH:
            raise RedirectError(":include: files are nested too deeply")
        for item in redirect_items(text):
            if item.kind is ItemKind.ADDRESS:
                await self._add_address(item)
            elif item.kind is ItemKind.MALFORMED:
                self._malformed(item)
            elif item.kind is ItemKind.PIPE:
                await self._add_pipe(item.text)
            elif item.kind is ItemKind.FILE:
                await self._add_file(item.text)
            elif item.kind is ItemKind.INCLUDE:
                await self.add_list(self._included(item.text), depth + 1)
            else:
                raise _Concluded(self._conclusion(item))

    async def _add_address(self, item: RedirectItem) -> None:
        assert item.address is not None
        address = item.address
        if not address.domain:
            domain = await self._missing_domain(item)
            address = Address(address.local_part, domain)
        parent = self._address
        if self._router.check_ancestor and any(
            ancestor.address.key == address.key for ancestor in parent.ancestors
        ):
            address = parent.address
        self.children.append(self._child(address))

    async def _missing_domain(self, item: RedirectItem) -> str:
        router = self._router
        if item.keeps_domain or router.qualify_preserve_domain:
            return self._address.address.domain
        if router.qualify_domain is None:
            return self._context.site.qualify_recipient
        try:
            return await router.qualify_domain.expand(self._context)
        except TemporaryFailure:
            raise
        except ExpansionError:
            raise _Concluded(Decision(Verdict.DECLINE)) from None

    def _malformed(self, item: RedirectItem) -> None:
        text = f'malformed address in "{item.text}"'
        if not self._router.skip_syntax_errors:
            raise RedirectError(text)
        logs = self._context.site.logs
        if logs is not None:
            message = self._context.message
            message_id = message.message_id if message is not None else ""
            logs.main(f"{self._router.name} router: skipped error: {text}", message_id)

    async def _add_pipe(self, command: str) -> None:
        if self._router.forbid_pipe:
            raise RedirectError("delivery to a command is not permitted")
        child = self._local_child()
        child.pipe_command = command
        child.transport = await self._transport("pipe_transport")
        self.children.append(child)

    async def _add_file(self, path: str) -> None:
        if self._router.forbid_file:
            raise RedirectError("delivery to a file is not permitted")
        child = self._local_child()
        child.file_name = path
        if path == "/dev/null":
            child.transport = BYPASSED
        elif path.endswith("/"):
            child.transport = await self._transport("directory_transport")
        else:
            child.transport = await self._transport("file_transport")
        self.children.append(child)

    async def _transport(self, option: str) -> str:
        template: ITemplate | None = getattr(self._router, option)
        if template is None:
            raise RedirectError(f"{option} unset in {self._router.name} router")
        return untainted(await template.expand(self._context), "transport name")

    def _included(self, path: str) -> str:
        router = self._router
        if router.forbid_include:
            raise RedirectError(":include: is not permitted")
        directory = router.include_directory
        parts = path.split("/")
        if directory is not None and (
            ".." in parts or not path.startswith(directory.rstrip("/") + "/")
        ):
            raise RedirectError(f"included file {path} is not in {directory}")
        rules = FileRules(forbidden_mode=0)
        try:
            text = read_list(path, rules)
        except TemporaryFailure as error:
            raise RedirectError(error.log_text) from error
        if text is None:
            raise RedirectError(f"failed to open {path} (included from list)")
        return text

    def _conclusion(self, item: RedirectItem) -> Decision:
        router = self._router
        if item.kind is ItemKind.UNKNOWN:
            return Decision(Verdict.DECLINE)
        if item.kind is ItemKind.BLACKHOLE:
            if router.forbid_blackhole:
                raise RedirectError(":blackhole: is not permitted")
            return Decision(Verdict.DISCARD)
        if item.kind is ItemKind.FAIL:
            if not router.allow_fail:
                raise RedirectError(":fail: is not permitted")
            return self._with_reason(Verdict.FAIL, "5", item.text)
        if not router.allow_defer:
            raise RedirectError(":defer: is not permitted")
        return self._with_reason(Verdict.DEFER, "4", item.text)

    def _with_reason(self, verdict: Verdict, first_digit: str, reason: str) -> Decision:
        code, text = split_code(reason)
        if code and not self._router.forbid_smtp_code and code[0] != first_digit:
            logs = self._context.site.logs
            if logs is not None:
                name = self._router.name
                logs.panic(f"{name} router: wrong SMTP code {code} in redirection")
        if self._router.forbid_smtp_code or not code.startswith(first_digit):
            code = ""
        return Decision(verdict, text, user_text=bool(text), code=code)

    def _child(self, address: Address) -> RoutedAddress:
        parent, model, router = self._address, self._model, self._router
        skipped = parent.skip_routers
        if not router.repeat_use:
            skipped |= {router.name}
        return RoutedAddress(
            address,
            parent.recipient,
            parent,
            local_part=unquoted_local_part(address.local_part).lower(),
            domain=address.domain.lower(),
            address_data=parent.address_data,
            variables=dict(parent.variables),
            errors_to=model.errors_to,
            headers_add=list(model.headers_add),
            headers_remove=list(model.headers_remove),
            skip_routers=skipped,
            hide_in_reports=parent.hide_in_reports or router.hide_child_in_errmsg,
        )

    def _local_child(self) -> RoutedAddress:
        parent = self._address
        child = self._child(parent.address)
        child.local_part, child.domain = parent.local_part, parent.domain
        child.prefix, child.suffix = parent.prefix, parent.suffix
        child.local_part_data = parent.local_part_data
        child.domain_data = parent.domain_data
        child.router = self._router.name
        child.user, child.group = self._model.user, self._model.group
        child.home = self._model.home
        child.current_directory = self._model.current_directory
        return child
