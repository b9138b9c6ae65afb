"""The whole suite for flavors."""

from __future__ import annotations

from pytest_actium.flavors.configurations import ConfigurationRules
from pytest_actium.flavors.runs import RunRules


class FlavorConformance(ConfigurationRules, RunRules):
    """Subclass it, say which flavor and with which configurations, and get its tests.

    >>> class TestSlack(FlavorConformance):
    ...     FLAVOR = "notify.slack"
    ...     VALID = {"channel": "#data", "token": "env:SLACK_TOKEN"}
    ...     INVALID = {"channel": {"channel": 3, "token": "env:SLACK_TOKEN"}}
    """
