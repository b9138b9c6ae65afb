"""What can go wrong with a run in another process, beside what its handler raises.

It is told as the attempt's error::

    ActiumError
    ├── NotIsolableError (ValueError)         a flavor or hook plugin that another process cannot find
    ├── ProcessDiedError (RuntimeError)       it ended, crashed or was killed before it answered
    ├── ProcessProtocolError (RuntimeError)   it wrote what is no message; it was killed
    ├── UnstorableResultError (ValueError)    the handler's result is too large, or nothing that JSON can hold
    └── PoolClosedError (RuntimeError)        the pool was closed before or while it ran
"""

from __future__ import annotations

from actium.errors import ActiumError


class NotIsolableError(ActiumError, ValueError):
    """A flavor or hook plugin was made where another process cannot import it from."""


class ProcessDiedError(ActiumError, RuntimeError):
    """The process ended, crashed or was killed before it answered.

    Attributes:
        exit_code: What it ended with; None when a signal killed it.
        signal: The name of that signal, e.g. ``SIGSEGV``.
    """

    def __init__(
        self, message: str, *, exit_code: int | None = None, signal: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code
        self.signal = signal


class ProcessProtocolError(ActiumError, RuntimeError):
    """The process wrote something that is no message, or closed its connection; it was killed."""


class UnstorableResultError(ActiumError, ValueError):
    """The handler returned, but its result is too large or nothing that JSON can hold."""


class PoolClosedError(ActiumError, RuntimeError):
    """The pool of processes was closed before or while the handler ran."""
