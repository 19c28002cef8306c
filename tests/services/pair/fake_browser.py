"""A browser for programs that open one: signs in, allows, and follows the way back to the program.

LOOP_NAME=... LOOP_PASSWORD=... python fake_browser.py URL
"""

from __future__ import annotations

import os
import sys

import httpx

from tests.services.oauth_client import Browser


def main() -> None:
    """Do what a person does."""
    with httpx.Client(timeout=20) as http:
        response = Browser(http).decide(sys.argv[1], os.environ["LOOP_NAME"], os.environ["LOOP_PASSWORD"])
        http.get(response.headers["location"]).raise_for_status()


if __name__ == "__main__":
    main()
