"""The command, also as ``python -m loopdeploy``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command; Ctrl-C ends it without a traceback while Python still imports it, too."""
    try:
        from loopdeploy.cli import main as command
        from loopdeploy.core_dumps import prevent_core_dumps
    except KeyboardInterrupt:
        sys.exit(130)
    prevent_core_dumps()
    command()


if __name__ == "__main__":
    main()
