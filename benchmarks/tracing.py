"""What tracing costs: a relay's call while nothing is traced beside pluggy alone, and what a span costs when it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pluggy
from measuring import Effort, Row, by_turns, median_of, ratio_of, slice_of
from relays import AUTH, CONFIG, EXECUTION, Passing

from actium import trace
from actium.plugins.hook_plugins import HookPlugin
from actium.plugins.hookspecs import PROJECT_NAME, ActionHooks
from actium.plugins.origin import Origin
from actium.plugins.relay import HandlerHooks, Relay
from actium.tracing.recorder import Entered, Recording
from actium.tracing.spans import SpanKind

SUBJECT = "tracing"
ORIGIN = Origin("bench.traced", "bench", "1.0")
SPANS = 1_000
SLICE = 300
MOST_NANOSECONDS = 10_000


class Handler:
    """Answers one hook."""

    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> object:
        return config, trigger_execution, auth_context


def measure(effort: Effort) -> Iterator[Row]:
    """Compare a relay's call that is not traced with pluggy's own, and measure spans in memory."""
    for hook_plugins in (0, 1, 3):
        yield _off(effort, hook_plugins)
    yield _span(effort, "a span of a plugin's own, in memory", _own_span)
    yield _span(effort, "a span of a hook call with a handler, in memory", _hook_call(), spans=2)
    yield _span(effort, "a span of a hook call with 3 wrappers, in memory", _hook_call(3), spans=8)
    yield _own_span_off(effort)


def _off(effort: Effort, hook_plugins: int) -> Row:
    plugins = [HookPlugin(Passing(), Origin(f"passing-{number}")) for number in range(hook_plugins)]
    results = by_turns([slice_of(call, SLICE) for call in _calls(plugins)], 100 * effort.rounds)
    return Row(
        subject=SUBJECT,
        name=f"relay.run_action, not traced, {hook_plugins} hook plugins",
        value=median_of(results, 1),
        unit="ns",
        beside="the same plugins on a bare plugin manager",
        beside_value=median_of(results, 0),
        ratio=ratio_of(results, 1, 0),
        at_most=1.03,
    )


def _calls(hook_plugins: list[HookPlugin]) -> tuple[Callable[[], object], Callable[[], object]]:
    manager = pluggy.PluginManager(PROJECT_NAME)
    manager.add_hookspecs(ActionHooks)
    for plugin in (HandlerHooks(Handler(), ORIGIN, is_async=False), *hook_plugins):
        manager.register(plugin)
    bare = manager.hook.run_action
    relay = Relay(Handler(), ORIGIN, hook_plugins)
    return (
        lambda: bare(config=CONFIG, trigger_execution=EXECUTION, auth_context=AUTH),
        lambda: relay.run_action(CONFIG, EXECUTION, AUTH),
    )


def _own_span() -> object:
    with trace.span("upload", rows=1) as span:
        return span


def _hook_call(hook_plugins: int = 0) -> Callable[[], object]:
    plugins = [HookPlugin(Passing(), Origin(f"passing-{number}")) for number in range(hook_plugins)]
    relay = Relay(Handler(), ORIGIN, plugins)
    return lambda: relay.run_action(CONFIG, EXECUTION, AUTH)


def _span(effort: Effort, name: str, call: Callable[[], object], *, spans: int = 1) -> Row:
    """Each recording has as many spans as one attempt may have, about; then comes the next."""

    def record() -> None:
        recording = Recording()
        with Entered(recording.begin(None, SpanKind.ATTEMPT, "attempt")):
            for _ in range(SPANS // spans):
                call()
        recording.drop()

    results = by_turns([slice_of(record, 1)], 20 * effort.rounds)
    value = median_of(results, 0) / SPANS
    return Row(subject=SUBJECT, name=name, value=value, unit="ns", at_most_value=MOST_NANOSECONDS)


def _own_span_off(effort: Effort) -> Row:
    results = by_turns([slice_of(_own_span, SLICE)], 20 * effort.rounds)
    return Row(subject=SUBJECT, name="a span of a plugin's own, not traced", value=median_of(results, 0), unit="ns")
