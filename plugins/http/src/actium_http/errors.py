"""How a request can fail. Which of these are tried again is the run policy's to say, except where it cannot help."""

from __future__ import annotations

from actium.errors import ActiumError, PermanentError


class RequestFailedError(ActiumError, ConnectionError):
    """There was no whole answer: no such host, no connection, or one that broke."""


class RequestTimeoutError(ActiumError, TimeoutError):
    """The answer was not there in time."""


class UnexpectedStatusError(ActiumError):
    """The answer has a status that is not expected, and that may be another one the next time."""


class RequestRefusedError(PermanentError):
    """The answer says that this request is wrong, or must go elsewhere: the next one would be, too."""


class ForbiddenAddressError(PermanentError):
    """The request, or a redirect of it, leads to an address that it must not be sent to."""
