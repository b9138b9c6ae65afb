"""The Actium flavor ``process.command``: runs a command, and leaves nothing of it behind."""
