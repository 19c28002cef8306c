"""loop-auth."""
