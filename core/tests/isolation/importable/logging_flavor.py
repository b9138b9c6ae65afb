"""A flavor that logs in a process of its own."""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from pydantic import SecretStr

from actium import ActionConfig, action_flavor

logger = logging.getLogger("isolated.library")


class Config(ActionConfig):
    """Takes a secret."""

    secret: SecretStr | None = None


@action_flavor("logging.process", config=Config, isolation="process")
def logs(config: Config) -> dict[str, Any]:
    """Logs at three levels, in a thread, and with an exception and a secret."""
    secret = "" if config.secret is None else config.secret.get_secret_value()
    logger.debug("at debug")
    logger.info("at info", extra={"rows": 3, "client": {"headers": secret}})
    thread = threading.Thread(target=logger.warning, args=(f"in a thread {secret}",), name="uploader")
    thread.start()
    thread.join()
    try:
        raise ConnectionError(f"refused {secret}")
    except ConnectionError:
        logger.exception("It was %s.", "refused")
    enabled = [name for name in ("DEBUG", "INFO") if logger.isEnabledFor(_level(name))]
    return {"process": os.getpid(), "enabled": enabled}


def _level(name: str) -> int:
    return logging.getLevelNamesMapping()[name]
