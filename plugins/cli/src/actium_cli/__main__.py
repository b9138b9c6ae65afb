"""``python -m actium_cli`` is ``actium``."""

from __future__ import annotations

from actium_cli.main import main

if __name__ == "__main__":
    main()
