"""The ``sendmail``-compatible command: a message on standard input goes out."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from mta.acl.evaluate import ACLs
from mta.address import NULL_PATH, Address, AddressError, parse_address
from mta.assembly import Assembly
from mta.commands.arguments import Arguments, DeliveryMode
from mta.commands.caller import Caller, identify_caller
from mta.commands.origin import local_connection
from mta.commands.waiting import run_coroutine
from mta.delivery.queue_options import QueueOptions
from mta.expand.context import Context
from mta.message import Message
from mta.reception.acceptance import Acceptance, MessageOptions
from mta.reception.acl_options import ACLOptions
from mta.reception.fix_ups import Originator
from mta.reception.options import SMTPOptions
from mta.reception.policy import Policy
from mta.reception.submission import (
    BadAddressError,
    LocalSubmission,
    NoRecipientsError,
    Request,
    SubmissionOptions,
    TooLargeError,
)
from mta.taint import Tainted

if TYPE_CHECKING:
    from mta.reception.transaction import Decision
    from mta.spool.direct import DirectStore

EX_OK, EX_FAILURE, EX_NO_RECIPIENTS = 0, 1, 2


def submit(assembly: Assembly, arguments: Arguments) -> int:
    """Accept a message from standard input and see to its delivery."""
    caller = identify_caller(assembly)
    try:
        request = make_request(assembly, arguments, caller)
    except AddressError as error:
        print(f"mta: bad sender address: {error}", file=sys.stderr)
        return EX_FAILURE
    with local_submission(assembly) as desk:
        try:
            message, decision = run_coroutine(
                desk.submission.submit(request, partial(os.read, 0))
            )
        except NoRecipientsError:
            text = "A message that you sent contained no recipient addresses."
            return desk.complain(arguments, request, text, EX_NO_RECIPIENTS)
        except (BadAddressError, TooLargeError) as error:
            text = f"A message that you sent could not be accepted: {error}"
            return desk.complain(arguments, request, text)
        if not decision.accepted:
            return desk.complain(arguments, request, _refusal(decision))
        if decision.discard or message.frozen:
            return EX_OK
    return deliver(assembly, arguments, message)


def _refusal(decision: Decision) -> str:
    text = decision.reply.text if decision.reply else "Administrative prohibition"
    return f"A message that you sent was rejected: {text}"


def deliver(assembly: Assembly, arguments: Arguments, message: Message) -> int:
    """Have an accepted message delivered as the options say."""
    queue_only = assembly.configuration.main(QueueOptions).queue_only
    if arguments.delivery_mode is DeliveryMode.QUEUE or queue_only:
        return EX_OK
    # -P: code is not looked for where the caller happens to stand.
    command = [sys.executable, "-P", "-m", "mta"]
    command += ["-C", os.path.abspath(assembly.configuration.path)]
    command += [f"-D{name}={value}" for name, value in arguments.macros.items()]
    if arguments.verbose:
        command.append("-v")
    command += ["-Mc", message.message_id]
    foreground = arguments.delivery_mode is DeliveryMode.FOREGROUND
    # The process has nothing of ours but its standard error, and only while
    # somebody waits for it.
    process = subprocess.Popen(  # noqa: S603 - the words are our own
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=None if foreground else subprocess.DEVNULL,
        start_new_session=not foreground,
        cwd=None if foreground else "/",
        env=_environment(),
    )
    return process.wait() if foreground else EX_OK


def _environment() -> dict[str, str]:
    """Return the environment in which this program is found again."""
    import mta  # noqa: PLC0415 - only the place of the package is wanted

    place = os.path.dirname(os.path.dirname(os.path.abspath(mta.__file__)))
    paths = [place, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def make_request(assembly: Assembly, arguments: Arguments, caller: Caller) -> Request:
    """Return what a command line and its caller ask for.

    Raises AddressError for a sender that is no address.
    """
    sender, given = _sender(assembly, arguments, caller)
    full_name = arguments.full_name if caller.is_trusted or given else None
    if arguments.full_name is not None:
        full_name = arguments.full_name
    elif full_name is None and not given:
        full_name = caller.full_name
    originator = Originator(caller.login, full_name or "", caller.is_trusted, given)
    return Request(
        connection=local_connection(arguments, caller),
        originator=originator,
        sender=sender,
        recipients=arguments.operands,
        extract=arguments.extract_recipients,
        dot_ends=arguments.dot_ends,
        queue_only=arguments.delivery_mode is DeliveryMode.QUEUE,
        qualify=not arguments.no_qualify,
        fix_up=not (arguments.suppress_fix_ups and caller.is_trusted),
    )


def _sender(
    assembly: Assembly, arguments: Arguments, caller: Caller
) -> tuple[Address, bool]:
    """Return the sender, and whether the caller named it and may."""
    own = Address(caller.login, assembly.site.qualify_domain)
    if arguments.sender is None:
        return own, False
    text = arguments.sender.strip().removeprefix("<").removesuffix(">").strip()
    if not text:
        # Anybody may say that no report is wanted.
        return NULL_PATH, True
    address = parse_address(Tainted(text))
    if not address.domain:
        address = address._replace(domain=assembly.site.qualify_domain)
    if caller.is_trusted or may_set_sender(assembly, address):
        return address, True
    return own, False


def may_set_sender(assembly: Assembly, address: Address) -> bool:
    """Return whether a caller who is not trusted may send as an address."""
    allowed = assembly.options.untrusted_set_sender
    if allowed is None:
        return False
    context = Context(assembly.site)
    return run_coroutine(allowed.match(address.text, context)) is not None


class SubmissionDesk:
    """What takes messages in for a command, without a reactor."""

    def __init__(self, assembly: Assembly) -> None:
        # Start-up time: only submissions load the database.
        from mta.delivery.routing import RouterChain  # noqa: PLC0415 - the same
        from mta.delivery.verify import RoutingVerifier  # noqa: PLC0415 - the same
        from mta.spool.direct import DirectStore  # noqa: PLC0415

        configuration, site = assembly.configuration, assembly.site
        self._assembly = assembly
        self._hints = site.hints = assembly.hints()
        for router in configuration.routers.values():
            router.attach(transports=configuration.transports)
        directory = os.path.join(assembly.spool, "queue")
        self.store: DirectStore = DirectStore(directory, clock=time.time)
        self.policy = Policy(
            site=site,
            options=configuration.main(ACLOptions),
            acls=ACLs(configuration.acls, assembly.acl_language),
            verifier=RoutingVerifier(RouterChain(configuration.routers)),
            logs=assembly.logs,
        )
        self.acceptance = Acceptance(
            store=self.store,
            policy=self.policy,
            site=site,
            logs=assembly.logs,
            options=configuration.main(MessageOptions),
            accepted=lambda message: None,
            clock=time.time,
            queue_only=configuration.main(QueueOptions).queue_only,
        )
        limit = configuration.main(SMTPOptions).message_size_limit
        self.submission = LocalSubmission(
            acceptance=self.acceptance,
            policy=self.policy,
            site=site,
            options=configuration.main(SubmissionOptions),
            size_limit=run_coroutine(limit.value(Context(site))),
        )

    def __enter__(self) -> SubmissionDesk:
        return self

    def __exit__(self, *exception: object) -> None:
        self.store.close()
        self._hints.close()

    def complain(
        self,
        arguments: Arguments,
        request: Request,
        text: str,
        otherwise: int = EX_FAILURE,
    ) -> int:
        """Tell the caller what is wrong: on standard error, or by a message.

        Returns the exit status (``-oee`` is content with a report that was sent);
        ``otherwise`` is that of a report that was to be sent and could not be.
        """
        if arguments.error_mode == "p" or not request.sender:
            print(f"mta: {text}", file=sys.stderr)
            return EX_FAILURE
        report = Request(
            connection=local_connection(Arguments(), identify_caller(self._assembly)),
            originator=Originator("Mailer-Daemon", is_trusted=True, sender_given=True),
            sender=NULL_PATH,
            recipients=[request.sender.text],
            dot_ends=False,
        )
        octets = iter([_complaint(self._assembly, request, text), b""])
        message, decision = run_coroutine(
            self.submission.submit(report, lambda size: next(octets))
        )
        if not decision.accepted:
            print(f"mta: {text}", file=sys.stderr)
            return otherwise
        deliver(self._assembly, arguments, message)
        return EX_OK if arguments.error_mode == "e" else EX_FAILURE


def _complaint(assembly: Assembly, request: Request, text: str) -> bytes:
    domain = assembly.site.qualify_domain
    return (
        f"From: Mail Delivery System <Mailer-Daemon@{domain}>\n"
        f"To: {request.sender}\n"
        "Subject: Mail failure\n"
        "Auto-Submitted: auto-replied\n\n"
        f"{text}\n"
    ).encode("utf-8", "surrogateescape")


def local_submission(assembly: Assembly) -> SubmissionDesk:
    """Return what takes messages in; to be used in a ``with`` statement."""
    return SubmissionDesk(assembly)
