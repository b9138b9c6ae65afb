"""The flavors of a program that exports: whichever process imports them exports as well."""

from __future__ import annotations

import otel_set_up
from opentelemetry import trace
from otel_flavors import current, fail, tell, tell_later

from actium import action_flavor

__all__ = ["apart", "fail", "otel_set_up", "tell", "tell_later"]

tracer = trace.get_tracer("flavors")


@action_flavor("otel.apart", isolation="process")
def apart() -> dict[str, str]:
    with tracer.start_as_current_span("fit"):
        return current()
