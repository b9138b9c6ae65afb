"""How a command can fail. Which of these are tried again is the run policy's to say, except where it cannot help."""

from __future__ import annotations

from actium.errors import ActiumError, PermanentError


class CommandFailedError(ActiumError):
    """The command ended with an exit code that is no success, or was killed by a signal."""


class CommandFailedForGoodError(PermanentError):
    """The command ended with one of the exit codes that mean that trying again is of no use."""


class CommandNotStartedError(PermanentError):
    """There is no such program or folder, or it may not be used."""


class CommandLostError(ActiumError):
    """The process that looks after the command was itself ended, so that nobody knows what the command came to."""
