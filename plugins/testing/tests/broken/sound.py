"""A flavor that keeps every rule, and how to make one of it that breaks a single one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

from pydantic import Field, SecretStr

from actium import ActionConfig, BaseActionFlavor, BaseActionHandler, ResourceType
from actium.errors import ExecutionCancelled, FieldProblem, InvalidConfigurationError
from actium.models import ResourceResponse
from actium.models.resource import ResourceBody


class SoundConfig(ActionConfig):
    """What a sound flavor takes."""

    folder: str = Field(description="The folder to keep; it is made, and removed with the action.")
    ends: Literal["well", "badly", "never"] = Field(default="well", description="How its run ends.")
    labels: dict[str, str] = Field(default_factory=dict, description="For people.")
    token: SecretStr | None = Field(default=None, description="A secret that its run needs.")


class SoundHandler(BaseActionHandler):
    """Keeps a folder for each action, and writes a file into it at each run."""

    @property
    def config_class(self) -> type[ActionConfig]:
        return self.flavor_class.ACTION_CONFIG_CLASS

    @property
    def flavor_class(self) -> type[BaseActionFlavor]:
        return FLAVORS[type(self)]

    def run(self, config: Any, trigger_execution: Any, auth_context: Any) -> Any:
        if config.ends == "badly":
            raise ValueError("it had to end badly")
        if config.ends == "never":
            self.wait(trigger_execution)
        Path(config.folder, f"{trigger_execution.id}.txt").write_text("ran")
        return {"letters": 0 if config.token is None else len(config.token.get_secret_value())}

    def wait(self, trigger_execution: Any) -> None:
        while not self.cancel_requested(trigger_execution):
            pause(0.02)
        raise ExecutionCancelled("asked to")

    def validate_action_request(self, action: Any, config: Any) -> None:
        if config.folder.startswith("/"):
            problem = FieldProblem(path="folder", problem="must be relative")
            raise InvalidConfigurationError("This folder cannot be kept.", problems=[problem])

    def validate_action_update(self, action: Any, config: Any, action_update: Any, config_update: Any) -> None:
        self.validate_action_request(action_update, config_update)

    def process_action_request(self, action: Any, config: Any) -> None:
        Path(config.folder).mkdir(parents=True, exist_ok=True)

    def process_action_update(self, action: Any, config: Any, previous_action: Any, previous_config: Any) -> None:
        if previous_config is not None and config.folder != previous_config.folder:
            shutil.rmtree(previous_config.folder, ignore_errors=True)
            Path(config.folder).mkdir(parents=True, exist_ok=True)

    def process_action_delete(self, action: Any, config: Any, force: bool) -> None:
        shutil.rmtree(config.folder, ignore_errors=True)

    def extract_resources(self, action_config: Any, hydrate: bool = False) -> Any:
        kind = ResourceType("folder")
        moment = "2026-01-31T12:00:00+00:00"
        body = ResourceBody(type=kind, project="default", created=moment, updated=moment)
        return {kind: ResourceResponse(id=uuid5(NAMESPACE_URL, action_config.folder), name="folder", body=body)}


FLAVORS: dict[type[BaseActionHandler], type[BaseActionFlavor]] = {}


def pause(seconds: float) -> None:
    import time

    time.sleep(seconds)


def flavor(
    name: str,
    handler: type[SoundHandler] = SoundHandler,
    config: type[ActionConfig] = SoundConfig,
    description: str = "Keeps folders.",
    breaks: str | None = None,
) -> type[BaseActionFlavor]:
    """Make a flavor of parts of which one is broken."""
    own = type(f"{name}_handler", (handler,), {})
    made = type(
        name,
        (BaseActionFlavor,),
        {
            "__doc__": description,
            "__module__": __name__,
            "SUBTYPE": "broken",
            "FLAVOR": name,
            "PLUGIN_CLASS": own,
            "ACTION_CONFIG_CLASS": config,
        },
    )
    FLAVORS[own] = made
    return made


sound = flavor("sound")
