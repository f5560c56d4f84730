"""What the tests of the redirect router share."""

from __future__ import annotations

from mta.recipient import RoutedAddress
from mta.routers.base import Decision, Verdict
from tests.routers.routing import RouterTestCase

TRANSPORTS = {
    "pipe_transport": "a_pipe",
    "file_transport": "a_file",
    "directory_transport": "a_directory",
}


class RedirectTestCase(RouterTestCase):
    """A test case with one redirect router, and one that takes what is left."""

    def decision(self, data: str, **texts: str) -> Decision:
        """Return what a router with a list says of ``ann@x.test``."""
        return self.decide(self.router("redirect", data=data, **texts), "ann@x.test")

    def children(self, data: str, **texts: str) -> list[str]:
        """Return the addresses that a list puts in the place of ``ann@x.test``."""
        decision = self.decision(data, **texts)
        self.assertEqual(decision.verdict, Verdict.REDIRECT, decision.text)
        return [child.address.text for child in decision.children]

    def only_child(self, data: str, **texts: str) -> RoutedAddress:
        """Return the one child that a list gives."""
        (child,) = self.decision(data, **{**TRANSPORTS, **texts}).children
        return child

    def problem(self, data: str, **texts: str) -> str:
        """Return why a list cannot be followed; the address then waits."""
        decision = self.decision(data, **texts)
        self.assertEqual((decision.verdict, decision.error), (Verdict.DEFER, -1))
        start = "error in redirect data: "
        self.assertTrue(decision.text.startswith(start), decision.text)
        return decision.text.removeprefix(start)

    def delivered(self, **aliases: str) -> list[str]:
        """Return where ``ann@x.test`` goes with aliases by local part."""
        pairs = " ".join(f'{name}="{text}"' for name, text in aliases.items())
        data = f"${{extract{{$local_part}}{{{pairs}}}}}"
        self.router("redirect", data=data)
        self.router("accept", transport="local")
        routes = self.route("ann@x.test")
        self.assertEqual((routes.failed, routes.deferred), ([], []))
        return [address.address.text for address in routes.accepted]
