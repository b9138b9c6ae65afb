"""What stands for a value while a pipeline's graph is drawn: a pipeline's parameter, or the output of a step.

Such a value is known only when the pipeline runs. It can be handed to steps, alone or within lists, tuples and
dictionaries, and its items can be picked; anything else is refused, so that no pipeline silently decides on a stand-in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Never

from actium_pipeline_run.errors import PipelineDefinitionError

Key = str | int

_REFUSED = (
    *("__bool__", "__len__", "__contains__", "__str__", "__format__", "__int__", "__float__", "__index__", "__call__"),
    *("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__neg__", "__pos__", "__abs__", "__invert__"),
    *("__add__", "__sub__", "__mul__", "__truediv__", "__floordiv__", "__mod__", "__pow__", "__matmul__"),
    *("__radd__", "__rsub__", "__rmul__", "__rtruediv__", "__rfloordiv__", "__rmod__", "__rpow__", "__rmatmul__"),
    *("__and__", "__or__", "__xor__", "__rand__", "__ror__", "__rxor__", "__fspath__", "__bytes__", "__enter__"),
)


class Symbol:
    """Base of what stands for a value that is known only when the pipeline runs.

    Attributes:
        path: The keys that were picked, outermost first; empty for the whole value.
    """

    __slots__ = ("path",)

    def __init__(self, path: tuple[Key, ...] = ()) -> None:
        self.path = path

    __hash__ = object.__hash__

    @property
    def described(self) -> str:
        """What it stands for, in words."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{self.described}>"

    def __iter__(self) -> Iterator[Any]:
        raise self.refusal("iterate over it", hint="Give its step outputs=N to unpack a tuple of N, or loop in a step.")

    def __getattr__(self, name: str) -> Never:
        if name.startswith("__"):  # the interpreter and libraries look for protocols and expect to be told no
            raise AttributeError(name)
        raise self.refusal(f"read its attribute {name!r}")

    def refusal(self, what: str, *, hint: str = "Do that inside of a step.") -> PipelineDefinitionError:
        """Say that something cannot be done while the graph is drawn."""
        described = self.described[:1].upper() + self.described[1:]
        return PipelineDefinitionError(
            f"{described} is known only when the pipeline runs, so the pipeline's own body cannot {what}.", hint=hint
        )


def _refusing(operator: str) -> Callable[..., Never]:
    def refuse(self: Symbol, *_: object) -> Never:
        raise self.refusal(f"use it with {operator}()")

    return refuse


for _operator in _REFUSED:
    setattr(Symbol, _operator, _refusing(_operator))


class PipelineParameter(Symbol):
    """Stands for the value of one of the pipeline's parameters.

    Attributes:
        name: The parameter.
    """

    __slots__ = ("name",)

    def __init__(self, name: str, path: tuple[Key, ...] = ()) -> None:
        super().__init__(path)
        self.name = name

    @property
    def described(self) -> str:
        """What it stands for, in words."""
        return f"the parameter {self.name!r} of the pipeline"

    def __getitem__(self, key: Key) -> PipelineParameter:
        return PipelineParameter(self.name, (*self.path, key))


class StepOutput(Symbol):
    """Stands for what a step will return.

    Attributes:
        step: The step's name in the graph.
        outputs: How many values it can be unpacked into; 1 for none.
    """

    __slots__ = ("outputs", "step")

    def __init__(self, step: str, *, outputs: int = 1, path: tuple[Key, ...] = ()) -> None:
        super().__init__(path)
        self.step = step
        self.outputs = outputs

    @property
    def described(self) -> str:
        """What it stands for, in words."""
        return f"the output of the step {self.step!r}"

    def __getitem__(self, key: Key) -> StepOutput:
        return StepOutput(self.step, path=(*self.path, key))

    def __iter__(self) -> Iterator[StepOutput]:
        if self.outputs == 1:
            return super().__iter__()
        return iter([self[index] for index in range(self.outputs)])


def replace_symbols(value: object, replacement: Callable[[Symbol], object]) -> Any:
    """Copy a value with every symbol in it replaced, within lists, tuples and dictionaries."""
    if isinstance(value, Symbol):
        return replacement(value)
    if isinstance(value, list):
        return [replace_symbols(item, replacement) for item in value]
    if isinstance(value, tuple):
        items = [replace_symbols(item, replacement) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, dict):
        return {key: replace_symbols(item, replacement) for key, item in value.items()}
    return value


def symbols_in(value: object) -> tuple[Symbol, ...]:
    """All symbols in a value, in order.

    Raises:
        PipelineDefinitionError: One is where it cannot be replaced: in a set, or as a dictionary's key.
    """
    found: list[Symbol] = []
    _collect(value, found)
    return tuple(found)


def _collect(value: object, found: list[Symbol]) -> None:
    if isinstance(value, Symbol):
        found.append(value)
    elif isinstance(value, list | tuple):
        for item in value:
            _collect(item, found)
    elif isinstance(value, dict):
        _refuse_within(value)
        for item in value.values():
            _collect(item, found)
    elif isinstance(value, set | frozenset):
        _refuse_within(value)


def _refuse_within(values: object) -> None:
    for value in values if isinstance(values, set | frozenset | dict) else ():
        if isinstance(value, Symbol):
            raise value.refusal("put it into a set or use it as a key", hint="Use a list, or do that inside of a step.")
