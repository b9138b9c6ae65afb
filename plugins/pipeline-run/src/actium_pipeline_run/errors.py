"""What can go wrong with pipelines, on top of the errors of `actium.errors`.

Each stands below the error that it is one of; in brackets, the built-in exception that it is as well::

    InvalidInputError
    └── PipelineDefinitionError    the Python of a pipeline or step cannot become a graph of steps
    NotFoundError
    └── SourceNotFoundError        the file, module or attribute of a pipeline is not there
    ConflictError
    └── SourceChangedError         a file is no longer what it was when the snapshot was made
    ActiumError
    └── PipelineRunError           a run ended without its result
        └── PipelineTimeoutError (TimeoutError)
"""

from __future__ import annotations

from actium.errors import ActiumError, ConflictError, InvalidInputError, NotFoundError


class PipelineDefinitionError(InvalidInputError):
    """The Python of a pipeline or step cannot become a graph of steps."""


class SourceNotFoundError(NotFoundError):
    """The file, module or attribute of a pipeline is not there, or cannot be imported."""


class SourceChangedError(ConflictError):
    """A file is no longer what it was when the snapshot was made.

    Attributes:
        path: The file.
        recorded: Its SHA-256 in the snapshot.
        found: Its SHA-256 now, None where the file is gone.
    """

    def __init__(self, *, path: str, recorded: str, found: str | None) -> None:
        now = "it is gone" if found is None else f"now it has {found}"
        super().__init__(
            f"{path} has changed since its snapshot was made: then it had the SHA-256 {recorded}, {now}.",
            hint="Make a new snapshot of the pipeline and use that, or bring the file back.",
        )
        self.path = path
        self.recorded = recorded
        self.found = found


class PipelineRunError(ActiumError):
    """A run ended without its result. The message names the step, where one is to blame."""


class PipelineTimeoutError(PipelineRunError, TimeoutError):
    """A run took longer than its configuration allows, and was killed."""
