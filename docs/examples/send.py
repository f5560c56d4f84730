"""Send a message from standard input to one host, over TLS that must prove itself.

    python send.py ADDRESS PORT NAME SENDER RECIPIENT [AUTHORITIES] < message

ADDRESS is an IP address, NAME what the host's certificate must be for.  The host gets
nothing unless a trusted authority (of a file, or the system's) vouches for it, and
unless it staples a proof that its certificate is not revoked.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from mta.connection import TLSFacts
from mta.message import Bytes
from mta.smtp.client import SMTPClient
from mta.smtp.client_connect import connect
from mta.smtp.client_failure import SessionFailure, TimeLimits
from mta.smtp.client_transaction import ClientTransaction, Envelope, EnvelopeRecipient
from mta.tls.client import ClientTLS
from mta.tls.policy import ClientTLSPolicy, Staple, Start, Verify

OUR_NAME = "client.example"
TLS = ClientTLS()  # one for the whole program: it keeps contexts and verdicts


class NotSecure(Exception):
    """The host did not prove what it had to."""


async def secure(client: SMTPClient, policy: ClientTLSPolicy) -> TLSFacts:
    """Begin TLS on a connection that was greeted; return what the host proved."""
    if "STARTTLS" not in client.session.capabilities.keywords:
        raise NotSecure("the host offers no TLS")
    reply = await client.ask_tls()
    if reply.code >= 300:
        raise NotSecure(f"the host refuses TLS: {reply}")
    session = TLS.session(policy)
    try:
        await client.begin_tls(session)
    except SessionFailure as failure:
        session.failed(failure.text, failure.__cause__)
        raise NotSecure(session.refusal_text) from failure
    facts = session.facts(client.tls_connection)
    if session.is_refused:
        raise NotSecure(session.refusal_text)
    await client.hello(OUR_NAME)
    return facts


async def send(
    reactor: Any,
    address: str,
    port: int,
    policy: ClientTLSPolicy,
    envelope: Envelope,
    content: bytes,
) -> list[str]:
    """Send a message whose lines end with CRLF; return what became of it, line by line."""
    limits = TimeLimits(connect=30, command=60, data=60, final=600)
    client = await connect(reactor, address, port, limits=limits)
    try:
        await client.greet(OUR_NAME)
        facts = await secure(client, policy)
        transaction = ClientTransaction(client.session, envelope)
        await client.deliver(transaction, Bytes(content))
    except BaseException:
        client.abort()
        raise
    client.quit()
    await client.closed
    lines = [f"{facts.cipher}, certificate verified, OCSP {facts.staple}"]
    for recipient, reply in zip(
        envelope.recipients, transaction.recipients, strict=True
    ):
        lines.append(f"{recipient.address}: {reply}")
    # None, or a refusal, where no recipient was accepted.
    lines += [f"message: {reply}" for reply in transaction.final]
    return lines


def main(reactor: Any, arguments: Sequence[str]) -> Deferred[None]:
    """Send what the command line says."""
    address, port, name, sender, recipient, *authorities = arguments
    policy = ClientTLSPolicy(
        start=Start.REQUIRED,
        verify=Verify.REQUIRE,
        staple=Staple.REQUIRE,
        name=name,
        server_name=name,
        certificates=authorities[0] if authorities else "system",
    )
    envelope = Envelope(sender, [EnvelopeRecipient(recipient)])
    lines = sys.stdin.buffer.read().splitlines()
    content = b"".join(line + b"\r\n" for line in lines)

    async def run() -> None:
        try:
            found = await send(reactor, address, int(port), policy, envelope, content)
        except (NotSecure, SessionFailure) as failure:
            raise SystemExit(f"not sent: {failure}") from failure
        print("\n".join(found))

    return Deferred.fromCoroutine(run())


if __name__ == "__main__":
    react(main, [sys.argv[1:]])
