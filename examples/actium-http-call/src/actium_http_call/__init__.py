"""An Actium flavor that calls an HTTP endpoint."""
