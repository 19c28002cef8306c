"""What can go wrong with a note, each with its HTTP status and a sentence for whoever asked."""

from __future__ import annotations


class NoteError(Exception):
    """A request about the vault that is not carried out; the message says what happened and what to do next."""

    status = 400
    code = "bad_request"
    retry_after: int | None = None


class BadPath(NoteError):
    """The path is not one of a note in the vault: absolute, with ``..``, NUL, or leading out of the vault."""

    status = 403
    code = "bad_path"


class Refused(NoteError):
    """The path leads to what no client may see: keys, ``.env``, ``.git``, the NAS's own folders."""

    status = 403
    code = "refused"


class ScopeMissing(NoteError):
    """The token lacks ``scope`` (RFC 6750 section 3.1: ``insufficient_scope``)."""

    status = 403
    code = "insufficient_scope"

    def __init__(self, scope: str):
        super().__init__(f"This needs the scope {scope}; sign in again and grant it.")
        self.scope = scope


class ReadOnly(NoteError):
    """The note lies where nothing is written."""

    status = 403
    code = "read_only"


class NotFound(NoteError):
    """There is no such note."""

    status = 404
    code = "not_found"


class Conflict(NoteError):
    """The note changed since the client read it, or something else is in its place."""

    status = 409
    code = "conflict"


class TooLarge(NoteError):
    """The note is larger than what is read or written."""

    status = 413
    code = "too_large"


class NotText(NoteError):
    """The note is not UTF-8."""

    status = 422
    code = "not_text"


class VaultGone(NoteError):
    """The vault is not there: unmounted, removed, or its disk fails."""

    status = 503
    code = "vault_gone"
    retry_after = 10


class IndexFailed(NoteError):
    """The search index broke and is made anew."""

    status = 503
    code = "index_failed"
    retry_after = 10


class NotStored(NoteError):
    """The disk did not take the note; the old one is still there."""

    status = 507
    code = "not_stored"
