"""loop-auth, the OAuth authorization server."""
