"""The flavor ``process.command``."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from actium.actions.base_action import ActionConfig, BaseActionFlavor, BaseActionHandler
from actium.auth.context import AuthContext
from actium.errors import ExecutionCancelled, PermanentError
from actium.models.event import Event
from actium.models.execution import TriggerExecutionResponse
from actium_command.configuration import EXECUTION_ID, INHERITED, TOKEN, CommandConfig
from actium_command.errors import (
    CommandFailedError,
    CommandFailedForGoodError,
    CommandLostError,
    CommandNotStartedError,
)

if TYPE_CHECKING:
    from actium_command.output_tail import OutputTail
    from actium_command.supervised import CommandEnd

TOLD_CHARACTERS = 2_000
"""How much of a failed command's output its reason tells."""

_PASSING = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY, errno.EBUSY})
"""Why a process cannot be started just now, though it may be a little later."""


class CommandActionHandler(BaseActionHandler):
    """Runs commands, each below a supervisor of its own."""

    @property
    def config_class(self) -> type[CommandConfig]:
        """The model of this flavor's configurations."""
        return CommandConfig

    @property
    def flavor_class(self) -> type[CommandActionFlavor]:
        """The flavor that names this handler."""
        return CommandActionFlavor

    def run(
        self, config: CommandConfig, trigger_execution: TriggerExecutionResponse, auth_context: AuthContext
    ) -> dict[str, Any]:
        """Run the command once, and wait for it in this thread.

        Raises:
            ExecutionCancelled: It was ended because someone asked for that, or because its time was over.
            CommandFailedError, CommandFailedForGoodError: It ended with another exit code than those of success.
            CommandNotStartedError: There is no such program or folder, or it may not be used.
            CommandLostError: Its supervisor was killed.
        """
        if os.name != "posix":
            raise PermanentError(
                "Commands need process groups and limits, which this system does not have.",
                hint="Run the worker on Linux or macOS.",
            )
        import tempfile

        from actium_command.output_tail import OutputTail
        from actium_command.supervised import CommandOrder, SupervisedCommand

        token = auth_context.access_token.get_secret_value()
        secrets = [token, *(secret.get_secret_value() for secret in config.secrets.values())]
        stdout = OutputTail(config.output_bytes, secrets=secrets)
        stderr = OutputTail(config.output_bytes, secrets=secrets)
        given = None if config.working_directory is not None else tempfile.mkdtemp(prefix="actium-command-")
        order = CommandOrder(
            argv=config.argv,
            environment=environment_of(config, trigger_execution, token, folder=given),
            directory=given or str(config.working_directory),
            remove=given,
            limits=config.limits.model_dump(exclude_none=True),
        )
        try:
            stdin = _stdin(config, trigger_execution.event)
            with SupervisedCommand(order, stdin=stdin, stdout=stdout, stderr=stderr) as command:
                end = command.follow(lambda: self.cancel_requested(trigger_execution))
        finally:
            _remove(given)
        return _result(config, end, stdout, stderr)


class CommandActionFlavor(BaseActionFlavor):
    """Runs a command from an argument list, within limits, and ends it with all that it started."""

    SUBTYPE: ClassVar[str] = "process"
    FLAVOR: ClassVar[str] = "command"
    PLUGIN_CLASS: ClassVar[type[BaseActionHandler]] = CommandActionHandler
    ACTION_CONFIG_CLASS: ClassVar[type[ActionConfig]] = CommandConfig


def environment_of(
    config: CommandConfig, trigger_execution: TriggerExecutionResponse, token: str, *, folder: str | None
) -> dict[str, str]:
    """All environment variables of a command: the few that it inherits, those that are configured, and Actium's."""
    inherited = {name: os.environ[name] for name in (*INHERITED, *config.inherit) if name in os.environ}
    secrets = {name: secret.get_secret_value() for name, secret in config.secrets.items()}
    own = {} if folder is None else {"TMPDIR": folder}
    return {
        **inherited,
        **own,
        **config.environment,
        **secrets,
        EXECUTION_ID: str(trigger_execution.id),
        TOKEN: token,
    }


def _stdin(config: CommandConfig, event: Event | None) -> bytes | None:
    if config.stdin is None or event is None:
        return None
    if config.stdin == "data":
        return json.dumps(event.data, ensure_ascii=False).encode()
    whole = event.model_dump(mode="json")
    return json.dumps({name: value for name, value in whole.items() if value is not None}, ensure_ascii=False).encode()


def _remove(folder: str | None) -> None:
    if folder is not None and Path(folder).exists():  # its supervisor was killed, or could not be started
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


def _result(config: CommandConfig, end: CommandEnd, stdout: OutputTail, stderr: OutputTail) -> dict[str, Any]:
    if end.was_asked:
        raise ExecutionCancelled("The command was ended, with all that it had started.")
    if end.answer is None:
        raise CommandLostError(
            f"The supervisor of the command {config.argv[0]!r} was itself ended.{_told(stdout, stderr)}",
            hint="Someone, or a machine short of memory, killed it.",
        )
    if "refused" in end.answer:
        raise _refusal(config, end.answer["refused"])
    ended = end.answer["ended"]
    code = ended["exit_code"]
    if code not in config.success_codes:
        kind = CommandFailedForGoodError if code in config.permanent_codes else CommandFailedError
        raise kind(f"The command {config.argv[0]!r} {_how(code, config)}.{_told(stdout, stderr)}")
    return {
        "exit_code": code,
        "stdout": stdout.as_result(),
        "stderr": stderr.as_result(),
        "seconds": end.seconds,
        "cpu_seconds": ended["cpu_seconds"],
        "memory_bytes": ended["memory_bytes"],
    }


def _how(code: int, config: CommandConfig) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a real-time signal
        name = f"signal {-code}"
    limits = config.limits
    if name == "SIGXCPU":
        return f"used more than {limits.cpu_seconds} seconds of processor time, and was ended by {name}"
    if name == "SIGXFSZ":
        return f"wrote a file of more than {limits.file_bytes} bytes, and was ended by {name}"
    may_be = f"; its limit is {limits.memory_bytes} bytes of memory" if limits.memory_bytes is not None else ""
    return f"was killed by {name}{may_be}"


def _refusal(config: CommandConfig, refused: Mapping[str, Any]) -> Exception:
    what = {
        "working_directory": f"in the folder {str(config.working_directory)!r}",
        "argv": f"{config.argv[0]!r}",
        "limits": f"with the limits {config.limits.model_dump(exclude_none=True)}",
    }[refused["step"]]
    message = f"The command could not be started {what}: {refused['problem']}."
    if refused["errno"] in _PASSING:
        return CommandFailedError(message)
    return CommandNotStartedError(
        message, hint="Check `argv`, `working_directory` and PATH on the machine where the worker runs."
    )


def _told(stdout: OutputTail, stderr: OutputTail) -> str:
    """The end of what it said, standard error before standard output."""
    text = stderr.text().strip() or stdout.text().strip()
    return f" It said:\n{text[-TOLD_CHARACTERS:]}" if text else ""
