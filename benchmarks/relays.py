"""What it costs to reach a flavor through its relay, beside pluggy alone, and whether many flavors make it dearer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import pluggy
from measuring import Effort, Row, by_turns, loop, median_of, ratio_of

from actium import ActionConfig, AuthContext, BaseActionFlavor, BaseActionHandler, TriggerExecutionResponse, hookimpl
from actium.plugins.hookspecs import PROJECT_NAME, ActionHooks
from actium.plugins.registry import PluginFlavorRegistry

SUBJECT = "relay"
CONFIG = ActionConfig()
# Neither side looks at them, and both pass on the same objects.
EXECUTION = cast("TriggerExecutionResponse", object())
AUTH = cast("AuthContext", object())


class Bare:
    """The one implementation that pluggy calls by itself."""

    @hookimpl
    def run_action(self, config: Any, trigger_execution: Any, auth_context: Any) -> object:
        return config, trigger_execution, auth_context


class Passing:
    """A hook plugin that wraps every run."""

    @hookimpl(wrapper=True)
    def run_action(self) -> Any:
        return (yield)


def measure(effort: Effort) -> Iterator[Row]:
    """Compare a relay's call with pluggy's, alone, with hook plugins, and among many flavors."""
    yield from _beside_pluggy(effort)
    yield from _among_many(effort)


def _beside_pluggy(effort: Effort) -> Iterator[Row]:
    for hook_plugins in (0, 1, 3):
        wrappers = [type(f"Passing{number}", (Passing,), {})() for number in range(hook_plugins)]
        calls = _bare_call(*wrappers), _relay_call(*wrappers)
        results = by_turns([loop(call, effort.seconds) for call in calls], effort.rounds)
        yield Row(
            subject=SUBJECT,
            name=f"relay.run_action, {hook_plugins} hook plugins",
            value=median_of(results, 1),
            unit="ns",
            beside="pluggy's own call of the same plugins",
            beside_value=median_of(results, 0),
            ratio=ratio_of(results, 1, 0),
            at_most=1.5 if hook_plugins == 0 else None,
        )


def _among_many(effort: Effort) -> Iterator[Row]:
    one, many = _registry_of(1), _registry_of(effort.flavors)
    last = f"flavor_{effort.flavors - 1}"

    def among_one() -> object:
        return one.get_relay("bench", "flavor_0").run_action(CONFIG, EXECUTION, AUTH)

    def among_many() -> object:
        return many.get_relay("bench", last).run_action(CONFIG, EXECUTION, AUTH)

    results = by_turns([loop(among_one, effort.seconds), loop(among_many, effort.seconds)], effort.rounds)
    yield Row(
        subject=SUBJECT,
        name=f"registry.get_relay(...).run_action, {effort.flavors} flavors in use",
        value=median_of(results, 1),
        unit="ns",
        beside="the same, 1 flavor in use",
        beside_value=median_of(results, 0),
        ratio=ratio_of(results, 1, 0),
        at_most=1.1,
    )


def _bare_call(*hook_plugins: object) -> Callable[[], object]:
    manager = pluggy.PluginManager(PROJECT_NAME)
    manager.add_hookspecs(ActionHooks)
    for plugin in (Bare(), *hook_plugins):
        manager.register(plugin)
    run_action = manager.hook.run_action
    return lambda: run_action(config=CONFIG, trigger_execution=EXECUTION, auth_context=AUTH)


def _relay_call(*hook_plugins: object) -> Callable[[], object]:
    relay = _registry_of(1, *hook_plugins).get_relay("bench", "flavor_0")
    return lambda: relay.run_action(CONFIG, EXECUTION, AUTH)


def _registry_of(flavors: int, *hook_plugins: object) -> PluginFlavorRegistry:
    """A registry in which every flavor is in use."""
    registry = PluginFlavorRegistry(hooks=hook_plugins, path=[])
    for number in range(flavors):
        registry.register_plugin_flavor(_flavor(f"flavor_{number}"))
        registry.get_relay("bench", f"flavor_{number}")
    return registry


def _flavor(name: str) -> type[BaseActionFlavor]:
    class Handler(BaseActionHandler):
        @property
        def config_class(self) -> type[ActionConfig]:
            return ActionConfig

        @property
        def flavor_class(self) -> type[BaseActionFlavor]:
            return Flavor

        def run(self, config: Any, trigger_execution: TriggerExecutionResponse, auth_context: AuthContext) -> Any:
            return config, trigger_execution, auth_context

    class Flavor(BaseActionFlavor):
        SUBTYPE = "bench"
        FLAVOR = name
        PLUGIN_CLASS = Handler
        ACTION_CONFIG_CLASS = ActionConfig

    return Flavor
