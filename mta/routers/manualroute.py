"""The manualroute router (Exim chapter 20)."""

from __future__ import annotations

from typing import Any

from mta.errors import ExpansionError, ForcedFailure
from mta.expand.context import Context
from mta.expand.evaluate import expand_text
from mta.expand.option_types import Expanded, ExpandedBoolean
from mta.host import Host, Outcome
from mta.options import Option, Source, split_list
from mta.recipient import RoutedAddress
from mta.routers.base import Decision, Router, Verdict, router
from mta.routers.dnssec import DNSSECOptions
from mta.routers.route_rules import (
    RouteList,
    RuleOptions,
    first_word,
    host_item,
    in_random_order,
    rule_options,
)
from mta.routers.target_hosts import (
    Family,
    HostFinder,
    HostSearch,
    route_to_self,
    timed_out,
    without_repetitions,
)

_FAILED_WORDS = ("decline", "defer", "fail", "freeze", "pass")


class _WordType:
    def __init__(self, *words: str) -> None:
        self.name = "string"
        self._words = words

    def parse(self, text: str, source: Source) -> str:
        """Return one of the words."""
        if text not in self._words:
            raise source.error(f'"{text}" is not one of {", ".join(self._words)}')
        return text


@router("manualroute")
class ManualRoute(DNSSECOptions, Router):
    """Sends mail to hosts that the administrator names by domain."""

    host_all_ignored = Option(
        _WordType(*_FAILED_WORDS), "defer", "What to do when no host is left."
    )
    host_find_failed = Option(
        _WordType(*_FAILED_WORDS, "ignore"),
        "freeze",
        "What to do when a host does not exist.",
    )
    hosts_randomize = Option(ExpandedBoolean, "false", "Put the hosts in random order.")
    route_data = Option(Expanded, None, "Hosts, and options behind them.")
    route_list = Option(RouteList, None, "Rules: domain pattern, hosts and options.")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if (self.route_data is None) == (self.route_list is None):
            text = "route_list or route_data must be specified, but not both"
            raise self.source.error(f"{self.name} router: {text}")

    async def route(self, address: RoutedAddress, context: Context) -> Decision:
        """Find the rule for the domain and the addresses of its hosts."""
        found = await self._hosts_and_options(address, context)
        if found is None:
            return Decision(Verdict.DECLINE)
        text, options = found
        name = options.transport
        if not name and self.transport is not None:
            name = await self.transport.expand(context)
        address.transport = options.transport
        items = [item for item in split_list(text) if item]
        if self.is_local_transport(name):
            address.hosts = [Host(str(text), "")] if items else []
            return Decision(Verdict.ACCEPT)
        if await self._is_random(options, context):
            items = in_random_order(items, self.random.shuffle)
        items = [item for item in items if item != "+"]
        if not items and not self.verify_only:
            problem = f"no host(s) specified for domain {address.domain}"
            return Decision(Verdict.DEFER, problem, error=-1)
        return await self._look_up(items, options, address, context)

    async def _hosts_and_options(
        self, address: RoutedAddress, context: Context
    ) -> tuple[str, RuleOptions] | None:
        if self.route_data is not None:
            try:
                hosts, rest = first_word(await self.route_data.expand(context))
                if not hosts:
                    return None
                return await expand_text(hosts, context), rule_options(rest)
            except ForcedFailure:
                return None
            except ValueError as error:
                raise ExpansionError(f"route_data: {error}") from error
        assert self.route_list is not None
        for rule in self.route_list:
            match = await rule.pattern.match(address.domain, context)
            if match is None:
                continue
            context.captures = match.captures or (address.domain,)
            if rule.is_lookup and match.value is not None:
                context.values["value"] = match.value
            try:
                return await rule.hosts.expand(context), rule.options
            except ForcedFailure:
                return None
            finally:
                context.values.pop("value", None)
        return None

    async def _is_random(self, options: RuleOptions, context: Context) -> bool:
        if options.randomize is not None:
            return options.randomize
        return await self.hosts_randomize.value(context)

    async def _look_up(
        self,
        items: list[str],
        options: RuleOptions,
        address: RoutedAddress,
        context: Context,
    ) -> Decision:
        family = Family(options.ipv4_only, options.ipv4_first)
        finder = HostFinder(self, context, family)
        hosts: list[Host] = []
        for text in items:
            search = await _search(finder, text, options)
            if search.outcome is Outcome.AGAIN:
                problem = f'host lookup for "{text}" did not complete'
                return timed_out(self, f"{problem} in {self.name} router")
            if search.outcome is not Outcome.FOUND:
                if search.ignored or self.host_find_failed == "ignore":
                    continue
                problem = f'lookup of host "{text}" failed in {self.name} router'
                return _failed(self.host_find_failed, problem)
            name = host_item(text).name
            search.hosts = await self.secured(search.hosts, name, context)
            if not search.hosts:
                return self._insecure(text)
            own = next((h for h in search.hosts if finder.is_self(h)), None)
            if own is not None and hosts:
                # This host and all behind it are less preferred than the others.
                break
            if own is not None:
                decision = route_to_self(self, address, own)
                if decision is not None:
                    return decision
            hosts += search.hosts
        if items and not hosts:
            problem = f"lookup of all hosts failed in {self.name} router"
            return _failed(self.host_all_ignored, problem)
        address.hosts = without_repetitions(hosts)
        return Decision(Verdict.ACCEPT)

    def _insecure(self, text: str) -> Decision:
        problem = f'host lookup for "{text}" done insecurely in {self.name} router'
        return Decision(Verdict.DEFER, problem, error_name="lookup")


async def _search(finder: HostFinder, text: str, options: RuleOptions) -> HostSearch:
    item = host_item(text)
    if item.by_mx:
        return await finder.by_mx_of(item.name, port=item.port)
    return await finder.by_address(item.name, port=item.port, system=options.look_up)


def _failed(word: str, text: str) -> Decision:
    if word == "decline":
        return Decision(Verdict.DECLINE)
    if word == "pass":
        return Decision(Verdict.PASS)
    if word == "fail":
        return Decision(Verdict.FAIL, text)
    return Decision(Verdict.DEFER, text, freeze=word == "freeze", error=-1)
