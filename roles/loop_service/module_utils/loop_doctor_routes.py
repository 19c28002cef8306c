"""The reverse proxy: to which service it sends each path of the public address."""

from __future__ import annotations

import http.client
import json
from typing import Any
from typing import Callable
from typing import Dict
from typing import Tuple
from urllib.parse import SplitResult
from urllib.parse import urlsplit

from ansible.module_utils.loop_doctor_tls import believing
from ansible.module_utils.loop_doctor_tls import tls
from ansible.module_utils.loop_finding import Finding
from ansible.module_utils.loop_finding import Verdict
from ansible.module_utils.loop_finding import failed
from ansible.module_utils.loop_finding import finding
from ansible.module_utils.loop_finding import ok
from ansible.module_utils.loop_finding import unasked

# Seconds that an answer may take.
PATIENCE = 5

Answer = Tuple[int, Dict[str, str], Any]
# What is wrong with an answer to a path of this address, "" when nothing is.
Judge = Callable[[Answer, str], str]


def route_findings(url: str, ports: dict[str, int], deployed: bool) -> list[Finding]:
    """Return a line for the certificate of ``url``, and one for each path that a service must answer."""
    parts = urlsplit(url)
    certificate, answers = tls(parts)
    lines = [finding("TLS", certificate)]
    for path, service, judge in ROUTES:
        if not answers:
            verdict = unasked(f"{url} does not answer")
        elif not deployed:
            verdict = unasked("nothing is deployed yet")
        else:
            verdict = route(parts, path, service, ports[service], judge)
        lines.append(finding(path, verdict))
    return lines


def route(url: SplitResult, path: str, service: str, port: int, judge: Judge) -> Verdict:
    """Return whether ``path`` is answered by ``service``, as it must be."""
    try:
        answer = ask(url, path)
    except (OSError, http.client.HTTPException) as error:
        return failed(f"no answer ({error}): let the reverse proxy send it to {service}, port {port} of the NAS")
    status, rule = answer[0], f"let the reverse proxy send it to {service}, port {port} of the NAS"
    if status in (502, 503, 504):
        return failed(
            f"{status} instead of {service}'s answer: where {service} is healthy, {rule}; else see `loopdeploy logs"
            f" {service}`, then start it"
        )
    wrong = f"a redirect ({status}), which breaks clients" if 300 <= status < 400 else judge(answer, url.geturl())
    return failed(f"{wrong}: {rule}") if wrong else ok(service)


def ask(url: SplitResult, path: str) -> Answer:
    """Return status, headers and the JSON that answers at ``path``; of an answer that has no end only its head."""
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        # The certificate has its own line.
        connection = http.client.HTTPSConnection(url.netloc, timeout=PATIENCE, context=believing())
    else:
        connection = http.client.HTTPConnection(url.netloc, timeout=PATIENCE)
    try:
        connection.request("GET", url.path.rstrip("/") + path, headers={"User-Agent": "loopdeploy doctor"})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        body = response.read(2**20) if "json" in headers.get("content-type", "") else b""
    finally:
        connection.close()
    try:
        return response.status, headers, json.loads(body)
    except ValueError:
        return response.status, headers, None


def _is_json_with(field: str) -> Judge:
    def judge(answer: Answer, url: str) -> str:
        status, _, body = answer
        return "" if status == 200 and isinstance(body, dict) and body.get(field) else f"{status} without {field!r}"

    return judge


def _is_metadata_of_the_issuer(answer: Answer, url: str) -> str:
    wrong = _is_json_with("issuer")(answer, url)
    if wrong or answer[2]["issuer"] == url:
        return wrong
    return f"its issuer is {answer[2]['issuer']} and not loop_public_url, byte for byte, which clients refuse"


def _is_health_of_loop_api(answer: Answer, url: str) -> str:
    status, _, body = answer
    if status != 200 or not isinstance(body, dict):
        return f"{status} without JSON"
    service = body.get("service")
    return "" if service == "loop-api" else f"{service or 'something that does not name itself'} answers"


def _is_challenge_of_loop_api(answer: Answer, url: str) -> str:
    if answer[0] == 401 and "resource_metadata" in answer[1].get("www-authenticate", ""):
        return ""
    return f"{answer[0]} without the challenge that leads clients to sign in"


def _is_page_of_loop_auth(answer: Answer, url: str) -> str:
    """Judge the answer of /authorize to somebody who asks for nothing: a refusal, for his browser."""
    return _of_loop_api(answer) or ("" if answer[0] in (400, 422) else f"{answer[0]} instead of a refusal")


def _is_endpoint_of_loop_auth(answer: Answer, url: str) -> str:
    """Judge the answer to a GET where OAuth wants a POST: that it must be one, or an error of OAuth's."""
    status, _, body = answer
    is_error = 400 <= status < 500 and status != 404 and isinstance(body, dict) and bool(body.get("error"))
    return _of_loop_api(answer) or ("" if status == 405 or is_error else f"{status} instead of an error of OAuth's")


def _of_loop_api(answer: Answer) -> str:
    # It wants a token for whatever it does not know.
    return "loop-api answers" if "resource_metadata" in answer[1].get("www-authenticate", "") else ""


# What clients ask for, who must answer, and how that is recognised.
ROUTES: list[tuple[str, str, Judge]] = [
    ("/.well-known/oauth-authorization-server", "loop-auth", _is_metadata_of_the_issuer),
    ("/.well-known/jwks.json", "loop-auth", _is_json_with("keys")),
    ("/authorize", "loop-auth", _is_page_of_loop_auth),
    ("/token", "loop-auth", _is_endpoint_of_loop_auth),
    ("/register", "loop-auth", _is_endpoint_of_loop_auth),
    ("/revoke", "loop-auth", _is_endpoint_of_loop_auth),
    ("/.well-known/oauth-protected-resource", "loop-api", _is_json_with("resource")),
    ("/.well-known/oauth-protected-resource/mcp", "loop-api", _is_json_with("resource")),
    ("/health", "loop-api", _is_health_of_loop_api),
    ("/mcp", "loop-api", _is_challenge_of_loop_api),
]
