"""The whole suite for flavors."""

from __future__ import annotations

from pytest_actium.flavors.changes import ChangeRules
from pytest_actium.flavors.configurations import ConfigurationRules
from pytest_actium.flavors.crashes import CrashRules
from pytest_actium.flavors.leftovers import LeftoverRules
from pytest_actium.flavors.runs import RunRules
from pytest_actium.flavors.secret_rules import SecretRules


class FlavorConformance(ConfigurationRules, SecretRules, ChangeRules, CrashRules, RunRules, LeftoverRules):
    """Subclass it, say which flavor and with which configurations, and get its tests.

    >>> class TestSlack(FlavorConformance):
    ...     FLAVOR = "notify.slack"
    ...     VALID = {"channel": "#data", "token": "env:SLACK_TOKEN"}
    ...     INVALID = {"channel": {"channel": 3, "token": "env:SLACK_TOKEN"}}
    """
