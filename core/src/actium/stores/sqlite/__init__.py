"""The store that comes with Actium: one SQLite file, through the standard library."""
