"""No secret is left behind or shown to another process: searched for by sentinels, one a secret."""
