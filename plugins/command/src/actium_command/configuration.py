"""What a command is configured with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from actium.actions.base_action import ActionConfig
from actium.auth.secret_references import RESOLVERS

EXECUTION_ID = "ACTIUM_EXECUTION_ID"
TOKEN = "ACTIUM_TOKEN"  # noqa: S105 - the name of a variable
INHERITED = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "TMPDIR", "TZ")
"""The variables that a command gets from its worker without being named."""

MAX_OUTPUT_BYTES = 65_536

VariablesT = TypeVar("VariablesT", dict[str, Any], list[str])


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain the character NUL, where a process would see its end")
    return text


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("must be absolute: nobody knows from which folder a worker will be started")
    return path


Text = Annotated[str, AfterValidator(_without_nul)]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=255)]
ExitCode = Annotated[int, Field(ge=0, le=255)]


class CommandLimits(BaseModel):
    """What each process of the command may use. How long the whole may take is the run policy's ``timeout``."""

    model_config = ConfigDict(extra="forbid")

    cpu_seconds: int | None = Field(default=None, ge=1, description="Seconds of processor time.")
    memory_bytes: int | None = Field(default=None, ge=1_048_576, description="Bytes of address space.")
    open_files: int | None = Field(default=None, ge=3, description="How many files may be open at once.")
    file_bytes: int | None = Field(default=None, ge=0, description="How large a file may become that it writes.")


class CommandConfig(ActionConfig):
    """Which command to run, with what, and within which bounds."""

    model_config = ConfigDict(extra="forbid")

    argv: list[Text] = Field(
        min_length=1,
        description="The program and its arguments, one entry each. No shell reads them: quotes, `|`, `>`, `*` and "
        "`$NAME` are handed on as they are.",
    )
    environment: dict[VariableName, Text] = Field(
        default_factory=dict, description="Environment variables that are no secrets."
    )
    secrets: dict[VariableName, SecretStr] = Field(
        default_factory=dict,
        description="Environment variables that are secrets, each a reference such as env:NAME or file:PATH.",
    )
    inherit: list[VariableName] = Field(
        default_factory=list,
        description=f"Names of the worker's environment variables to hand on besides {', '.join(INHERITED)}.",
    )
    working_directory: Annotated[Path, AfterValidator(_absolute)] | None = Field(
        default=None,
        description="The folder to run in, by its absolute path; by default one that is made for the run and removed "
        "after it.",
    )
    stdin: Literal["event", "data"] | None = Field(
        default=None,
        description="What the command can read: the event as CloudEvents JSON, only its data as JSON, or nothing.",
    )
    limits: CommandLimits = Field(
        default_factory=CommandLimits, description="What each process of the command may use."
    )
    output_bytes: int = Field(
        default=16_384,
        ge=0,
        le=MAX_OUTPUT_BYTES,
        description="How many bytes of standard output, and of standard error, are kept: the last ones.",
    )
    success_codes: list[ExitCode] = Field(
        default=[0], min_length=1, description="The exit codes that mean that the command succeeded."
    )
    permanent_codes: list[ExitCode] = Field(
        default_factory=list, description="The exit codes that mean that trying again is of no use."
    )

    @field_validator("argv")
    @classmethod
    def _names_a_program(cls, argv: list[str]) -> list[str]:
        if not argv[0]:
            raise ValueError("must begin with the name of a program")
        return argv

    @field_validator("environment")
    @classmethod
    def _references_are_secrets(cls, environment: dict[str, str]) -> dict[str, str]:
        for name, value in environment.items():
            scheme, colon, rest = value.partition(":")
            if colon and rest and scheme in RESOLVERS:
                raise ValueError(f"{name} refers to a secret, but would be handed on as it is; move it to `secrets`")
        return environment

    @field_validator("secrets")
    @classmethod
    def _given_once(cls, secrets: dict[str, SecretStr], info: ValidationInfo) -> dict[str, SecretStr]:
        twice = sorted(secrets.keys() & info.data.get("environment", {}).keys())
        if twice:
            raise ValueError(f"{', '.join(twice)} stands under `environment`, too")
        return secrets

    @field_validator("environment", "secrets", "inherit")
    @classmethod
    def _leave_what_actium_sets(cls, names: VariablesT) -> VariablesT:
        ours = sorted({EXECUTION_ID, TOKEN}.intersection(names))
        if ours:
            raise ValueError(f"{', '.join(ours)} is set by Actium")
        return names

    @field_validator("permanent_codes")
    @classmethod
    def _mean_one_thing(cls, codes: list[int], info: ValidationInfo) -> list[int]:
        both = sorted({*codes}.intersection(info.data.get("success_codes", ())))
        if both:
            raise ValueError(f"{', '.join(map(str, both))} is among `success_codes`, too")
        return codes
