"""The certificate of the public address."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from contextlib import contextmanager
from typing import Any
from typing import Iterator
from urllib.parse import SplitResult

from ansible.module_utils.loop_finding import Verdict
from ansible.module_utils.loop_finding import failed
from ansible.module_utils.loop_finding import ok
from ansible.module_utils.loop_finding import warning

# Seconds that a connection may take.
PATIENCE = 5
# Let's Encrypt's certificates are renewed 30 days before their end: one that has less than this was not.
FEW_DAYS = 14
DAY = 86400
# X509_V_ERR_* in OpenSSL's x509_vfy.h.
EXPIRED = 10
OTHER_NAME = (62, 64)
# The certificate's issuer is another, and neither sent along nor known here: which of both, only the issuer knows.
NO_ISSUER = (20, 21)
# X509_V_FLAG_PARTIAL_CHAIN, of which Python 3.8 does not know the name yet.
PARTIAL_CHAIN = 0x80000
CERTIFICATES = "DSM's Control Panel, Security, Certificate"
UNKNOWN = (
    f"from no authority that this machine knows, so clients refuse it: get one from Let's Encrypt in {CERTIFICATES}"
)
INCOMPLETE = (
    "its chain is incomplete or from an authority that this machine does not know, so clients refuse it: import it"
    f" anew with its intermediate certificate in {CERTIFICATES}, or get one from Let's Encrypt there"
)


def tls(url: SplitResult) -> tuple[Verdict, bool]:
    """Return what is to be said of the certificate, and whether anything answers at all."""
    if url.scheme != "https":
        return failed(f"{url.geturl()} is not https, which every client wants: correct loop_public_url"), True
    try:
        return _certificate(url), True
    except (OSError, ValueError) as error:  # ValueError: not a port, or a name that cannot be one
        reason = getattr(error, "strerror", None) or str(error)
        return failed(
            f"{url.geturl()} does not answer from here ({reason}): check loop_public_url, its name in the DNS, and the"
            " router's port forwarding"
        ), False


def _certificate(url: SplitResult) -> Verdict:
    try:
        return _days(_valid_until(url, ssl.create_default_context()))
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in (EXPIRED, *OTHER_NAME):
            return _refused(url, error)
        incomplete = error.verify_code in NO_ISSUER
    # Believed for once, so that it can be read: Python tells only of what it has verified.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VerifyFlags(PARTIAL_CHAIN)
    with _connected(url, believing()) as connection:
        context.load_verify_locations(cadata=connection.getpeercert(binary_form=True))
    try:
        _, text = _days(_valid_until(url, context))
    except ssl.SSLCertVerificationError as error:
        return _refused(url, error)
    unknown = f"{text.partition(':')[0]}, but {INCOMPLETE if incomplete else UNKNOWN}"
    return warning(unknown) if _is_here(url) else failed(unknown)


def _is_here(url: SplitResult) -> bool:
    """Return whether ``url`` is of this machine, as the practice NAS's, to which no client comes from elsewhere."""
    try:
        return ipaddress.ip_address(url.hostname or "").is_loopback
    except ValueError:
        return url.hostname == "localhost"


def _refused(url: SplitResult, error: ssl.SSLCertVerificationError) -> Verdict:
    if error.verify_code == EXPIRED:
        return failed(f"the certificate has expired: renew it in {CERTIFICATES}")
    if error.verify_code in OTHER_NAME:
        return failed(f"the certificate is not for {url.hostname}: choose the one that is in {CERTIFICATES}, Settings")
    return failed(f"the certificate cannot be verified ({error.verify_message}): get another one in {CERTIFICATES}")


def believing() -> ssl.SSLContext:
    """Return a context that takes any certificate, for what has nothing to do with it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def _connected(url: SplitResult, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    address = (url.hostname or "", url.port or 443)
    with socket.create_connection(address, PATIENCE) as plain:
        with context.wrap_socket(plain, server_hostname=url.hostname) as connection:
            yield connection


def _valid_until(url: SplitResult, context: ssl.SSLContext) -> float:
    with _connected(url, context) as connection:
        certificate: Any = connection.getpeercert()
        return ssl.cert_time_to_seconds(certificate["notAfter"])


def _days(until: float) -> Verdict:
    left = int((until - time.time()) // DAY)
    if left < FEW_DAYS:
        return warning(f"{left} days left: renew the certificate in {CERTIFICATES}")
    return ok(f"{left} days left")
