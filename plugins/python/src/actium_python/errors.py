"""Why a function cannot be called. Trying again would not help: what is installed is not what was configured."""

from __future__ import annotations

from actium.errors import PermanentError


class CallableNotFoundError(PermanentError):
    """There is no such module or attribute where the worker runs, or it is nothing that can be called."""


class ArgumentsError(PermanentError):
    """The function does not take these arguments."""
