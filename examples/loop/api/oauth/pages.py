"""The pages that people see: no script, nothing from elsewhere, and no frame around them."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

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


def page(template: str, status: int = 200, **values: object) -> HTMLResponse:
    """Return a page. Forms lead to this service alone, but those of the consent page."""
    html = _environment.get_template(template).render(values)
    return HTMLResponse(html, status, headers={**_headers(template), **NO_STORE})


def _headers(template: str) -> dict[str, str]:
    policy = ["default-src 'none'", f"style-src 'sha256-{_STYLE_HASH}'", "frame-ancestors 'none'", "base-uri 'none'"]
    if template != "consent.html":
        # Chromium holds every redirect that follows a form to this, also those by which a client sends the browser on,
        # as Claude's does to its app, claude:. Nobody can name such a place beforehand, so the consent page has no
        # such directive; from the sign-in page a link leads to the client.
        policy.append("form-action 'self'")
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        # Not no-referrer: browsers then send forms with the origin "null".
        "Referrer-Policy": "same-origin",
    }
