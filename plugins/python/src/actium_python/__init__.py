"""The Actium flavor ``python.call``: calls any function that can be imported, in a process of its own."""
