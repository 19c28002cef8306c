"""The pages that people see: no script, nothing from elsewhere, and no frame around them."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment
from jinja2 import FileSystemLoader
from jinja2 import StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from api.oauth.messages import NO_STORE

_TEMPLATES = Path(__file__).parent / "templates"
_STYLE = (_TEMPLATES / "style.css").read_text()
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
_environment.globals["style"] = Markup(_STYLE)


def page(template: str, status: int = 200, redirect_uri: str = "", **values: object) -> HTMLResponse:
    """Return a page. A form on it may lead to ``redirect_uri``, as browsers hold redirects to form-action too."""
    html = _environment.get_template(template).render(values)
    return HTMLResponse(html, status, headers={**_headers(redirect_uri), **NO_STORE})


def _headers(redirect_uri: str) -> dict[str, str]:
    policy = [
        "default-src 'none'",
        f"style-src 'sha256-{_STYLE_HASH}'",
        f"form-action 'self' {_source(redirect_uri)}".rstrip(),
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        # Not no-referrer: browsers then send forms with the origin "null".
        "Referrer-Policy": "same-origin",
    }


def _source(redirect_uri: str) -> str:
    url = urlsplit(redirect_uri)
    # The policy's grammar has no IPv6 addresses.
    return "http:" if ":" in (url.hostname or "") else redirect_uri and f"{url.scheme}://{url.netloc}"
