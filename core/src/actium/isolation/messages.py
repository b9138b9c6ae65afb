"""What the two sides say to each other: JSON objects, each behind its length as four bytes.

From the parent come ``settings`` (once), ``run``, ``cancel`` and ``close``; from the child ``ready`` (once),
``progress`` and ``answer``. The last two carry the number of the run that they belong to.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import Any, Self

from pydantic import SecretStr

from actium.auth.context import AuthContext
from actium.errors import InvalidInputError
from actium.isolation.errors import NotIsolableError, ProcessProtocolError
from actium.models.account import ServiceAccountResponse
from actium.models.execution import TriggerExecutionResponse
from actium.plugins.base_plugin_flavor import BasePluginFlavor
from actium.plugins.hook_implementations import implementations_of
from actium.plugins.hookspecs import ObserverHooks
from actium.plugins.origin import Origin

MAX_RESULT_BYTES = 10_485_760
"""How large the result of a run in another process may be, written as JSON."""

MAX_MESSAGE_BYTES = MAX_RESULT_BYTES + 1_048_576

_LENGTH = struct.Struct(">I")

Message = dict[str, Any]


def framed(message: Mapping[str, Any]) -> bytes:
    """A message as it is sent.

    Raises:
        InvalidInputError: It is longer than the other side would take.
    """
    text = json.dumps(message, separators=(",", ":")).encode()
    if len(text) > MAX_MESSAGE_BYTES:
        raise InvalidInputError(
            f"This message of {len(text):,} bytes is too long for another process.",
            hint=f"At most {MAX_MESSAGE_BYTES:,} bytes can be sent.",
        )
    return _LENGTH.pack(len(text)) + text


class Frames:
    """Takes bytes as they arrive, and gives the messages that are complete. It never holds more than one too long."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def add(self, received: bytes) -> None:
        """Take what arrived."""
        self._pending += received

    def take(self) -> Message | None:
        """The next message, None while none is complete.

        Raises:
            ProcessProtocolError: What arrived is no message.
        """
        if len(self._pending) < _LENGTH.size:
            return None
        end = _LENGTH.size + _LENGTH.unpack_from(self._pending)[0]
        if end - _LENGTH.size > MAX_MESSAGE_BYTES:
            raise self._rubbish()
        if len(self._pending) < end:
            return None
        text = bytes(self._pending[_LENGTH.size : end])
        try:
            message = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise self._rubbish() from error
        if not isinstance(message, dict) or not isinstance(message.get("kind"), str):
            raise self._rubbish()
        del self._pending[:end]
        return message

    def _rubbish(self) -> ProcessProtocolError:
        return ProcessProtocolError(
            f"A process wrote what is no message; it begins with {bytes(self._pending[:40])!r}.",
            hint="Its handler, or a library that it uses, writes to a descriptor that is not its own.",
        )


@dataclass(frozen=True, slots=True)
class FlavorReference:
    """Where another process finds a flavor.

    Attributes:
        subtype: The first half of its key.
        flavor: The second half.
        made_in_code: ``module:qualname`` of its class; None for one that an installed distribution provides.
    """

    subtype: str
    flavor: str
    made_in_code: str | None = None

    @classmethod
    def of(cls, flavor: type[BasePluginFlavor], origin: Origin) -> Self:
        """Where another process finds a flavor of this one.

        Raises:
            NotIsolableError: It was made in code that cannot be imported.
        """
        where = None if origin.distribution is not None else importable(flavor, what=f"The flavor {flavor.key()}")
        return cls(flavor.SUBTYPE, flavor.FLAVOR, where)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """One run, as another process needs it.

    Attributes:
        flavor: Whose handler runs it.
        configuration: The configuration as it is stored; its secrets are resolved in the other process.
        trigger_execution: The execution, hydrated.
        auth_context: On whose behalf; the token is handed on, and never shown.
        is_traced: Whether what plugins do is to be recorded and sent back.
    """

    flavor: FlavorReference
    configuration: Mapping[str, Any]
    trigger_execution: TriggerExecutionResponse
    auth_context: AuthContext
    is_traced: bool = False

    def packed(self) -> Message:
        """This order as JSON values, its token included."""
        expires = self.auth_context.expires
        return {
            "flavor": [self.flavor.subtype, self.flavor.flavor, self.flavor.made_in_code],
            "configuration": self.configuration,
            "trigger_execution": self.trigger_execution.model_dump(mode="json"),
            "service_account": self.auth_context.service_account.model_dump(mode="json"),
            "access_token": self.auth_context.access_token.get_secret_value(),
            "expires": None if expires is None else expires.isoformat(),
            "is_traced": self.is_traced,
        }

    @classmethod
    def unpacked(cls, message: Message) -> Self:
        """The order that was packed."""
        expires = message["expires"]
        return cls(
            flavor=FlavorReference(*message["flavor"]),
            configuration=message["configuration"],
            trigger_execution=TriggerExecutionResponse.model_validate(message["trigger_execution"]),
            auth_context=AuthContext(
                service_account=ServiceAccountResponse.model_validate(message["service_account"]),
                access_token=SecretStr(message["access_token"]),
                expires=None if expires is None else datetime.fromisoformat(expires),
            ),
            is_traced=message["is_traced"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSettings:
    """What all runs of a pool have in common.

    Attributes:
        store_url: The store that handlers reach as ``self.store``; None for none.
        hooks: The enabled hook plugins, by entry point name or as ``module:`` or ``module:name``.
        blocked: Names of plugins or distributions not to use.
        attach: ``module:function`` that is called with each new handler and its store.
    """

    store_url: str | None = None
    hooks: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    attach: str | None = None

    def packed(self) -> Message:
        """These settings as JSON values."""
        return {
            "store_url": self.store_url,
            "hooks": list(self.hooks),
            "blocked": list(self.blocked),
            "attach": self.attach,
        }

    @classmethod
    def unpacked(cls, message: Message) -> Self:
        """The settings that were packed."""
        return cls(
            store_url=message["store_url"],
            hooks=tuple(message["hooks"]),
            blocked=tuple(message["blocked"]),
            attach=message["attach"],
        )


def hook_references(hooks: Sequence[object]) -> tuple[str, ...]:
    """Where another process finds hook plugins; those that only observe have nothing to do there.

    Raises:
        NotIsolableError: One was made in code and has no name in its module. It was enabled on purpose, perhaps to
            refuse what must not happen, so it is never passed over.
    """
    return tuple(
        hook if isinstance(hook, str) else _hook_reference(hook)
        for hook in hooks
        if isinstance(hook, str) or not _only_observes(hook)
    )


def _only_observes(hook: object) -> bool:
    implemented = {each.hook for each in implementations_of(hook)}
    return all(name in vars(ObserverHooks) for name in implemented)


def _hook_reference(hook: object) -> str:
    if isinstance(hook, ModuleType):
        return f"{hook.__name__}:"
    module = type(hook).__module__
    for name, value in vars(sys.modules.get(module, ModuleType(module))).items():
        if value is hook and module != "__main__":
            return f"{module}:{name}"
    raise NotIsolableError(
        f"The hook plugin {hook!r} cannot be imported by another process.",
        hint="Enable it by the name of its entry point, or keep it as a module-level object beside its class.",
    )


def importable(kind: type, *, what: str) -> str:
    """``module:qualname`` of a class, as another process can import it.

    Raises:
        NotIsolableError: It cannot be reached by that name, or belongs to a script.
    """
    module = _importable_module(kind.__module__)
    reached: object = sys.modules.get(kind.__module__)
    for name in kind.__qualname__.split("."):
        reached = getattr(reached, name, None)  # None inside a function: its <locals> are no attribute
    if module is None or reached is not kind:
        raise NotIsolableError(
            f"{what} is {kind.__module__}:{kind.__qualname__}, which another process cannot import.",
            hint="Define it at the top of a module that can be imported, or let its distribution provide it.",
        )
    return f"{module}:{kind.__qualname__}"


def _importable_module(name: str) -> str | None:
    """The name to import a module by: for ``python -m package.module`` another one than it has, for a script none."""
    if name != "__main__":
        return name
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return None if spec is None else spec.name
