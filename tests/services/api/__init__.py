"""loop-api: MCP and REST over the vault."""
