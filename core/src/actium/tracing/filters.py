"""Which part of what is traced is wanted: by hook, by plugin and by flavor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from actium.errors import InvalidInputError
from actium.tracing.spans import Span, SpanKind, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceFilter:
    """What is wanted; each pattern may contain ``*`` and ``?``, and an empty tuple takes everything.

    Attributes:
        hooks: Names of hooks, and of what plugins tell of by themselves.
        plugins: Names of plugins, or of their distributions.
        flavors: Keys of flavors.
    """

    hooks: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    flavors: tuple[str, ...] = ()

    def takes_flavor(self, flavor: str) -> bool:
        """Whether anything of a flavor is wanted."""
        return not self.flavors or _fits(flavor, self.flavors)

    def of(self, trace: Trace) -> Trace:
        """A trace with the spans that are wanted, what is inside them, and what they are inside of.

        It is empty where nothing is wanted.
        """
        if not (self.hooks or self.plugins):
            return trace
        parents = {span.id: span.parent for span in trace.spans}
        wanted = self._wanted(trace)
        kept = set(wanted)
        for span_id in wanted:
            above = parents[span_id]
            while above is not None and above not in kept:
                kept.add(above)
                above = parents.get(above)
        inside = set(wanted)
        for span in trace.spans:  # parents stand before their parts
            if span.parent in inside:
                inside.add(span.id)
        return replace(trace, spans=tuple(span for span in trace.spans if span.id in kept | inside))

    def _wanted(self, trace: Trace) -> set[int]:
        return {span.id for span in trace.spans if span.kind in _BY_PLUGINS and self._takes(span)}

    def _takes(self, span: Span) -> bool:
        if self.hooks and not _fits(span.name, self.hooks):
            return False
        names = [name for name in (span.plugin, span.distribution) if name is not None]
        return not self.plugins or any(_fits(name, self.plugins) for name in names)


EVERYTHING = TraceFilter()
_BY_PLUGINS = frozenset({SpanKind.HOOK, SpanKind.IMPLEMENTATION, SpanKind.BEFORE, SpanKind.AFTER, SpanKind.OWN})
_KEYS = {"hook": "hooks", "plugin": "plugins", "flavor": "flavors"}


def parsed_filter(parts: list[str]) -> TraceFilter:
    """Read ``hook=PATTERN``, ``plugin=PATTERN`` and ``flavor=PATTERN``, each any number of times.

    Raises:
        InvalidInputError: One is of another form.
    """
    found: dict[str, tuple[str, ...]] = {}
    for part in parts:
        key, _, pattern = part.partition("=")
        if key not in _KEYS or not pattern:
            raise InvalidInputError(
                f"A trace cannot be filtered by {part!r}.", hint="Write hook=, plugin= or flavor= and a pattern."
            )
        found[_KEYS[key]] = (*found.get(_KEYS[key], ()), pattern)
    return TraceFilter(**found)


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
