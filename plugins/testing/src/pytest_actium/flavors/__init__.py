"""The conformance suite for flavors, one module a subject."""
