"""Walk an address through the routers (Exim chapters 3 and 15)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mta.address import Address, unquoted_local_part
from mta.errors import ForcedFailure, MTAError, TemporaryFailure
from mta.expand.context import Context
from mta.message import Recipient
from mta.recipient import RoutedAddress
from mta.routers.base import Decision, Purpose, Router, Verdict

DEPTH_LIMIT = 50
UNROUTEABLE = "Unrouteable address"
_VERIFYING = frozenset({Purpose.VERIFY_SENDER, Purpose.VERIFY_RECIPIENT})


@dataclass(slots=True)
class Routes:
    """What routing made of one address: where it and its children go.

    ``failed`` and ``deferred`` hold each address with the decision that says why.
    ``redirected`` are the addresses whose place children took.
    """

    accepted: list[RoutedAddress] = field(default_factory=list)
    failed: list[tuple[RoutedAddress, Decision]] = field(default_factory=list)
    deferred: list[tuple[RoutedAddress, Decision]] = field(default_factory=list)
    discarded: list[RoutedAddress] = field(default_factory=list)
    redirected: list[RoutedAddress] = field(default_factory=list)


def address_to_route(address: Address, recipient: Recipient) -> RoutedAddress:
    """Return the start of a walk for an address."""
    return RoutedAddress(
        address,
        recipient,
        local_part=unquoted_local_part(address.local_part).lower(),
        domain=address.domain.lower(),
    )


class RouterChain:
    """The routers of a configuration, in order."""

    def __init__(self, routers: Mapping[str, Router]) -> None:
        self._routers = list(routers.values())
        self._positions = {name: number for number, name in enumerate(routers)}

    async def route(
        self,
        address: RoutedAddress,
        context: Context,
        *,
        purpose: Purpose = Purpose.DELIVERY,
        seen: set[str] | None = None,
        follows_redirects: bool = True,
    ) -> Routes:
        """Return where an address goes, and its children, and theirs.

        ``seen`` holds the keys of other addresses of the message: no child that is
        one of them is routed again (Exim chapter 22, "duplicate addresses").  When
        verifying, only a single child is followed; several are good enough, and so is
        one without ``follows_redirects``.
        """
        walk = _Walk(self, context, purpose, set() if seen is None else seen)
        walk.children_followed = 1 if follows_redirects else 0
        return await walk.run(address)

    def position(self, name: str) -> int:
        """Return where a router stands; the end for an unknown name."""
        return self._positions.get(name, len(self._routers))

    def from_position(self, position: int) -> Router | None:
        """Return the router at a position, None at the end."""
        return self._routers[position] if position < len(self._routers) else None


class _Walk:
    """One address and its children on the way through the routers."""

    __slots__ = (
        "_chain",
        "_context",
        "_pending",
        "_purpose",
        "_routes",
        "_seen",
        "children_followed",
    )

    def __init__(
        self, chain: RouterChain, context: Context, purpose: Purpose, seen: set[str]
    ) -> None:
        self._chain = chain
        self._context = context
        self._purpose = purpose
        self._seen = seen
        self._routes = Routes()
        self._pending: list[tuple[RoutedAddress, int]] = []
        self.children_followed = 1

    async def run(self, address: RoutedAddress) -> Routes:
        """Route until nothing is left."""
        self._seen.add(address.key)
        self._pending.append((address, 0))
        while self._pending:
            following, position = self._pending.pop()
            try:
                await self._walk(following, position)
            except MTAError as error:
                self._routes.deferred.append((following, deferral(error)))
        self._context.address = address
        return self._routes

    def _is_new(self, child: RoutedAddress) -> bool:
        """Return whether a child is to be routed; some need not or must not be."""
        ancestors = child.ancestors
        key = _identity(child, ancestors)
        if key in self._seen:
            return False
        self._seen.add(key)
        if child.transport:
            self._routes.accepted.append(child)
        elif len(ancestors) > DEPTH_LIMIT:
            text = "too many levels of redirection"
            self._routes.failed.append((child, Decision(Verdict.FAIL, text)))
        else:
            return True
        return False

    async def _walk(self, address: RoutedAddress, position: int) -> None:
        considered: Router | None = None
        chain, context = self._chain, self._context
        while (router := chain.from_position(position)) is not None:
            position += 1
            if address.parent is not None and _has_been_through(address, router):
                continue
            context.address = address
            address.router = router.name
            decision = await router.applies(address, context, self._purpose)
            if decision is None:
                considered = router
                decision = await router.route(address, context)
            verdict = decision.verdict
            if verdict is Verdict.SKIP:
                continue
            if verdict is Verdict.DECLINE:
                if not await router.more.value(context):
                    break
            elif verdict is Verdict.PASS:
                if router.pass_router:
                    position = chain.position(router.pass_router)
            elif not await self._conclude(router, address, decision):
                return
        await self._unrouteable(address, considered)

    async def _conclude(
        self, router: Router, address: RoutedAddress, decision: Decision
    ) -> bool:
        """Take a verdict to heart; True where the address goes on as well."""
        verdict = decision.verdict
        if verdict is Verdict.FAIL:
            self._routes.failed.append((address, decision))
        elif verdict is Verdict.DEFER:
            self._routes.deferred.append((address, decision))
        elif verdict is Verdict.DISCARD:
            self._routes.discarded.append(address)
        elif verdict is Verdict.REROUTE:
            # A name written out in full is no other address.
            self._follow(address, decision.children, 0)
        elif self._fails_verify(router):
            self._routes.failed.append((address, Decision(Verdict.FAIL, UNROUTEABLE)))
        else:
            return await self._accept(router, address, decision)
        return False

    async def _accept(
        self, router: Router, address: RoutedAddress, decision: Decision
    ) -> bool:
        context = self._context
        inherited = (
            address.errors_to,
            list(address.headers_add),
            list(address.headers_remove),
        )
        await router.finish(address, context)
        goes_on = self._purpose not in _VERIFYING and await router.unseen.value(context)
        if decision.verdict is Verdict.ACCEPT:
            kept = replace(address, unseen=True) if goes_on else address
            self._routes.accepted.append(kept)
        else:
            name = router.redirect_router
            start = self._chain.position(name) if name else 0
            self._redirect(address, decision.children, start)
        if goes_on:
            _forget_decision(address)
            address.errors_to, address.headers_add, address.headers_remove = inherited
        return goes_on

    def _redirect(
        self, address: RoutedAddress, children: list[RoutedAddress], start: int
    ) -> None:
        if not children:
            self._routes.discarded.append(address)
        elif self._purpose in _VERIFYING and len(children) > self.children_followed:
            self._routes.accepted.append(address)
        else:
            self._follow(address, children, start)

    def _follow(
        self, address: RoutedAddress, children: list[RoutedAddress], start: int
    ) -> None:
        self._routes.redirected.append(address)
        # The next to be routed is taken from the end.
        following = [(child, start) for child in children if self._is_new(child)]
        self._pending += reversed(following)

    def _fails_verify(self, router: Router) -> bool:
        if self._purpose is Purpose.VERIFY_SENDER:
            return router.fail_verify_sender
        if self._purpose is Purpose.VERIFY_RECIPIENT:
            return router.fail_verify_recipient
        return False

    async def _unrouteable(
        self, address: RoutedAddress, considered: Router | None
    ) -> None:
        text = UNROUTEABLE
        address.router = ""
        if considered is not None and considered.cannot_route_message is not None:
            try:
                text = await considered.cannot_route_message.expand(self._context)
            except ForcedFailure:
                pass
        decision = Decision(Verdict.FAIL, text, user_text=text is not UNROUTEABLE)
        self._routes.failed.append((address, decision))


def _identity(address: RoutedAddress, ancestors: list[RoutedAddress]) -> str:
    """Return what tells a child from others, those that skip a router apart."""
    key = address.key
    skipped = {ancestor.router for ancestor in ancestors if ancestor.key == key}
    return f"{key} {','.join(sorted(skipped))}" if skipped else key


def _has_been_through(address: RoutedAddress, router: Router) -> bool:
    """Return whether a router made this address of the same address before.

    Exim chapter 22: such an address skips the router, which ends the loop.  Local parts
    that only differ in case are the same, unless the router tells them apart.
    """
    if router.name in address.skip_routers:
        return True
    key = address.key if router.caseful_local_part else address.key.lower()
    for ancestor in address.ancestors:
        if ancestor.router == router.name:
            other = ancestor.key
            if key == (other if router.caseful_local_part else other.lower()):
                return True
    return False


def _forget_decision(address: RoutedAddress) -> None:
    """Undo what an ``unseen`` router gave to its copy alone."""
    address.transport = ""
    address.hosts = []
    address.fallback_hosts = ""
    address.user = address.group = None
    address.home = address.current_directory = None


def deferral(error: MTAError) -> Decision:
    """Return the decision to try again that an error of a router means."""
    if isinstance(error, TemporaryFailure):
        facts = error.facts
        return Decision(
            Verdict.DEFER,
            error.log_text,
            error=facts.get("error", -1),
            error_name=facts.get("error_name", ""),
        )
    return Decision(Verdict.DEFER, str(error), error=-1)
