"""The conformance suite for stores, one module a subject."""
