"""A program that uses Actium and exports to a collector: one event, and an execution of each flavor that is named."""

from __future__ import annotations

import json
import sys

import otel_exported_flavors as flavors

from actium import Actium, Event
from actium.models import ActionRequest, ServiceAccountRequest, TriggerRequest


def main(url: str, *names: str) -> None:
    with Actium(url) as app:
        account = app.accounts.create(ServiceAccountRequest(name="robot"))
        for name in names:
            flavor = getattr(flavors, name)
            app.flavors.register(flavor)
            action = app.actions.create(
                ActionRequest(
                    name=name,
                    plugin_subtype=flavor.SUBTYPE,
                    flavor=flavor.FLAVOR,
                    service_account_id=account.id,
                )
            )
            app.triggers.create(TriggerRequest(name=f"on-{name}", action_id=action.id, match_all=True))
        app.events.publish(Event(type="com.example.arrived", source="/bucket/raw", id="42"))
        app.worker(concurrency=2).run_until_idle()
        ended = app.executions.list(hydrate=True).items
        print(json.dumps({each.name: [each.status.value, each.result] for each in ended}))
    flavors.otel_set_up.tracers.shutdown()
    flavors.otel_set_up.meters.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
