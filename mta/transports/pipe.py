"""Deliver to a command's standard input (Exim chapter 29)."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from mta.errors import PermanentFailure, TemporaryFailure
from mta.expand.option_types import Expanded, ExpandedList, template_of
from mta.interfaces import ITemplate
from mta.options import (
    Boolean,
    Integer,
    Interval,
    OctalInteger,
    Option,
    Source,
    String,
    split_list,
)
from mta.recipient import Outcome, RoutedAddress
from mta.taint import untainted
from mta.transports.base import Batch, Transport, transport
from mta.transports.command_line import PIPE_ADDRESSES, split_command
from mta.transports.content import Content
from mta.transports.identity import identity_for
from mta.transports.local import deliver_locally, delivered, from_line
from mta.transports.pipe_process import Command, Ending, run_command

_NOT_RUN = 127


class _StatusListType:
    name = "exit status list"

    def parse(self, text: str, source: Source) -> frozenset[int]:
        """Return the numbers; ``*`` means all but zero."""
        if text.strip() == "*":
            return frozenset(range(1, 256))
        try:
            return frozenset(int(item) for item in split_list(text))
        except ValueError as error:
            raise source.error(
                f'"{text}" is neither * nor a list of numbers'
            ) from error


@transport("pipe")
class PipeTransport(Transport):
    """Deliver to a command's standard input."""

    command = Option(String, None, "Command to run; its words are expanded singly.")
    use_shell = Option(Boolean, "false", "Expand the command whole; give it to sh -c.")
    allow_commands = Option(ExpandedList, None, "Commands that may be run.")
    restrict_to_path = Option(Boolean, "false", "Run only commands found on the path.")
    path = Option(Expanded, "/bin:/usr/bin", "Where commands are looked for.")
    environment = Option(ExpandedList, None, "Further name=value pairs for a command.")
    umask = Option(OctalInteger, "022", "File mode creation mask of a command.")
    timeout = Option(Interval, "1h", "How long a command may run; 0s means for ever.")
    timeout_defer = Option(Boolean, "false", "Try again after a timeout.")
    max_output = Option(Integer, "20K", "How much a command may write.")
    temp_errors = Option(
        _StatusListType(), "75:73", "Exit statuses that mean try again; * means all."
    )
    ignore_status = Option(Boolean, "false", "Take every exit status for success.")
    return_output = Option(
        Boolean, "false", "Fail, and return all output to the sender."
    )
    return_fail_output = Option(
        Boolean, "false", "Return the output of a failed command to the sender."
    )
    log_output = Option(Boolean, "false", "Log the first line of any output.")
    log_fail_output = Option(Boolean, "false", "Log the first line if a command fails.")
    log_defer_output = Option(
        Boolean, "false", "Log the first line if it will be retried."
    )
    freeze_exec_fail = Option(
        Boolean, "false", "Freeze if a command cannot be started."
    )
    freeze_signal = Option(Boolean, "false", "Freeze if a signal ended the command.")
    message_prefix = Option(
        Expanded, None, "What precedes a message; a From line if unset."
    )
    message_suffix = Option(
        Expanded, None, "What follows a message; an empty line if unset."
    )
    check_string = Option(String, None, "Start of a line that is replaced.")
    escape_string = Option(String, None, "What replaces it.")
    use_crlf = Option(Boolean, "false", "End lines with CRLF.")

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._reactor: Any = None
        self._words: list[ITemplate | None] = []  # None stands for the addresses
        self._shell_text: ITemplate | None = None
        if self.return_output and self.return_fail_output:
            raise self._clash("return_output", "return_fail_output")
        if self.log_output and self.log_fail_output:
            raise self._clash("log_output", "log_fail_output")
        if self.use_shell and (self.allow_commands or self.restrict_to_path):
            raise self._clash("use_shell", "allow_commands or restrict_to_path")
        if self.command is not None:
            self._parse_command(self.command)

    def _clash(self, one: str, other: str) -> Exception:
        return self.source.error(f'"{one}" cannot be used with "{other}"')

    def _parse_command(self, text: str) -> None:
        given = self.settings.get("command")
        source = given[-1].source if given else self.source
        if self.use_shell:
            if PIPE_ADDRESSES in text:
                raise source.error(
                    f'"{PIPE_ADDRESSES}" cannot be used with "use_shell"'
                )
            self._shell_text = template_of(text, source)
            return
        try:
            words = split_command(text)
        except ValueError as error:
            raise source.error(str(error)) from error
        if not words:
            raise source.error("there is no command")
        for word in words:
            if word == PIPE_ADDRESSES:
                self._words.append(None)
            else:
                self._words.append(template_of(word, source))

    def attach(self, *, reactor: Any, thread_pool: Any) -> None:
        """Take the reactor that is told when a command has ended."""
        self._reactor = reactor

    async def deliver(self, batch: Batch) -> list[Outcome]:
        """Run the command, once for all addresses of the batch."""
        return await deliver_locally(batch, self._deliver)

    async def _deliver(self, batch: Batch) -> Outcome:
        await self.check_size(batch.message, batch.context)
        user, group = await self.run_as(batch)
        identity = identity_for(user, group, batch.context.site, self.name)
        home, current = await self.directories(batch)
        search_path = await self.path.expand(batch.context)
        command = Command(
            await self._arguments(batch, search_path),
            await self._environment(batch, home, search_path),
            untainted(current or home or "/", "current directory"),
            await self._content(batch),
            self.umask,
            self.timeout,
            self.max_output,
            identity,
        )
        ending = await self._in_thread(lambda: run_command(command))
        self._judge(batch, ending, " ".join(command.arguments))
        return delivered(batch)

    async def _in_thread(self, work: Callable[[], Ending]) -> Ending:
        # A thread for each command: it may run for an hour, and must not take a
        # place in a pool for that long.
        from twisted.internet.defer import Deferred  # noqa: PLC0415 (start-up time)

        waiting: Deferred[Ending] = Deferred()

        def run() -> None:
            try:
                ending = work()
            except Exception as error:
                self._reactor.callFromThread(waiting.errback, error)
            else:
                self._reactor.callFromThread(waiting.callback, ending)

        threading.Thread(target=run, name=f"{self.name} command", daemon=True).start()
        return await waiting

    async def _arguments(self, batch: Batch, search_path: str) -> list[str]:
        given = batch.addresses[0].pipe_command
        if given is not None:
            untainted(given, f"command (in {self.name} transport)")
            text = given.removeprefix("|").strip()
            if self.use_shell:
                return ["/bin/sh", "-c", text]
            try:
                words = split_command(text)
            except ValueError as error:
                raise _failure(str(error)) from error
        elif self._shell_text is not None:
            text = await self._shell_text.expand(batch.context)
            return ["/bin/sh", "-c", untainted(text, "command")]
        else:
            words = await self._expanded_words(batch)
        if not words:
            raise TemporaryFailure(
                "local delivery failed",
                log_text=f"no command for {self.name} transport",
            )
        await self._check_permitted(words[0], batch)
        return [self._found(words[0], search_path), *words[1:]]

    async def _expanded_words(self, batch: Batch) -> list[str]:
        words: list[str] = []
        for template in self._words:
            if template is None:
                words.extend(self.recipient_text(a) for a in batch.addresses)
            else:
                word = await template.expand(batch.context)
                words.append(untainted(word, f"command (in {self.name} transport)"))
        return words

    async def _check_permitted(self, name: str, batch: Batch) -> None:
        if self.allow_commands is not None:
            if name in await self.allow_commands.items(batch.context):
                return
            if not self.restrict_to_path:
                raise _failure(
                    f'"{name}" command not permitted by {self.name} transport'
                )
        if self.restrict_to_path and "/" in name:
            raise _failure(
                f'"/" found in "{name}" (command for {self.name} transport) - failed '
                "for security reasons"
            )

    def _found(self, name: str, search_path: str) -> str:
        if name.startswith("/"):
            return name
        for folder in search_path.split(":"):
            candidate = os.path.join(folder, name)
            if folder and os.path.isfile(candidate):
                return candidate
        raise _failure(f'"{name}" command not found for {self.name} transport')

    async def _environment(
        self, batch: Batch, home: str | None, search_path: str
    ) -> dict[str, str]:
        environment = _address_environment(batch.addresses[0])
        environment |= {
            "MESSAGE_ID": batch.message.message_id,
            "PATH": search_path,
            "QUALIFY_DOMAIN": batch.context.site.qualify_domain,
            "SENDER": batch.message.sender.text,
            "SHELL": "/bin/sh",
        }
        if home:
            environment["HOME"] = home
        if self.environment is not None:
            for item in await self.environment.items(batch.context):
                name, equals, value = item.partition("=")
                if not name or not equals:
                    raise TemporaryFailure(
                        "local delivery failed",
                        log_text=f'"{item}" is not name=value (environment option '
                        f"of {self.name} transport)",
                    )
                environment[name] = value
        return {name: value.replace("\0", "") for name, value in environment.items()}

    async def _content(self, batch: Batch) -> Content:
        prefix, suffix = from_line(batch), b"\n"
        if self.message_prefix is not None:
            prefix = _octets(await self.message_prefix.expand(batch.context))
        if self.message_suffix is not None:
            suffix = _octets(await self.message_suffix.expand(batch.context))
        check, escape = b"", b""
        if self.check_string is not None and self.escape_string is not None:
            check, escape = _octets(self.check_string), _octets(self.escape_string)
        prepared = await self.prepare(batch)
        return Content(prepared, self.use_crlf, check, escape, prefix, suffix)

    def _judge(self, batch: Batch, ending: Ending, command: str) -> None:
        """Log the output as asked, and raise the failure that the ending means."""
        failure = self._failure(ending, command)
        is_temporary = isinstance(failure, TemporaryFailure)
        output = ending.output
        if output and (
            self.log_output
            or (self.log_fail_output and failure is not None and not is_temporary)
            or (self.log_defer_output and is_temporary)
        ):
            self._log_output(batch, output)
        if self.return_output and output and not is_temporary:
            failure = failure or _failure(f"output was produced by command: {command}")
        returns = self.return_output or self.return_fail_output
        if failure is not None:
            if returns and output and not is_temporary and batch.message.sender:
                failure.facts["output"] = output
            raise failure

    def _failure(
        self, ending: Ending, command: str
    ) -> PermanentFailure | TemporaryFailure | None:
        if ending.not_run and (ending.wrong_directory or self.freeze_exec_fail):
            return TemporaryFailure(
                "local delivery failed",
                log_text=f"{self.name} transport cannot run {command}: {ending.not_run}",
                freeze=not ending.wrong_directory,
            )
        if ending.timed_out:
            text = f"command timed out in {self.name} transport: {command}"
            if self.timeout_defer:
                return TemporaryFailure("local delivery failed", log_text=text)
            return _failure(text)
        if ending.status < 0:
            return self._signal_failure(ending, command)
        if ending.status == 0 or self.ignore_status:
            return None
        text = f"{self.name} transport: command returned {ending.status}"
        if ending.not_run or ending.status == _NOT_RUN:
            text += f" ({ending.not_run or 'it may not exist'})"
        text += f": {command}"
        # What is to be returned to the sender is not tried again.
        if ending.status in self.temp_errors and not self.return_output:
            return TemporaryFailure("local delivery failed", log_text=text)
        return _failure(text)

    def _signal_failure(
        self, ending: Ending, command: str
    ) -> PermanentFailure | TemporaryFailure | None:
        number = -ending.status
        text = (
            f"{self.name} transport: command was ended by signal {number} "
            f"({signal.strsignal(number)}): {command}"
        )
        if ending.too_much_output:
            return _failure(f"too much output in {self.name} transport: {command}")
        if self.freeze_signal:
            return TemporaryFailure("local delivery failed", log_text=text, freeze=True)
        return None if self.ignore_status else _failure(text)

    def _log_output(self, batch: Batch, output: bytes) -> None:
        logs = batch.context.site.logs
        line = output.strip().partition(b"\n")[0].decode("utf-8", "replace")
        if logs is not None and line:
            address = self.recipient_text(batch.addresses[0])
            text = f"<{address}>: {self.name} transport output: {line}"
            logs.main(text, batch.message.message_id)


def _failure(text: str) -> PermanentFailure:
    return PermanentFailure("local delivery failed", log_text=text)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _address_environment(address: RoutedAddress) -> dict[str, str]:
    # A command out of an alias or forward file sees the address that had it.
    hosts = address.hosts
    if address.pipe_command is not None and address.parent is not None:
        address = address.parent
    whole = f"{address.prefix}{address.local_part}{address.suffix}@{address.domain}"
    environment = {
        "DOMAIN": address.domain,
        "LOCAL_PART": address.local_part,
        "LOCAL_PART_PREFIX": address.prefix,
        "LOCAL_PART_SUFFIX": address.suffix,
        "LOGNAME": address.local_part,
        "RECIPIENT": whole,
        "USER": address.local_part,
    }
    if hosts:
        environment["HOST"] = hosts[0].name
    return environment
