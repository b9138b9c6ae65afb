"""Turns a bound plan into a graph of Dask tasks."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from dask.delayed import delayed

from actium_pipeline_run import step_task
from actium_pipeline_run.binding import BoundPlan, BoundStep
from actium_pipeline_run.by_value import written_by_value
from actium_pipeline_run.errors import PipelineDefinitionError
from actium_pipeline_run.step_task import Channel, Fill, Input, KeptWork, Pick, PickledWork, StepTask, drop
from actium_pipeline_run.symbols import Key, StepOutput, Symbol, replace_symbols


class Portable:
    """A callable that travels by value: the process that gets it needs no module of ours."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        return pickle.loads, (written_by_value(self._call),)


def lower(plan: BoundPlan, *, run: str, channel: Channel, travels: bool) -> Any:
    """Make one Dask ``Delayed`` that runs all steps and gives the pipeline's result.

    Args:
        plan: The plan with its values.
        run: Unique for the run; keeps its keys apart from those of other runs on one cluster.
        channel: Takes the messages of steps.
        travels: Whether steps are called in other processes.

    Raises:
        PipelineDefinitionError: A step cannot travel, though it must.
    """
    lowering = _Lowering(run=run, channel=channel, travels=travels)
    for step in plan.steps:
        lowering.add(step)
    return lowering.finish(plan.result)


class _Lowering:
    def __init__(self, *, run: str, channel: Channel, travels: bool) -> None:
        self._run = run
        self._channel = channel
        self._travels = travels
        self._outputs: dict[tuple[str, tuple[Key, ...]], Any] = {}
        self._unused: set[str] = set()

    def add(self, step: BoundStep) -> None:
        """Add the call of one step, behind those that it waits for."""
        planned = step.planned
        arguments, inputs = self._with_inputs(dict(step.arguments))
        work = self._work(planned.name, (planned.step.function, arguments))
        task = StepTask(planned.name, step.retries, self._channel, work)
        waited_for = [self._call(drop, self._used(name)) for name in planned.waits_for]
        self._outputs[planned.name, ()] = self._call(
            task, inputs, waited_for, dask_key_name=f"{planned.name}-{self._run}"
        )
        self._unused.add(planned.name)

    def finish(self, result: Any) -> Any:
        """Add the pipeline's result, behind all steps."""
        template, inputs = self._with_inputs(result)
        dropped = [self._call(drop, self._outputs[name, ()]) for name in sorted(self._unused)]
        return self._call(Fill(template), inputs, dropped, dask_key_name=f"result-{self._run}")

    def _with_inputs(self, value: Any) -> tuple[Any, list[Any]]:
        inputs: list[Any] = []

        def as_input(symbol: Symbol) -> Input:
            if not isinstance(symbol, StepOutput):
                raise AssertionError(f"{symbol!r} was not bound")
            inputs.append(self._picked(symbol))
            return Input(len(inputs) - 1)

        return replace_symbols(value, as_input), inputs

    def _picked(self, symbol: StepOutput) -> Any:
        output = self._used(symbol.step)
        for depth, key in enumerate(symbol.path, start=1):
            place = (symbol.step, symbol.path[:depth])
            if place not in self._outputs:
                self._outputs[place] = self._call(Pick(symbol.step, key), output)
            output = self._outputs[place]
        return output

    def _used(self, name: str) -> Any:
        self._unused.discard(name)
        return self._outputs[name, ()]

    def _call(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        return delayed(Portable(call) if self._travels else call, pure=False, traverse=False)(*args, **options)

    def _work(self, name: str, work: step_task.Work) -> KeptWork | PickledWork:
        if not self._travels:
            return KeptWork(work)
        try:
            return PickledWork(written_by_value(work))
        except Exception as error:  # whatever a user's own __reduce__ raises
            raise PipelineDefinitionError(
                f"The step {name!r} cannot be sent to another process: {type(error).__name__}: {error}.",
                hint="Open files, locks and connections within the step, or use scheduler: threads.",
            ) from error
