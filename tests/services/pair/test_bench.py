"""bench/services.py, which measures the pair, works with it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.oauth_client import OAuthClient
from tests.services.pair.pair import Pair

BENCH = Path(__file__).parents[3] / "bench" / "services.py"
CLIENTS = 2


@pytest.mark.parametrize("kinds", [("refresh",), ("verify", "ping", "search", "search_rare")])
def test_bench_measures(pair: Pair, client: OAuthClient, token: str, tmp_path: Path, kinds: tuple[str, ...]) -> None:
    """Each kind of call, with a line for each."""
    sign_ins = [[client.client_id, client.connect(NAME, PASSWORD)["refresh_token"]] for _ in range(CLIENTS)]
    (tmp_path / "sign-ins.json").write_text(json.dumps(sign_ins))
    command = [sys.executable, str(BENCH), pair.url, "--clients", str(CLIENTS), "--calls", "20", "--kinds", *kinds]
    ended = subprocess.run(
        [*command, "--sign-ins", "sign-ins.json"],
        cwd=tmp_path, env={"LOOP_TOKEN": token}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.findall(r"^(\w+) +20 calls  median", ended.stdout, re.MULTILINE) == list(kinds)
