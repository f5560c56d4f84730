"""Conditions about the client and its session."""

from __future__ import annotations

from mta.acl.registry import Phase, condition
from mta.acl.run import ACLRun
from mta.expand.option_types import ClientList, HostList, LocalPartList, SubjectList

_NOT_SMTP = Phase.NOT_SMTP | Phase.NOT_SMTP_START


@condition(
    "authenticated",
    phases=~(_NOT_SMTP | Phase.CONNECT | Phase.HELO),
    argument=LocalPartList,
)
async def authenticated(run: ACLRun, value: SubjectList) -> bool:
    """True where the client has authenticated by one of the named authenticators."""
    name = run.subject.connection.authenticator
    return bool(name) and await value.match(name, run.context) is not None


@condition("encrypted", phases=~(_NOT_SMTP | Phase.CONNECT), argument=LocalPartList)
async def encrypted(run: ACLRun, value: SubjectList) -> bool:
    """True where the session uses TLS with one of the named ciphers."""
    tls = run.subject.connection.tls
    return tls is not None and await value.match(tls.cipher, run.context) is not None


@condition("hosts", phases=~_NOT_SMTP, argument=HostList)
async def hosts(run: ACLRun, value: ClientList) -> bool:
    """True where the client is in a host list."""
    match = await value.match_client(run.context)
    if match is None:
        return False
    run.keep(match, "host_data")
    return True
