"""The whole suite for stores."""

from __future__ import annotations

from pytest_actium.stores.actions import AccountRules, ActionRules
from pytest_actium.stores.executions import ExecutionRules, TriggerRules
from pytest_actium.stores.guarantees import GuaranteeRules
from pytest_actium.stores.listings import FindingRules, PageRules
from pytest_actium.stores.resources import ResourceRules, TokenRules


class StoreConformance(
    AccountRules,
    ActionRules,
    TriggerRules,
    ExecutionRules,
    TokenRules,
    ResourceRules,
    FindingRules,
    PageRules,
    GuaranteeRules,
):
    """Subclass it, say how the store is opened, and get its tests.

    >>> class TestLedger(StoreConformance):
    ...     def open_store(self, folder):
    ...         return LedgerStore(folder / "ledger")
    """
