"""Calling a hook whose implementations may be coroutines, which pluggy cannot do.

pluggy calls plain functions: around an ``async def`` implementation it would hand wrappers the coroutine object
instead of its outcome (https://github.com/pytest-dev/pluggy/issues/320). The call here uses the implementations that
pluggy registered and ordered, follows the same rules, and awaits in between.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import pluggy

Wrapper = Generator[None, Any, Any]


async def call_awaiting(caller: pluggy.HookCaller, arguments: Mapping[str, object]) -> Any:
    """Call a ``firstresult`` hook as ``caller(**arguments)`` does, and await what is awaitable.

    Wrappers are entered, implementations are called until one gives something other than None, and wrappers are left
    in reverse order, each with the result or exception as those further in left it. Cancellation arrives in wrappers
    as the exception that it is.

    Raises:
        BaseException: Whatever the implementations and wrappers leave standing.
    """
    entered: list[tuple[pluggy.HookImpl, Wrapper]] = []
    result: Any = None
    exception: BaseException | None = None
    try:
        for implementation in reversed(caller.get_hookimpls()):
            outcome = _call(implementation, arguments)
            if implementation.wrapper:
                entered.append((implementation, _enter(implementation, outcome)))
                continue
            result = outcome
            if inspect.isawaitable(result):
                result = await result
            if result is not None:
                break
    except BaseException as error:  # handed to the wrappers, and raised in the end unless one of them deals with it
        exception = error
    return _leave(entered, result, exception)


def _call(implementation: pluggy.HookImpl, arguments: Mapping[str, object]) -> Any:
    values = [arguments[name] for name in implementation.argnames]
    with_defaults = {name: arguments[name] for name in implementation.kwargnames if name in arguments}
    return implementation.function(*values, **with_defaults)


def _enter(implementation: pluggy.HookImpl, wrapper: Wrapper) -> Wrapper:
    try:
        next(wrapper)
    except StopIteration:
        raise _wrong_yields(implementation, "did not yield") from None
    return wrapper


def _leave(entered: Sequence[tuple[pluggy.HookImpl, Wrapper]], result: Any, exception: BaseException | None) -> Any:
    for implementation, wrapper in reversed(entered):
        try:
            if exception is None:
                wrapper.send(result)
            else:
                wrapper.throw(exception)
        except StopIteration as stop:
            result, exception = stop.value, None
        except BaseException as error:  # the wrapper's own, or the one it let through
            exception = error
        else:
            wrapper.close()
            exception = _wrong_yields(implementation, "yielded more than once")
    if exception is not None:
        raise exception
    return result


def _wrong_yields(implementation: pluggy.HookImpl, what: str) -> RuntimeError:
    return RuntimeError(f"The wrapper of {implementation.plugin_name} {what}; it must yield exactly once.")
