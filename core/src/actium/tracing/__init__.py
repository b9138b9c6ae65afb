"""Tracing: what every plugin did in an execution, with what, for how long, and with which outcome.

Code that is traced uses `actium.tracing.trace`, which plugins know as ``from actium import trace``. What it records is
held by `actium.tracing.recorder`, told in words by `actium.tracing.values`, and written by the modules beside them.
"""

from __future__ import annotations

from actium.tracing import trace as trace
