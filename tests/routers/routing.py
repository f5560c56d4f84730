"""What the tests of routers share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import mta.routers
from mta.address import parse_address
from mta.delivery.routing import RouterChain, Routes, address_to_route
from mta.errors import ConfigurationError
from mta.expand.context import Context, Site
from mta.expand.registry import Language
from mta.interfaces import IRouter
from mta.lookups.base import Lookups
from mta.message import Message, Recipient
from mta.plugins import find_one
from mta.recipient import RoutedAddress
from mta.routers.base import Decision, Purpose, Router
from mta.taint import Tainted
from mta.testing import FakeResolver, MemoryLogs, result_of

LANGUAGE = Language.load()


class RouterTestCase(SynchronousTestCase):
    """A test case with routers, a DNS and the site ``mx.example.com``."""

    def setUp(self) -> None:
        """Begin without routers and with an empty DNS."""
        self.resolver = FakeResolver()
        self.logs = MemoryLogs()
        self.site = Site(
            primary_hostname="mx.example.com",
            qualify_domain="example.com",
            qualify_recipient="example.com",
            local_addresses=frozenset({"127.0.0.1", "::1", "192.0.2.1"}),
            resolver=self.resolver,
            lookups=Lookups.load(resolver=self.resolver),
            language=LANGUAGE,
            logs=self.logs,
        )
        sender = parse_address(Tainted("sender@source.test"))
        self.context = Context(self.site, message=Message(sender=sender))
        self.routers: dict[str, Router] = {}

    def router(self, driver: str, name: str = "", /, **texts: str) -> Router:
        """Return a router, which stands behind those made before."""
        name = name or f"r{len(self.routers) + 1}"
        driver_class = find_one(IRouter, mta.routers, driver)
        made: Router = driver_class.with_texts(texts, language=LANGUAGE, name=name)
        self.routers[name] = made
        return made

    def refusal(self, driver: str, /, **texts: str) -> str:
        """Return why a router cannot be set up so."""
        try:
            self.router(driver, **texts)
        except ConfigurationError as error:
            return str(error)
        raise AssertionError("the router is set up")

    def address(self, text: str) -> RoutedAddress:
        """Return an address as a client gave it, at the start of its way."""
        address = parse_address(Tainted(text))
        return address_to_route(address, Recipient(address))

    def decide(
        self,
        router: Router,
        address: RoutedAddress | str,
        purpose: Purpose = Purpose.DELIVERY,
    ) -> Decision:
        """Return what one router says of an address."""
        if isinstance(address, str):
            address = self.address(address)
        self.context.address = address
        decision = result_of(router.applies(address, self.context, purpose))
        if decision is None:
            decision = result_of(router.route(address, self.context))
        return decision

    def route(self, text: str, purpose: Purpose = Purpose.DELIVERY) -> Routes:
        """Return what all routers make of an address."""
        chain = RouterChain(self.routers)
        start = self.address(text)
        return result_of(chain.route(start, self.context, purpose=purpose))

    def accepted(self, text: str) -> RoutedAddress:
        """Return an address that goes to one place, with what it was given."""
        routes = self.route(text)
        self.assertEqual((routes.failed, routes.deferred), ([], []))
        (address,) = routes.accepted
        return address

    def takers(self, *texts: str) -> list[str]:
        """Return the router that takes each address; why not, where none does."""
        found = []
        for text in texts:
            routes = self.route(text)
            found += [address.router for address in routes.accepted]
            found += [decision.text for _, decision in routes.failed]
            found += [decision.text for _, decision in routes.deferred]
        return found

    def file(self, content: str = "", mode: int = 0o644) -> str:
        """Return the absolute path of a new file."""
        path = Path(self.mktemp()).absolute()
        path.write_text(content)
        path.chmod(mode)
        return str(path)

    def assert_decision(self, decision: Decision, verdict: Any, text: str = "") -> None:
        """Assert a verdict and its text."""
        self.assertEqual((decision.verdict, decision.text), (verdict, text))
