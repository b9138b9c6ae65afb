"""Rules of what is left: when an application is closed, nothing that a flavor has started or opened is there."""

from __future__ import annotations

import tempfile
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from actium import Actium
from pytest_actium import applications
from pytest_actium.flavors.subject import Bench, FlavorSubject, Life, files_below
from pytest_actium.plugin import known
from pytest_actium.remains import children, new_threads, open_files, until_gone
from pytest_actium.verdicts import fail

MARK = "PYTEST_ACTIUM_MARK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """What was there after an action's whole life, and not before."""

    threads: list[str]
    processes: list[str]
    files: list[str]
    sockets: list[str]


class LeftoverRules(FlavorSubject):
    """What a flavor leaves behind in its process."""

    _left: ClassVar[dict[type, Leftovers]] = {}

    @pytest.fixture
    def leftovers(
        self,
        bench: Bench,
        lived: Life,
        actium_url: str,
        actium_hooks: Sequence[object],
        monkeypatch: pytest.MonkeyPatch,
    ) -> Leftovers:
        """What two applications left behind that each lived through an action's whole life; looked at once."""
        if type(self) not in self._left:
            mark = f"{MARK}={uuid.uuid4()}"
            monkeypatch.setenv(*mark.split("="))
            threads, processes = set(threading.enumerate()), set(children())
            self._live(bench, actium_url, actium_hooks)
            descriptors, files = set(open_files()), _files()
            self._live(bench, actium_url, actium_hooks)
            opened = until_gone(lambda: [each for each in open_files() if each not in descriptors])
            self._left[type(self)] = Leftovers(
                threads=new_threads(threads),
                processes=until_gone(
                    lambda: [f"{command} ({pid})" for pid, command in children(mark).items() if pid not in processes]
                ),
                files=[each for each in opened if each.startswith("file")]
                + sorted(name for name, content in _files().items() if files.get(name, b"\0new") != content),
                sockets=[each for each in opened if each.startswith("socket")],
            )
        return self._left[type(self)]

    def _live(self, bench: Bench, url: str, hooks: Sequence[object]) -> None:
        """Open an application on the same store, bring an action through its life, and close it."""
        app = Actium(url, hooks=hooks)
        try:
            known(app, self.FLAVOR)
            action = app.actions.create(bench.request(name="lived"))
            app.actions.run(action.id, bench.event)
            applications.run_until_idle(app, seconds=bench.seconds)
            app.actions.delete(action.id, force=True)
        finally:
            applications.close(app)

    def test_no_threads_are_left(self, leftovers: Leftovers) -> None:
        """No thread goes on when the application is closed."""
        if leftovers.threads:
            fail(
                f"These threads go on: {', '.join(leftovers.threads)}.",
                mend="end them at the end of `run`, or in the handler's `close`.",
            )

    def test_no_processes_are_left(self, leftovers: Leftovers) -> None:
        """No process goes on when the application is closed."""
        if leftovers.processes:
            fail(
                f"These processes go on: {', '.join(leftovers.processes)}.",
                mend="end them, with all that they started, at the end of `run` or in the handler's `close`.",
            )

    def test_no_files_are_left(self, leftovers: Leftovers) -> None:
        """No file stays open, and none is left among the temporary ones."""
        if leftovers.files:
            fail(
                f"These files are left: {', '.join(leftovers.files)}.",
                mend="open files in a `with`, and make temporary ones with tempfile.TemporaryDirectory.",
            )

    def test_no_sockets_are_left(self, leftovers: Leftovers) -> None:
        """No connection stays open when the application is closed."""
        if leftovers.sockets:
            fail(
                f"{len(leftovers.sockets)} socket(s) stay open.",
                mend="close connections at the end of `run`, or keep a pool of them and close it in `close`.",
            )

    def test_closing_it_unused_is_quiet(
        self, bench: Bench, actium_url: str, actium_hooks: Sequence[object], caplog: pytest.LogCaptureFixture
    ) -> None:
        """A handler that was made and never used is closed without a complaint."""
        app = Actium(actium_url, hooks=actium_hooks)
        known(app, self.FLAVOR)
        subtype, _, flavor = bench.key.partition(".")
        app.registry.get_plugin("action", subtype, flavor)
        caplog.clear()
        app.close()
        told = [record.getMessage() for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]
        if told:
            fail(f"Closing the application told: {told[0]}", mend="let `close` work before anything was opened.")


def _files() -> Mapping[str, bytes | None]:
    """Temporary files. What a run writes into the working folder may be its purpose."""
    return {f"temporary/{name}": content for name, content in files_below(Path(tempfile.gettempdir())).items()}
