"""The flavor ``python.call``. The function is imported in the process that runs it, and nowhere else."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, ClassVar, Literal

from actium.actions.base_action import ActionConfig, BaseActionFlavor, BaseActionHandler
from actium.auth.context import AuthContext
from actium.errors import FieldProblem, InvalidConfigurationError
from actium.models.action import ActionRequest, ActionResponse, ActionUpdate
from actium.models.event import Event
from actium.models.execution import TriggerExecutionResponse
from actium_python.configuration import Given, PythonCallConfig
from actium_python.errors import ArgumentsError, CallableNotFoundError


class PythonCallActionHandler(BaseActionHandler):
    """Checks calls against the source of what they call, and makes them in processes of their own."""

    ISOLATION: ClassVar[Literal["thread", "process"]] = "process"

    @property
    def config_class(self) -> type[PythonCallConfig]:
        """The model of this flavor's configurations."""
        return PythonCallConfig

    @property
    def flavor_class(self) -> type[PythonCallActionFlavor]:
        """The flavor that names this handler."""
        return PythonCallActionFlavor

    def validate_action_request(self, action: ActionRequest, config: PythonCallConfig) -> None:
        """Refuse a function that is not there, and arguments that it does not take; it is not imported."""
        _check(config)

    def validate_action_update(
        self,
        action: ActionResponse,
        config: PythonCallConfig | None,
        action_update: ActionUpdate,
        config_update: PythonCallConfig,
    ) -> None:
        """Refuse the same in a configuration that is new; renaming never fails for an old one."""
        if "configuration" in action_update.model_fields_set:
            _check(config_update)

    def run(
        self, config: PythonCallConfig, trigger_execution: TriggerExecutionResponse, auth_context: AuthContext
    ) -> Any:
        """Call the function; what it returns is the result, and what it raises the reason.

        Raises:
            CallableNotFoundError: There is no such function where the worker runs.
            ArgumentsError: It does not take these arguments.
        """
        function = _imported(config)
        _check_arguments(config, function)
        keywords = {
            **config.kwargs,
            **{name: secret.get_secret_value() for name, secret in config.secrets.items()},
            **{name: _given(kind, trigger_execution, auth_context) for name, kind in config.inject.items()},
        }
        result = function(*config.args, **keywords)
        return _awaited(result) if inspect.isawaitable(result) else result


class PythonCallActionFlavor(BaseActionFlavor):
    """Calls any Python function that can be imported, in a process of its own."""

    SUBTYPE: ClassVar[str] = "python"
    FLAVOR: ClassVar[str] = "call"
    PLUGIN_CLASS: ClassVar[type[BaseActionHandler]] = PythonCallActionHandler
    ACTION_CONFIG_CLASS: ClassVar[type[ActionConfig]] = PythonCallConfig


def _check(config: PythonCallConfig) -> None:
    from actium_python.arguments import mismatches
    from actium_python.static_look import NotThereError, signature_of

    try:
        signature = signature_of(config.module, config.attribute)
    except NotThereError as error:
        raise InvalidConfigurationError(
            "This configuration names no function.",
            problems=[FieldProblem("callable", str(error), repr(config.callable))],
            hint="Install what provides it, here and where the worker runs, or put its folder on PYTHONPATH.",
        ) from error
    if signature is None:
        return
    problems = mismatches(signature, positional=len(config.args), keywords=config.keywords())
    if problems:
        raise InvalidConfigurationError(
            f"{config.callable} does not take these arguments.",
            problems=problems,
            hint=f"Its parameters are {_shown(signature)}.",
        )


def _shown(signature: inspect.Signature) -> str:
    return ", ".join(str(parameter).partition("=")[0] for parameter in signature.parameters.values()) or "none"


def _imported(config: PythonCallConfig) -> Callable[..., Any]:
    try:
        found: Any = import_module(config.module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{config.module}.".startswith(f"{error.name}."):
            raise  # the module is there, and what it needs is not
        raise CallableNotFoundError(
            f"There is no module {config.module!r} where this worker runs.",
            hint="Install what provides it there, or put its folder on the worker's PYTHONPATH.",
        ) from error
    for name in config.attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError as error:
            raise CallableNotFoundError(
                f"{config.callable} is not there: {error}.", hint="Is another release of it installed here?"
            ) from error
    if not callable(found):
        raise CallableNotFoundError(f"{config.callable} is of the type {type(found).__name__}, and cannot be called.")
    function: Callable[..., Any] = found
    return function


def _check_arguments(config: PythonCallConfig, function: Callable[..., Any]) -> None:
    from actium_python.arguments import mismatches

    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):  # written in C, which does not always tell; the call will
        return
    problems = mismatches(signature, positional=len(config.args), keywords=config.keywords())
    if problems:
        raise ArgumentsError(
            f"{config.callable} does not take these arguments: {'; '.join(map(str, problems))}.",
            hint=f"Its parameters are {_shown(signature)}.",
        )


def _awaited(awaitable: Awaitable[Any]) -> Any:
    import asyncio  # takes longer to import than all of this flavor

    async def wait() -> Any:
        return await awaitable

    return asyncio.run(wait())


def _given(kind: Given, trigger_execution: TriggerExecutionResponse, auth_context: AuthContext) -> Any:
    match kind:
        case Given.EVENT:
            return _as_json(trigger_execution.event)
        case Given.DATA:
            return None if trigger_execution.event is None else trigger_execution.event.data
        case Given.EXECUTION_ID:
            return str(trigger_execution.id)
        case Given.ATTEMPT:
            return trigger_execution.attempt
        case Given.ACCESS_TOKEN:
            return auth_context.access_token.get_secret_value()


def _as_json(event: Event | None) -> dict[str, Any] | None:
    if event is None:
        return None
    return {name: value for name, value in event.model_dump(mode="json").items() if value is not None}
