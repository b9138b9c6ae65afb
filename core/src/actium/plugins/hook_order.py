"""In which order the implementations of a hook are called, and why; and how pluggy is brought to call them so.

pluggy knows ``tryfirst``, ``trylast`` and the order in which plugins were registered, which is one for all hooks. Where
an implementation also says ``before`` or ``after`` another plugin, the order of each hook is worked out here, and each
implementation is registered by itself, in that order. See ``docs/decisions/0017-order-and-versions.md``.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from actium.plugins.hook_implementations import HOOKS, Implementation, Rank
from actium.plugins.hook_plugins import HookPlugin


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An implementation at its place.

    Attributes:
        plugin: Whose it is.
        implementation: The implementation.
        rank: Where pluggy is to place it.
        number: How many plugins were enabled before its own.
        heeded: What it says of other plugins, e.g. ``before audit``, where these are there and do not contradict.
    """

    plugin: HookPlugin
    implementation: Implementation
    rank: Rank
    number: int
    heeded: tuple[str, ...]

    def reasons(self, enabled: int) -> tuple[str, ...]:
        """Why it stands where it stands, in words, the strongest first.

        Args:
            enabled: How many of the plugins are enabled; the others are looked at as if they were.
        """
        told = list(self.heeded)
        rank = self.implementation.rank
        if rank is not Rank.PLAIN:
            told.append("tryfirst" if rank is Rank.FIRST else "trylast")
        told.append(f"enabled {_ordinal(self.number + 1)}" if self.number < enabled else "not enabled")
        wished = (f"{word} {name}" for word, name in _wishes(self.implementation))
        return (*told, *(f"{wish} is not heeded" for wish in wished if wish not in self.heeded))


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Implementations that want to be called before each other.

    Attributes:
        hook: The hook.
        names: The plugins, each to be called before the next, and the last before the first.
    """

    hook: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        told = ", ".join(f"{first} before {second}" for first, second in itertools.pairwise(self.names))
        if len(self.names) == 2 and self.names[0] == self.names[1]:
            told = f"{self.names[0]} before or after itself"
        return f"In {self.hook}, {told} is asked for, which cannot be. It is not heeded."


def registered_in_order(plugins: Sequence[HookPlugin]) -> tuple[HookPlugin, ...]:
    """What to register with pluggy, one after the other, for the implementations to be called in their order."""
    if not any(wish for plugin in plugins for each in plugin.implementations.values() for wish in _wishes(each)):
        return tuple(plugins)  # pluggy alone orders them
    return tuple(part for hook in HOOKS for part in _registered(hook, plugins))


def _registered(hook: str, plugins: Sequence[HookPlugin]) -> Iterator[HookPlugin]:
    placed = call_order(hook, plugins)[0]
    yield from (each.plugin.only(hook, each.rank) for each in reversed(placed) if each.rank is not Rank.LAST)
    yield from (each.plugin.only(hook, each.rank) for each in placed if each.rank is Rank.LAST)


def contradictions(plugins: Sequence[HookPlugin]) -> tuple[Contradiction, ...]:
    """What plugins want of each other that cannot be."""
    return tuple(each for hook in HOOKS for each in call_order(hook, plugins)[1])


def unknown_names(plugin: HookPlugin, known: Collection[str]) -> Iterator[str]:
    """What a plugin says of plugins that are not there, in words; perhaps they are only not installed."""
    for each in plugin.implementations.values():
        for word, name in _wishes(each):
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                asked = f" Did you mean {near[0]!r}?" if near else ""
                yield f"Its {each.hook} is to be called {word} {name!r}, which is not installed.{asked}"


def call_order(hook: str, plugins: Sequence[HookPlugin]) -> tuple[tuple[Placed, ...], tuple[Contradiction, ...]]:
    """The implementations of a hook, the first that is called first, and what could not be heeded.

    Args:
        hook: The hook.
        plugins: The enabled plugins, in the order in which they were enabled.
    """
    own = [
        (plugin, plugin.implementations[hook], number)
        for number, plugin in enumerate(plugins)
        if hook in plugin.implementations
    ]
    own.sort(key=_as_pluggy_orders)  # what is said of others moves them from there
    wishes = _Wishes([(plugin.origin.name, implementation) for plugin, implementation, _ in own])
    contradicting = tuple(Contradiction(hook=hook, names=names) for names in wishes.without_cycles())
    order = wishes.order()
    # One that was brought forward gets the rank of the place that it came to; none may outrank one before it.
    ranks = itertools.accumulate((own[wishes.place[each]][1].rank for each in order), max)
    placed = tuple(
        Placed(
            plugin=own[each][0],
            implementation=own[each][1],
            rank=rank,
            number=own[each][2],
            heeded=wishes.heeded(each),
        )
        for each, rank in zip(order, ranks, strict=True)
    )
    return placed, contradicting


def _as_pluggy_orders(own: tuple[HookPlugin, Implementation, int]) -> tuple[Rank, int]:
    """What is registered later is called earlier, but among those that say ``trylast`` it is called later."""
    _, implementation, number = own
    return implementation.rank, number if implementation.rank is Rank.LAST else -number


class _Wishes:
    """What implementations say of each other, by their places in the order that pluggy would call them in.

    Attributes:
        place: The place that each is brought forward to, by what it is to be called before.
    """

    def __init__(self, own: Sequence[tuple[str, Implementation]]) -> None:
        self._names = [name for name, _ in own]
        self._before: set[tuple[int, int]] = set()  # the first said that it is to be called before the second
        self._after: set[tuple[int, int]] = set()  # the second said that it is to be called after the first
        for number, (_, implementation) in enumerate(own):
            for other, name in enumerate(self._names):
                if name in implementation.before:
                    self._before.add((number, other))
                if name in implementation.after:
                    self._after.add((other, number))
        self.place = list(range(len(own)))

    def without_cycles(self) -> Iterator[tuple[str, ...]]:
        """Forget what contradicts, and tell it."""
        while True:
            try:
                backwards = self._sorted()[::-1]
            except CycleError as error:
                cycle: list[int] = error.args[1]
                steps = set(itertools.pairwise(cycle))
                self._before -= steps
                self._after -= steps
                yield tuple(self._names[each] for each in cycle)
            else:
                break
        for number in backwards:
            targets = (self.place[later] for first, later in self._before if first == number)
            self.place[number] = min([number, *targets])

    def order(self) -> list[int]:
        """The order: that of pluggy, but for those who said something, and these moved no further than they must be."""
        waiting = set(range(len(self._names)))
        order: list[int] = []
        while waiting:
            held_up = {later for first, later in self._before | self._after if first in waiting}
            order.append(min(waiting - held_up, key=lambda each: (self.place[each], each)))
            waiting.remove(order[-1])
        return order

    def heeded(self, number: int) -> tuple[str, ...]:
        """What an implementation says of others and is heeded."""
        before = [f"before {self._names[later]}" for first, later in sorted(self._before) if first == number]
        after = [f"after {self._names[first]}" for first, later in sorted(self._after) if later == number]
        return tuple(dict.fromkeys(before + after))

    def _sorted(self) -> list[int]:
        sorter: TopologicalSorter[int] = TopologicalSorter(dict.fromkeys(range(len(self._names)), ()))
        for first, later in sorted(self._before | self._after):
            sorter.add(later, first)
        return list(sorter.static_order())


def _wishes(implementation: Implementation) -> Iterator[tuple[str, str]]:
    yield from (("before", name) for name in implementation.before)
    yield from (("after", name) for name in implementation.after)


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
