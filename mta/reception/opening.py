"""How a session opens: the greeting, HELO and EHLO, STARTTLS."""

from __future__ import annotations

import os

from mta.errors import ExpansionError, TemporaryFailure
from mta.expand.context import Context
from mta.host import Outcome
from mta.lists.host_names import look_up_host_name
from mta.reception.authentication import offered
from mta.reception.client_name import verify_helo
from mta.reception.conversation import Conversation
from mta.reception.extensions import Numbers, definitely_matches, matches
from mta.reception.options import DEFAULT_BANNER
from mta.reception.standing import Standing
from mta.reception.transaction import Decision
from mta.smtp import server_replies as replies
from mta.smtp.command import NO_EXTENSIONS, Extensions
from mta.smtp.reply import Reply, reply
from mta.smtp.server_states import HelloReceived, State, TLSRequested

BAD_HELO = "EHLO argument does not match calling host"
NOT_AVAILABLE = Reply(554, ("SMTP service not available",))
TOO_MANY_FROM_HOST = Reply(
    421,
    (
        "Too many concurrent SMTP connections from this IP address; "
        "please try again later.",
    ),
)
HOST_LOOKUP_LIMIT = 30.0


async def open_session(conversation: Conversation, *, on_connect: bool) -> None:
    """Decide whether the client is served, and greet it or begin TLS.

    A session that is refused is closed; on a port where TLS begins at once, without
    a word in clear.
    """
    refusal = await _refused_host(conversation)
    if refusal is None:
        decision = await conversation.shared.policy.connected(conversation.transaction)
        conversation.heed_controls()
        if decision.accepted:
            if on_connect:
                await _begin_tls(conversation)
            else:
                await greet(conversation, decision.reply)
            return
        conversation.close_cause = "closed by DROP in ACL"
        refusal = decision.reply or replies.PROHIBITED.reply
    conversation.session.close(None if on_connect else refusal)


async def greet(conversation: Conversation, text: Reply | None = None) -> None:
    """Send the greeting, unless the client did not wait for it."""
    session = conversation.session
    if session.input.has_more and session.enforces_synchronization:
        pending = session.input.head
        session.close(replies.NOT_SYNCHRONIZED.reply)
        conversation.shared.log.talked_early(conversation.connection, pending)
        conversation.close_cause = "closed after SMTP error"
        await conversation.shared.policy.not_quit(
            conversation.transaction, "synchronization-error"
        )
        return
    session.greet(text or await _banner(conversation))


async def _banner(conversation: Conversation) -> Reply:
    shared = conversation.shared
    banner = shared.options.smtp_banner
    if banner.text == DEFAULT_BANNER:
        return Reply(220, (f"{shared.greeting} {shared.date_text(shared.clock())}",))
    return reply(220, await banner.expand(conversation.transaction.context()))


async def _refused_host(conversation: Conversation) -> Reply | None:
    """Return why a host is not served whatever the ACL says."""
    shared = conversation.shared
    options, context = shared.options, conversation.transaction.context()
    try:
        if shared.standing is not None:
            await _admit(conversation, shared.standing, context)
            return None
        if await matches(options.host_lookup, context):
            await _look_up(conversation)
        if await matches(options.host_reject_connection, context):
            shared.log.host_rejected(conversation.connection)
            return NOT_AVAILABLE
        refusal = await _too_many(conversation, context)
        if refusal is None:
            refusal = await _without_reserve(conversation, context)
        if refusal is not None:
            return refusal
        standing = Standing(
            not await matches(options.hosts_connection_nolog, context),
            await matches(options.hosts_require_helo, context),
            await matches(options.helo_accept_junk_hosts, context),
            await matches(options.smtp_accept_max_nonmail_hosts, context),
        )
        await _admit(conversation, standing, context)
    except (TemporaryFailure, ExpansionError) as error:
        shared.logs.panic(f"cannot decide on a connection: {error}")
        return replies.LOCAL_PROBLEM.reply
    return None


async def _admit(
    conversation: Conversation, standing: Standing, context: Context
) -> None:
    session = conversation.session
    conversation.is_logged = standing.is_logged
    # Local programs may leave it out.
    session.requires_helo = standing.requires_helo and bool(
        conversation.connection.peer_address
    )
    session.accepts_junk_helo = standing.accepts_junk_helo
    session.counts_nonmail = standing.counts_nonmail
    await _read_numbers(conversation, context)


async def _look_up(conversation: Conversation) -> None:
    shared, connection = conversation.shared, conversation.connection
    resolver = shared.site.resolver
    if resolver is None or not connection.peer_address:
        return
    await shared.within(HOST_LOOKUP_LIMIT, look_up_host_name(connection, resolver))
    if connection.host_lookup_failed and shared.logs.selects("host_lookup_failed"):
        shared.logs.main(f"no host name found for IP address {connection.peer_address}")


async def _too_many(conversation: Conversation, context: Context) -> Reply | None:
    """Return why a client that has many connections gets no more."""
    shared, limit = conversation.shared, conversation.shared.options
    if limit.smtp_accept_max_per_host is None:
        return None
    maximum = await limit.smtp_accept_max_per_host.value(context)
    address = conversation.connection.peer_address
    if not 0 < maximum < shared.connections.of(address):
        return None
    shared.log.refused(address, "too many connections from that IP address")
    return TOO_MANY_FROM_HOST


async def _without_reserve(
    conversation: Conversation, context: Context
) -> Reply | None:
    """Return why a host that has no reserved slot is sent away."""
    shared, options = conversation.shared, conversation.shared.options
    free = options.smtp_accept_max - options.smtp_accept_reserve
    count = shared.connections.count
    host = conversation.session.rules.host_name
    is_full = options.smtp_accept_reserve > 0 and free < count
    load = options.smtp_load_reserve
    is_loaded = load is not None and os.getloadavg()[0] > load
    if not is_full and not is_loaded:
        return None
    if await matches(options.smtp_reserve_hosts, context):
        return None
    if is_loaded:
        shared.log.not_reserved(
            conversation.connection, f"load average = {os.getloadavg()[0]:.2f}"
        )
        return Reply(421, (f"{host}: Too much load; please try again later",))
    shared.log.not_reserved(
        conversation.connection,
        f"not in reserve list: connected={count} max={options.smtp_accept_max} "
        f"reserve={options.smtp_accept_reserve}",
    )
    text = "Too many concurrent SMTP connections; please try again later"
    return Reply(421, (f"{host}: {text}",))


async def _read_numbers(conversation: Conversation, context: Context) -> None:
    """Find the limits of this connection."""
    shared = conversation.shared
    numbers = shared.constant_numbers
    if numbers is None:
        options = shared.options
        numbers = Numbers(
            await options.message_size_limit.value(context),
            await options.smtp_accept_max_per_connection.value(context),
            await options.recipients_max.value(context),
        )
    conversation.numbers = numbers
    conversation.session.recipients_maximum = numbers.recipients
    timeout = shared.options.smtp_receive_timeout
    conversation.timeout = timeout.constant or await timeout.value(context)


async def _begin_tls(conversation: Conversation) -> None:
    """Begin the handshake on a port where TLS comes first."""
    shared = conversation.shared
    try:
        if shared.tls is None:
            raise TemporaryFailure("TLS currently unavailable", log_text="TLS is off")
        tls = await shared.tls.for_client(conversation.transaction.context())
    except TemporaryFailure as error:
        shared.log.tls_failed(conversation.connection, "setup", error.log_text)
        conversation.session.close()
        return
    conversation.session.is_secure = True
    conversation.wire.begin_tls(tls)


async def hello(conversation: Conversation, event: HelloReceived) -> None:
    """Answer HELO or EHLO."""
    conversation.note_command()
    connection, options = conversation.connection, conversation.shared.options
    conversation.give_up_message(event.verb)
    connection.helo_name = event.name
    connection.helo_verified = connection.helo_dnssec = False
    connection.esmtp = event.verb == "EHLO"
    refusal = await _refused_name(conversation)
    if refusal is None:
        decision = await conversation.shared.policy.helo(conversation.transaction)
        conversation.heed_controls()
        if decision.accepted:
            text = decision.reply.lines[0] if decision.reply else _welcome(conversation)
            extensions = NO_EXTENSIONS
            if event.verb == "EHLO":
                extensions = await _extensions(conversation)
            elif not options.accept_8bitmime:
                extensions = NO_EXTENSIONS._replace(eight_bit=False)
            conversation.session.accept_hello(text, extensions)
            return
        refusal = decision
    connection.helo_name = ""
    connection.esmtp = False
    conversation.refuse(refusal)


def _welcome(conversation: Conversation) -> str:
    connection = conversation.connection
    name = connection.host_name or connection.helo_name
    ident = f"{connection.ident} at " if connection.ident else ""
    text = f"{conversation.session.rules.host_name} Hello {ident}{name}"
    if connection.peer_address:
        text += f" [{connection.peer_address}]"
    return text


async def _refused_name(conversation: Conversation) -> Decision | None:
    """Verify the name in HELO where an option asks for that."""
    options = conversation.shared.options
    if options.helo_verify_hosts is None and options.helo_try_verify_hosts is None:
        return None
    context = conversation.transaction.context()
    must = await matches(options.helo_verify_hosts, context)
    if not must and not await definitely_matches(
        options.helo_try_verify_hosts, context
    ):
        return None
    outcome = await verify_helo(context)
    conversation.connection.helo_verified = outcome is Outcome.FOUND
    if outcome is Outcome.FOUND or not must:
        return None
    temporarily = outcome is Outcome.AGAIN
    conversation.shared.log.helo_refused(
        conversation.connection, temporarily=temporarily
    )
    return Decision(False, Reply(451 if temporarily else 550, (BAD_HELO,)))


async def _extensions(conversation: Conversation) -> Extensions:
    shared, connection = conversation.shared, conversation.connection
    context = conversation.transaction.context()
    mechanisms: tuple[str, ...] = ()
    if shared.authenticators and not conversation.session.is_authenticated:
        mechanisms = await _mechanisms(conversation)
    return await shared.offer.for_client(
        context,
        conversation.numbers,
        starttls=shared.tls is not None
        and connection.tls is None
        and await shared.tls.is_offered(context),
        mechanisms=mechanisms,
        may_pipeline=conversation.transaction.controls.pipelining,
    )


async def _mechanisms(conversation: Conversation) -> tuple[str, ...]:
    context = conversation.transaction.context()
    hosts = conversation.shared.options.auth_advertise_hosts
    if not await definitely_matches(hosts, context):
        return ()
    return await offered(conversation.shared.authenticators, context)


async def start_tls(conversation: Conversation, event: TLSRequested) -> None:
    """Answer STARTTLS, and begin the handshake where that is a yes."""
    conversation.note_command()
    shared, session = conversation.shared, conversation.session
    decision = await shared.policy.starttls(conversation.transaction)
    if not decision.accepted:
        conversation.refuse(decision)
        return
    assert shared.tls is not None
    try:
        tls = await shared.tls.for_client(conversation.transaction.context())
    except TemporaryFailure as error:
        shared.log.tls_failed(conversation.connection, "setup", error.log_text)
        session.refuse(replies.TLS_UNAVAILABLE)
        return
    conversation.give_up_message("STARTTLS")
    session.accept()
    if session.state is State.CLOSED:
        return
    conversation.wire.flush()
    offered = session.extensions
    forget_client(conversation)
    if shared.tls.options.tls_remember_esmtp:
        # Against RFC 3207, for clients that send no EHLO inside TLS.
        conversation.connection.esmtp = True
        session.begin_tls(offered._replace(starttls=False))
    else:
        session.begin_tls()
    conversation.wire.begin_tls(tls)


def forget_client(conversation: Conversation) -> None:
    """Forget what the client said so far (RFC 3207, section 4.2)."""
    connection = conversation.connection
    connection.helo_name = ""
    connection.helo_verified = connection.helo_dnssec = connection.esmtp = False
    connection.authenticator = connection.authenticated_id = ""
    connection.authenticated_sender = ""
    connection.authentication_failed = False
