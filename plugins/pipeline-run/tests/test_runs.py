"""Runs of pipelines in real child processes, on every local scheduler."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from actium.errors import InvalidInputError
from actium_pipeline_run.errors import PipelineDefinitionError, PipelineRunError, SourceNotFoundError
from actium_pipeline_run.log_tail import MAX_LOG_BYTES
from actium_pipeline_run.runner import RunOutcome

if TYPE_CHECKING:
    from conftest import Bench

    from actium_pipeline_run.states import StepState

LOCAL = ("synchronous", "threads", "processes")

FLOW = """
    import dataclasses

    @dataclasses.dataclass
    class Row:
        number: int

    @step
    def load(count: int) -> list[Row]:
        print("loading", count)
        return [Row(number) for number in range(count)]

    @step(outputs=2)
    def split(rows: list[Row], share: float = 0.5):
        edge = int(len(rows) * share)
        return rows[:edge], rows[edge:]

    @step
    def total(rows: list[Row], *, factor: int = 1) -> int:
        assert all(isinstance(row, Row) for row in rows)
        return factor * sum(row.number for row in rows)

    @pipeline
    def flow(count: int = 4, factor: int = 1):
        low, high = split(load(count))
        return {"low": total(low, factor=factor), "high": [total(high, factor=factor)], "count": count}
"""


def error_of(outcome: RunOutcome) -> str:
    assert outcome.error is not None
    return str(outcome.error)


@pytest.mark.parametrize("scheduler", LOCAL)
def test_a_run_gives_its_result_its_steps_and_its_log(bench: Bench, scheduler: str) -> None:
    """Whatever calls the steps, their values, their classes and what they print arrive."""
    outcome = bench.run_file(
        FLOW, scheduler=scheduler, parameters={"count": 10}, step_parameters={"total_2": {"factor": 2}}
    )
    assert outcome.error is None
    assert outcome.result == {"low": 10, "high": [70], "count": 10}
    assert [(state.name, state.status.value, state.attempts) for state in outcome.steps] == [
        ("load", "succeeded", 1),
        ("split", "succeeded", 1),
        ("total", "succeeded", 1),
        ("total_2", "succeeded", 1),
    ]
    assert all(state.seconds is not None for state in outcome.steps)
    assert outcome.log == "loading 10\n"


@pytest.mark.parametrize("scheduler", LOCAL)
def test_a_failed_step_is_named_with_its_error(
    bench: Bench, scheduler: str, statuses: Callable[[RunOutcome], dict[str, str]]
) -> None:
    """The message names step and exception, the traceback shows the pipeline's own code, what follows is skipped."""
    outcome = bench.run_file(
        """
        class OddError(Exception):
            def __init__(self, *, code: int) -> None:
                super().__init__(f"code {code}")

        @step
        def load() -> int:
            return 1

        @step
        def fit(rows: int) -> int:
            raise OddError(code=7)

        @step
        def judge(model: int) -> int:
            return model

        @pipeline
        def flow():
            return judge(fit(load()))
        """,
        scheduler=scheduler,
    )
    assert isinstance(outcome.error, PipelineRunError)
    assert error_of(outcome) == "The step 'fit' failed: OddError: code 7"
    assert statuses(outcome) == {"load": "succeeded", "fit": "failed", "judge": "skipped"}
    error = outcome.steps[1].error
    assert error is not None
    assert error.traceback is not None
    assert "raise OddError(code=7)" in error.traceback
    assert "step_task" not in error.traceback
    assert outcome.result is None


@pytest.mark.parametrize("scheduler", LOCAL)
def test_a_step_is_repeated_as_often_as_it_may(bench: Bench, scheduler: str) -> None:
    """The third attempt succeeds; the attempts before it are counted and seen while they happen."""
    seen: list[str] = []
    gate = bench.directory / "gate"
    os.mkfifo(gate)

    def on_change(steps: tuple[StepState, ...]) -> None:
        if steps[0].error is not None and not seen:
            seen.append(str(steps[0].error))
            threading.Thread(target=gate.write_text, args=("go",)).start()  # the third attempt can end only from here

    outcome = bench.run_file(
        """
        from pathlib import Path

        @step(retries=2)
        def fetch(tally: Path, gate: Path) -> int:
            with tally.open("a") as file:
                file.write("x")
            if tally.stat().st_size < 3:
                raise ConnectionError("not yet")
            assert gate.read_text() == "go"
            return tally.stat().st_size

        @pipeline
        def flow(tally: Path, gate: Path):
            return fetch(tally, gate)
        """,
        scheduler=scheduler,
        parameters={"tally": str(bench.directory / "tally"), "gate": str(gate)},
        on_change=on_change,
    )
    assert outcome.result == 3
    assert outcome.steps[0].attempts == 3
    assert outcome.steps[0].error is None
    assert seen == ["ConnectionError: not yet"]


def test_a_run_can_set_other_retries_for_a_step(bench: Bench) -> None:
    """The run's own figure replaces the pipeline's, and the error says how often it was tried."""
    text = """
        @step(retries=50)
        def fetch() -> int:
            raise ConnectionError("never")

        @pipeline
        def flow():
            return fetch()
    """
    outcome = bench.run_file(text, step_retries={"fetch": 1})
    assert error_of(outcome) == "The step 'fetch' failed 2 times: ConnectionError: never"
    assert outcome.steps[0].attempts == 2


def test_states_are_told_while_the_run_goes_on(bench: Bench) -> None:
    """Each step is seen pending, running and done, before the run has ended."""
    seen: list[str] = []
    gate = bench.directory / "gate"
    os.mkfifo(gate)

    def on_change(steps: tuple[Any, ...]) -> None:
        status = steps[1].status.value
        if not seen or seen[-1] != status:
            seen.append(status)
        if steps[0].status.value == "succeeded" and status == "running":
            threading.Thread(target=gate.write_text, args=("go",)).start()  # the step can end only from here on

    outcome = bench.run_file(
        """
        from pathlib import Path

        @step
        def first() -> int:
            return 1

        @step
        def second(number: int, gate: Path) -> str:
            return gate.read_text()

        @pipeline
        def flow(gate: Path):
            return second(first(), gate)
        """,
        parameters={"gate": str(gate)},
        on_change=on_change,
    )
    assert outcome.result == "go"
    assert seen[-2:] == ["running", "succeeded"]


def test_steps_run_side_by_side(bench: Bench) -> None:
    """Two steps that do not depend on each other meet at a barrier, which one alone could not pass."""
    outcome = bench.run_file(
        """
        import threading
        barrier = threading.Barrier(2, timeout=60)

        @step
        def meet(number: int) -> int:
            barrier.wait()
            return number

        @pipeline
        def flow():
            return [meet(1), meet(2)]
        """,
        scheduler="threads",
    )
    assert outcome.result == [1, 2]


def test_all_steps_run_also_those_whose_output_nobody_uses(bench: Bench) -> None:
    """A step may exist for what it does, and another may wait for it without using its output."""
    outcome = bench.run_file(
        """
        from pathlib import Path

        @step
        def write(place: Path) -> None:
            (place / "written").touch()

        @step
        def check(place: Path) -> bool:
            return (place / "written").exists()

        @step
        def clean(place: Path) -> None:
            (place / "cleaned").touch()

        @pipeline
        def flow(place: Path):
            written = write(place)
            checked = check.options(after=[written])(place)
            clean.options(after=[checked])(place)
            return checked
        """,
        parameters={"place": str(bench.directory)},
    )
    assert outcome.result is True
    assert (bench.directory / "cleaned").exists()


@pytest.mark.parametrize(
    ("ending", "scheduler", "said"),
    [
        (
            "os._exit(3)",
            "threads",
            "The pipeline's process ended with exit code 3 in the step 'fit' before it was done",
        ),
        ("import signal; signal.raise_signal(signal.SIGSEGV)", "threads", "was ended by SIGSEGV in the step 'fit'"),
        ("os._exit(3)", "processes", "A process died in the step 'fit': BrokenProcessPool"),
        ("sys.exit('enough')", "threads", "The step 'fit' failed: SystemExit: enough"),
        ("sys.exit('enough')", "processes", "The step 'fit' failed: SystemExit: enough"),
    ],
)
def test_a_process_that_dies_is_told_with_the_step(
    bench: Bench, ending: str, scheduler: str, said: str, statuses: Callable[[RunOutcome], dict[str, str]]
) -> None:
    """Whoever ends the process under the run, the run fails in the step that did it."""
    outcome = bench.run_file(
        f"""
        @step
        def load() -> int:
            return 1

        @step
        def fit(rows: int) -> int:
            {ending}
            return rows

        @pipeline
        def flow():
            return fit(load())
        """,
        scheduler=scheduler,
    )
    assert said in error_of(outcome)
    assert statuses(outcome) == {"load": "succeeded", "fit": "failed"}


def test_secrets_come_by_environment_never_by_argv_and_never_come_back(bench: Bench) -> None:
    """The child sees the token in its environment; its command line, log, error and result do not show it."""
    text = """
        from pathlib import Path

        @step
        def look() -> dict:
            token = os.environ["ACTIUM_TOKEN"]
            assert token.startswith("secret-")
            print("the token is", token)
            return {"argv": Path("/proc/self/cmdline").read_text(), "token": token}

        @step
        def fail(seen: dict) -> None:
            raise ValueError("with " + seen["token"])

        @pipeline
        def flow(fails: bool = False):
            return look()

        @pipeline
        def failing():
            return fail(look())
    """
    bench.write(text)
    options = {"environment": {"ACTIUM_TOKEN": "secret-4711"}, "secrets": ("secret-4711",)}
    outcome = bench.run(bench.describe(), **options)
    assert outcome.error is None
    assert "actium_pipeline_run.child" in outcome.result["argv"]
    assert "secret" not in outcome.result["argv"]
    failed = bench.run(bench.describe("flow.py:failing"), **options)
    assert error_of(failed) == "The step 'fail' failed: ValueError: with **********"
    assert "the token is **********" in failed.log
    assert "4711" not in json.dumps([str(outcome), str(failed)])


def test_the_log_keeps_the_end_of_all_output(bench: Bench) -> None:
    """Standard output and standard error, also of programs that a step starts, share a bounded log."""
    outcome = bench.run_file(
        """
        import subprocess

        @step
        def talk() -> str:
            print("early")
            for number in range(20_000):
                print("line", number)
            print("from stderr", file=sys.stderr)
            subprocess.run([sys.executable, "-c", "print('from a program')"], check=True)
            return sys.stdin.read()

        @pipeline
        def flow():
            return talk()
        """
    )
    assert outcome.result == ""
    assert outcome.log.endswith("line 19999\nfrom stderr\nfrom a program\n")
    assert outcome.log.startswith("… ")
    assert "early" not in outcome.log
    assert len(outcome.log) <= MAX_LOG_BYTES + 100


def test_values_that_only_python_can_check_are_refused_before_any_step(bench: Bench) -> None:
    """A type of the pipeline's own checks the value when the run starts; each problem has its path."""
    outcome = bench.run_file(
        """
        from typing import Annotated
        from pydantic import AfterValidator

        def even(value: int) -> int:
            if value % 2:
                raise ValueError("must be even")
            return value

        @step
        def use(number: Annotated[int, AfterValidator(even)]) -> int:
            return number

        @pipeline
        def flow(number: int = 2):
            return use(number)
        """,
        parameters={"number": 3},
    )
    assert isinstance(outcome.error, InvalidInputError)
    assert [(problem.path, problem.problem) for problem in outcome.error.problems] == [
        ("parameters.number", "must be even")
    ]
    assert outcome.steps[0].attempts == 0


def test_an_item_that_an_output_does_not_have_is_told(bench: Bench) -> None:
    """Picking is not part of a step, but its error still says what was picked from what."""
    outcome = bench.run_file(
        """
        @step
        def load() -> dict:
            return {"train": 1}

        @step
        def fit(rows: int) -> int:
            return rows

        @pipeline
        def flow():
            return fit(load()["tran"])
        """
    )
    assert error_of(outcome) == "The output of the step 'load', of type dict, has no item 'tran'."


def test_what_cannot_travel_is_told_with_its_step(bench: Bench) -> None:
    """A lock cannot be sent to another process; threads can use it."""
    text = """
        import threading
        lock = threading.Lock()

        @step
        def use() -> bool:
            return lock.locked()

        @pipeline
        def flow():
            return use()
    """
    outcome = bench.run_file(text, scheduler="processes")
    assert isinstance(outcome.error, PipelineDefinitionError)
    assert "The step 'use' cannot be sent to another process" in error_of(outcome)
    assert bench.run(bench.describe(), scheduler="threads").result is False


def test_a_pipeline_that_draws_another_graph_than_in_its_snapshot_is_refused(bench: Bench) -> None:
    """A body that depends on its surroundings would run steps that nobody has seen."""
    bench.write(
        """
        @step
        def one() -> int:
            return 1

        @pipeline
        def flow():
            return [one() for _ in os.environ.get("WIDTH", "x")]
        """
    )
    outcome = bench.run(bench.describe(), environment={"WIDTH": "xxx"})
    assert isinstance(outcome.error, PipelineDefinitionError)
    assert "one, one_2, one_3 instead of one" in error_of(outcome)


def test_an_error_that_cannot_be_shown_is_told_all_the_same(bench: Bench) -> None:
    """Exceptions with a broken text, or with a text that no store can hold, are exceptions like others."""
    text = """
        class Mute(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no")

        @step
        def fail(kind: str) -> None:
            raise Mute if kind == "mute" else ValueError("\\ud800 and \\0")

        @pipeline
        def flow(kind: str):
            fail(kind)
    """
    mute = bench.run_file(text, parameters={"kind": "mute"})
    assert error_of(mute) == "The step 'fail' failed: Mute: (its text cannot be shown: RuntimeError)"
    odd = bench.run(bench.describe(), parameters={"kind": "odd"})
    assert error_of(odd) == "The step 'fail' failed: ValueError: ? and \ufffd"


def test_the_cluster_that_is_not_there_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong address fails the run, with what to do."""
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    outcome = bench.run_file(FLOW, scheduler="tcp://127.0.0.1:9")
    assert "There is no Dask scheduler at tcp://127.0.0.1:9" in error_of(outcome)
    assert {state.status.value for state in outcome.steps} == {"skipped"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise RuntimeError('no')", "cannot be imported: RuntimeError: no"),
        ("sys.exit(4)", "cannot be imported: SystemExit: 4"),
        ("import missing_module", "No module named 'missing_module'"),
        ("def broken(:", "SyntaxError"),
        ("flow = 3", "has a 'flow' that is no pipeline"),
        ("other = pipeline(lambda: 1)", "has no 'flow'. Its pipelines are: other."),
    ],
)
def test_a_file_that_holds_no_pipeline_is_told(bench: Bench, text: str, said: str) -> None:
    """What the file does when it is imported happens in a child process, and is told in a sentence."""
    bench.write(text)
    with pytest.raises(SourceNotFoundError) as caught:
        bench.describe()
    assert said in str(caught.value)


def test_a_file_that_kills_its_process_is_told(bench: Bench) -> None:
    """Describing survives a file that ends the process."""
    bench.write("os._exit(9)")
    with pytest.raises(PipelineRunError, match="ended with exit code 9"):
        bench.describe()


@pytest.mark.parametrize("reference", ["missing.py:flow", "missing_module:flow", "missing.module:flow"])
def test_a_place_that_does_not_exist_is_told(bench: Bench, reference: str) -> None:
    """Neither a file nor a module of that name."""
    with pytest.raises(SourceNotFoundError, match="missing"):
        bench.describe(reference)


@pytest.mark.parametrize("reference", ["", "flow", ":flow", "a b:flow", "flow.py:", "flow.py:a-b", "a..b:flow"])
def test_a_reference_that_names_nothing_is_refused(bench: Bench, reference: str) -> None:
    """The two ways to name a pipeline are told."""
    with pytest.raises(InvalidInputError, match=r"path/to/file\.py:pipeline or package\.module:pipeline"):
        bench.describe(reference)
