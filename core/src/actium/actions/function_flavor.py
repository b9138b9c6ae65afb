"""Flavors of one function: ``@action_flavor`` makes the handler and the flavor around it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal

from actium.actions.base_action import ActionConfig, BaseActionFlavor, BaseActionHandler
from actium.auth.context import AuthContext
from actium.errors import InvalidInputError
from actium.models.execution import TriggerExecutionResponse
from actium.models.kinds import OpenName

_ARGUMENTS = ("config", "trigger_execution", "auth_context", "handler")


def action_flavor(
    key: str,
    *,
    config: type[ActionConfig] = ActionConfig,
    auth_window: int | None = None,
    isolation: Literal["thread", "process"] = "thread",
) -> Callable[[Callable[..., Any]], type[BaseActionFlavor]]:
    """Make a whole flavor of one function, sync or async.

    The decorated name becomes the flavor class, which is what the entry point names::

        @action_flavor("notify.slack", config=SlackConfig)
        def slack(config, trigger_execution):
            ...

    Args:
        key: ``subtype.flavor``, the name of the entry point.
        config: The model of its configurations.
        auth_window: See ``AUTH_WINDOW`` of `BaseActionFlavor`.
        isolation: See ``ISOLATION`` of `BaseActionHandler`.

    Returns:
        A decorator for a function that takes any of ``config``, ``trigger_execution``, ``auth_context`` and
        ``handler``, by name. The handler is the `BaseActionHandler` around it, with the application's store,
        ``report_progress`` and ``cancel_requested``.

    Raises:
        InvalidInputError: The key is not of the form ``subtype.flavor``, the config is no `ActionConfig`, or what is
            decorated is no function or wants something else.
    """
    subtype, flavor = _halves(key)
    if not _is_config(config):
        raise InvalidInputError(f"The config of {key} is {config!r}.", hint="Give a subclass of ActionConfig.")
    names = {"SUBTYPE": str(OpenName(subtype)), "FLAVOR": str(OpenName(flavor))}

    def decorate(function: Callable[..., Any]) -> type[BaseActionFlavor]:
        handler = _handler_class(function, config, isolation, lambda: made)
        made: type[BaseActionFlavor] = type(
            function.__name__,
            (BaseActionFlavor,),
            {
                **names,
                "PLUGIN_CLASS": handler,
                "ACTION_CONFIG_CLASS": config,
                "AUTH_WINDOW": auth_window,
                "__doc__": function.__doc__,
                "__module__": function.__module__,
                "__qualname__": function.__qualname__,
            },
        )
        return made

    return decorate


def _handler_class(
    function: Callable[..., Any],
    config: type[ActionConfig],
    isolation: str,
    flavor: Callable[[], type[BaseActionFlavor]],
) -> type[BaseActionHandler]:
    wanted = [(name, _ARGUMENTS.index(name)) for name in _wanted(function)]

    def run(
        self: BaseActionHandler,
        config: ActionConfig,
        trigger_execution: TriggerExecutionResponse,
        auth_context: AuthContext,
    ) -> Any:
        given = (config, trigger_execution, auth_context, self)
        return function(**{name: given[place] for name, place in wanted})

    async def run_async(
        self: BaseActionHandler,
        config: ActionConfig,
        trigger_execution: TriggerExecutionResponse,
        auth_context: AuthContext,
    ) -> Any:
        return await run(self, config, trigger_execution, auth_context)

    return type(
        f"{function.__name__}_handler",
        (BaseActionHandler,),
        {
            "config_class": property(lambda self: config),
            "flavor_class": property(lambda self: flavor()),
            "run": run_async if inspect.iscoroutinefunction(function) else run,
            "ISOLATION": isolation,
            "takes_execution": any(name == "trigger_execution" for name, _ in wanted),
            "__module__": function.__module__,
        },
    )


def _halves(key: object) -> tuple[str, str]:
    subtype, dot, flavor = key.partition(".") if isinstance(key, str) else ("", "", "")
    if not dot:
        raise InvalidInputError(f"{key!r} is no flavor key.", hint="Write subtype.flavor, e.g. 'notify.slack'.")
    return subtype, flavor


def _is_config(given: object) -> bool:
    return isinstance(given, type) and issubclass(given, ActionConfig)


def _wanted(function: object) -> tuple[str, ...]:
    if not inspect.isroutine(function):
        raise InvalidInputError(
            f"{function!r} is no function.", hint="Decorate a function, or write a handler and a flavor as classes."
        )
    parameters = inspect.signature(function).parameters.values()
    unknown = [
        parameter.name
        for parameter in parameters
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}
        or (parameter.name not in _ARGUMENTS and parameter.default is parameter.empty)
    ]
    if unknown:
        raise InvalidInputError(
            f"{function.__qualname__} wants {', '.join(unknown)}, which a run does not give it.",
            hint=f"It may take any of {', '.join(_ARGUMENTS)}, by these names.",
        )
    return tuple(parameter.name for parameter in parameters if parameter.name in _ARGUMENTS)
