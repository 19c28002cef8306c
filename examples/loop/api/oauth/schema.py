"""The tables of loop-auth. Secrets are never in them, only their hashes."""

from __future__ import annotations

#: One script per version; PRAGMA user_version says how many have run. Never change one that was released: add one.
#:
#: A grant is what a user allowed a client, and the family of all tokens that came of it: deleting it revokes them.
#: Its client_id is no foreign key, as a client with a metadata document has no row.
VERSIONS = (
    """
    CREATE TABLE users (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        password TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE browsers (
        hash TEXT PRIMARY KEY,
        user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
        signed_in_until INTEGER NOT NULL,
        known_until INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE clients (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        redirect_uris TEXT NOT NULL,
        secret_hash TEXT,
        auth_method TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        used_at INTEGER
    ) STRICT;
    CREATE TABLE grants (
        id TEXT PRIMARY KEY,
        client_id TEXT NOT NULL,
        user_id TEXT NOT NULL REFERENCES users ON DELETE CASCADE,
        scope TEXT NOT NULL,
        resource TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE codes (
        hash TEXT PRIMARY KEY,
        grant_id TEXT NOT NULL REFERENCES grants ON DELETE CASCADE,
        redirect_uri TEXT NOT NULL,
        challenge TEXT NOT NULL,
        expires_at INTEGER NOT NULL,
        used_at INTEGER
    ) STRICT;
    CREATE TABLE refresh_tokens (
        hash TEXT PRIMARY KEY,
        grant_id TEXT NOT NULL REFERENCES grants ON DELETE CASCADE,
        expires_at INTEGER NOT NULL,
        used_at INTEGER
    ) STRICT;
    CREATE INDEX browsers_user ON browsers (user_id);
    CREATE INDEX clients_unused ON clients (created_at) WHERE used_at IS NULL;
    CREATE INDEX grants_client ON grants (client_id);
    CREATE INDEX grants_user ON grants (user_id);
    CREATE INDEX codes_grant ON codes (grant_id);
    CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);
    """,
)
