"""Event filters: the CloudEvents Subscriptions dialects, evaluated and explained. Pure, no I/O."""

from __future__ import annotations

from actium.filters.dialects import parse_filters
from actium.filters.explain import ExplainedNode, explain
from actium.filters.expressions import EventView, Expression

__all__ = ["EventView", "ExplainedNode", "Expression", "explain", "parse_filters"]
