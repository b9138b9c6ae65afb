"""Every error that Actium raises on purpose, in one tree.

A message is whole sentences: what was wrong, with which value and where; ``hint`` says what to do next.
Each class also derives from the built-in exception that a caller who has never heard of Actium would expect::

    ActiumError
    ├── InvalidInputError (ValueError)            something given from outside is wrong
    │   ├── InvalidConfigurationError             a configuration does not fit its flavor
    │   ├── InvalidFilterError                    a trigger's event filter cannot be understood
    │   └── InvalidQueryError                     no such page, column or operator
    ├── NotFoundError (KeyError)                  no such object
    │   └── FlavorNotFoundError                   no such flavor is registered or installed
    ├── AmbiguousReferenceError (LookupError)     a name or id prefix fits several objects
    ├── ConflictError                             the object's present state does not allow it
    │   ├── AlreadyExistsError (ValueError)       the name is taken
    │   ├── VersionConflictError                  someone else changed the object in the meantime
    │   ├── InUseError                            other objects still refer to it
    │   └── NotReadyError                         the object is being created, updated or deleted
    ├── HydrationError (RuntimeError)             a field was read that was not hydrated
    ├── NotConfiguredError (RuntimeError)         a part is used that was never attached
    ├── PluginError
    │   ├── PluginQuarantinedError (ImportError)  the plugin is installed but broken
    │   ├── PluginBlockedError                    the plugin was blocked by name
    │   └── DuplicateFlavorError (ValueError)     two different claims to one flavor key
    ├── AuthError (PermissionError)
    │   ├── InvalidTokenError                     unknown, expired or revoked
    │   └── InactiveAccountError                  the service account is switched off
    ├── SecretResolutionError (LookupError)       a secret reference leads nowhere
    ├── ExecutionCancelled                        a handler ends because it was asked to
    ├── Retry                                     a handler wants to be called again
    ├── PermanentError                            a handler would fail again in the same way
    ├── ExecutionTimeoutError (TimeoutError)      an attempt took too long
    ├── ExecutionNotEndedError (TimeoutError)     an execution has not ended in time
    ├── ExecutionFailedError                      an execution has ended without a result
    ├── WorkerLostError                           others have taken over from a worker
    └── StoreError
        ├── StoreClosedError (RuntimeError)       used after close()
        ├── StoreBusyError (TimeoutError)         others wrote for too long
        ├── StoreReadOnlyError (PermissionError)  the file, or its folder, cannot be written
        ├── StoreCorruptError                     not a database, not an Actium store, or damaged
        └── StoreVersionError                     written by a newer Actium
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta


class ActiumError(Exception):
    """Base of every error that Actium raises on purpose.

    Attributes:
        message: What was wrong, in whole sentences.
        hint: What to do next, in whole sentences, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:  # KeyError would show the repr of its argument
        return self.message if self.hint is None else f"{self.message} {self.hint}"


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing that is wrong with one field.

    Attributes:
        path: Where the field stands, e.g. ``run_config.parameters.lr`` or ``steps[2]``; empty for the whole.
        problem: What is wrong, e.g. ``Input should be a valid number``.
        value: The value as given, shortened; None where it must not be shown.
        expected: The expected type or shape in words, where known.
    """

    path: str
    problem: str
    value: str | None = None
    expected: str | None = None

    def __str__(self) -> str:
        shown = "" if self.value is None else f" (got {self.value})"
        return f"{self.path or '(whole)'}: {self.problem}{shown}"


class InvalidInputError(ActiumError, ValueError):
    """Something given from outside is wrong.

    Attributes:
        problems: One entry a wrong field; empty where the whole is wrong.
    """

    def __init__(self, message: str, *, problems: Sequence[FieldProblem] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        if not self.problems:
            return super().__str__()
        lines = [self.message, *(f"  {problem}" for problem in self.problems)]
        if self.hint is not None:
            lines.append(self.hint)
        return "\n".join(lines)


class InvalidConfigurationError(InvalidInputError):
    """An action's configuration does not fit its flavor."""


class InvalidFilterError(InvalidInputError):
    """A trigger's event filter cannot be understood."""


class InvalidQueryError(InvalidInputError):
    """A listing asks for a page, a column or an operator that does not exist."""


class NotFoundError(ActiumError, KeyError):
    """No such object."""

    __str__ = ActiumError.__str__


class FlavorNotFoundError(NotFoundError):
    """No such flavor is registered or installed."""


class AmbiguousReferenceError(ActiumError, LookupError):
    """A name or id prefix fits several objects.

    Attributes:
        candidates: What it fits, as ``name (id)``.
    """

    def __init__(self, message: str, *, candidates: Sequence[str] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.candidates = tuple(candidates)


class ConflictError(ActiumError):
    """The object's present state does not allow what was asked."""


class AlreadyExistsError(ConflictError, ValueError):
    """The name is taken."""


class VersionConflictError(ConflictError):
    """Someone else changed the object between the read and the write."""


class InUseError(ConflictError):
    """Other objects still refer to it.

    Attributes:
        users: The names of those objects.
    """

    def __init__(self, message: str, *, users: Sequence[str] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.users = tuple(users)


class NotReadyError(ConflictError):
    """The object is just being created, updated or deleted."""


class HydrationError(ActiumError, RuntimeError):
    """A field was read that this response was not hydrated with."""


class NotConfiguredError(ActiumError, RuntimeError):
    """A part, such as a store or an event hub, is used that was never attached."""


class PluginError(ActiumError):
    """A plugin cannot be used."""


class PluginQuarantinedError(PluginError, ImportError):
    """The plugin is installed but broken; everything else goes on without it."""


class PluginBlockedError(PluginError):
    """The plugin was blocked by name."""


class DuplicateFlavorError(PluginError, ValueError):
    """Two different claims to one flavor key."""


class AuthError(ActiumError, PermissionError):
    """Someone may not do this."""


class InvalidTokenError(AuthError):
    """The token is unknown, expired or revoked."""


class InactiveAccountError(AuthError):
    """The service account is switched off."""


class SecretResolutionError(ActiumError, LookupError):
    """A secret reference leads nowhere, e.g. to an environment variable that is not set."""


class ExecutionCancelled(ActiumError):
    """Raised by a handler that ends because its execution was asked to; the execution becomes ``cancelled``."""


class Retry(ActiumError):
    """Raised by a handler that wants to be called again; refused only when no attempts are left.

    Attributes:
        after: Seconds to wait; None for what the action's run policy says.
    """

    def __init__(
        self,
        message: str = "the handler asked for another attempt",
        *,
        after: float | timedelta | None = None,
        hint: str | None = None,
    ) -> None:
        """Ask for another attempt.

        Args:
            message: Why.
            after: How long to wait, in seconds or as a timedelta; None for what the action's run policy says. A time
                that is past, as clocks of two machines make it, is now. Nothing waits longer than
                `actium.models.run_policy.MAX_SECONDS`, a year.
            hint: What can be done.

        Raises:
            InvalidInputError: ``after`` is no time that can be waited for, such as the text of a header, or infinity.
        """
        super().__init__(message, hint=hint)
        self.after = after.total_seconds() if isinstance(after, timedelta) else after
        if not self.has_a_time:
            raise InvalidInputError(
                f"A retry cannot wait for {after!r}.",
                hint="Give `after` in seconds from now, as a number that is finite, or as a timedelta.",
            )

    @property
    def has_a_time(self) -> bool:
        """Whether ``after`` is a time that can be waited for, or left to the run policy."""
        return self.after is None or (type(self.after) in {int, float} and -math.inf < self.after < math.inf)


class PermanentError(ActiumError):
    """Raised by a handler that would fail again in the same way; the execution is not tried again."""


class ExecutionTimeoutError(ActiumError, TimeoutError):
    """An attempt took longer than the run policy allows."""


class ExecutionNotEndedError(ActiumError, TimeoutError):
    """An execution that someone waited for has not ended in time."""


class ExecutionFailedError(ActiumError):
    """An execution that someone wanted the result of has ended without one.

    Attributes:
        status: How it ended.
    """

    def __init__(self, message: str, *, status: str = "failed", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class WorkerLostError(ActiumError):
    """The store has given a worker's executions to others, as it has not been heard of for longer than its lease."""


class StoreError(ActiumError):
    """The store cannot do what was asked."""


class StoreClosedError(StoreError, RuntimeError):
    """The store was used after ``close()``."""


class StoreBusyError(StoreError, TimeoutError):
    """Others, in this process or another, wrote to the store for longer than the time limit; nothing was stored."""


class StoreReadOnlyError(StoreError, PermissionError):
    """The store file, or its folder, cannot be written."""


class StoreCorruptError(StoreError):
    """The file is not a database, is another program's database, or is damaged."""


class StoreVersionError(StoreError):
    """The store was written by a newer Actium than this one."""
