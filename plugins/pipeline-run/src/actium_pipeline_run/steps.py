"""Steps: plain functions that, called while a pipeline's graph is drawn, become nodes of it instead of running."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import cached_property, update_wrapper
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from actium_pipeline_run.errors import PipelineDefinitionError
from actium_pipeline_run.graph import MAX_RETRIES
from actium_pipeline_run.signatures import FunctionSignature

ParametersT = ParamSpec("ParametersT")
ResultT = TypeVar("ResultT")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")


class Recorder(Protocol):
    """Takes the calls of steps while a pipeline's graph is drawn."""

    def record(self, step: StepFunction[Any, Any], positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Make a call a node, and return what stands for its output."""


recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


class StepFunction(Generic[ParametersT, ResultT]):
    """A function that is a step. Outside of a pipeline's graph it is called like the function itself.

    Attributes:
        function: The function.
        name: Its name in graphs; a further call of it there is called ``NAME_2``, and so on.
        retries: How often a failed call is repeated.
        outputs: How many values a pipeline can unpack its output into; 1 for none.
        waits_for: What else must have run before it, without its output being used.
        is_renamed: Whether the name was chosen for one place, so that it must be unique as it is.
    """

    def __init__(
        self,
        function: Callable[ParametersT, ResultT],
        *,
        name: str,
        retries: int = 0,
        outputs: int = 1,
        waits_for: Sequence[Any] = (),
        is_renamed: bool = False,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise PipelineDefinitionError(
                f"{name!r} cannot be the name of a step.",
                hint="Use at most 63 letters, digits, '_' and '-', beginning with a letter: @step(name='...').",
            )
        if not 0 <= retries <= MAX_RETRIES:
            raise PipelineDefinitionError(f"The step {name!r} has retries={retries}; use 0 to {MAX_RETRIES}.")
        if outputs < 1:
            raise PipelineDefinitionError(f"The step {name!r} has outputs={outputs}; use 1 or more.")
        self.function = function
        self.name = name
        self.retries = retries
        self.outputs = outputs
        self.waits_for = tuple(waits_for)
        self.is_renamed = is_renamed
        update_wrapper(self, function)

    @cached_property
    def signature(self) -> FunctionSignature:
        """What it takes; read at the first use, when its whole module has been imported."""
        return FunctionSignature.of(self.function)

    def options(
        self, *, name: str | None = None, retries: int | None = None, after: Sequence[object] = ()
    ) -> StepFunction[ParametersT, ResultT]:
        """The same step for one place of a pipeline: ``fit.options(name="fit-large", after=[checked])(rows)``.

        Args:
            name: Its name in the graph.
            retries: How often a failed call is repeated.
            after: Outputs of steps that must have run before, without being used.
        """
        return StepFunction(
            self.function,
            name=self.name if name is None else name,
            retries=self.retries if retries is None else retries,
            outputs=self.outputs,
            waits_for=(*self.waits_for, *after),
            is_renamed=self.is_renamed or name is not None,
        )

    def __call__(self, *args: ParametersT.args, **kwargs: ParametersT.kwargs) -> ResultT:
        active = recorder.get()
        if active is None:
            return self.function(*args, **kwargs)
        output: ResultT = active.record(self, args, kwargs)  # a stand-in, typed as what it stands for
        return output

    def __repr__(self) -> str:
        return f"<step {self.name!r}>"


@overload
def step(function: Callable[ParametersT, ResultT], /) -> StepFunction[ParametersT, ResultT]: ...


@overload
def step(
    *, name: str | None = None, retries: int = 0, outputs: int = 1
) -> Callable[[Callable[ParametersT, ResultT]], StepFunction[ParametersT, ResultT]]: ...


def step(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    retries: int = 0,
    outputs: int = 1,
) -> Any:
    """Make a function a step of pipelines: ``@step`` or ``@step(retries=2)``.

    Args:
        function: The function.
        name: The step's name, if not the function's.
        retries: How often a failed call is repeated, if the run's configuration does not say.
        outputs: How many values a pipeline can unpack its output into: ``train, test = split(rows)``.

    Raises:
        PipelineDefinitionError: It is a coroutine function or a generator, or an option makes no sense.
    """

    def decorate(function: Callable[..., Any]) -> StepFunction[..., Any]:
        _check_function(function)
        return StepFunction(function, name=name or function.__name__, retries=retries, outputs=outputs)

    return decorate if function is None else decorate(function)


def _check_function(function: object) -> None:
    if not inspect.isfunction(function):
        raise PipelineDefinitionError(f"A step must be a function, not {function!r}.")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise PipelineDefinitionError(
            f"The step {function.__qualname__}() is asynchronous.", hint="Call asyncio.run() within a plain function."
        )
    if inspect.isgeneratorfunction(function):
        raise PipelineDefinitionError(f"The step {function.__qualname__}() is a generator.", hint="Return a list.")
