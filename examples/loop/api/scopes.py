"""What a token may allow."""

from __future__ import annotations

READ = "vault:read"
WRITE = "vault:write"
EXEC = "exec:read"

# What a client that asks for nothing in particular is told to ask for.
DEFAULT = (READ, WRITE)
ALL = (READ, WRITE, EXEC)
