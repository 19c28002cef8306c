"""A certificate of an authority: known here or not, with the one between them or without, served on 127.0.0.1."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from ansible.module_utils.loop_doctor_tls import tls

from tests.unit.test_doctor_web import Serve
from tests.unit.test_doctor_web import answers as answers
from tests.unit.test_doctor_web import serve as serve

AUTHORITY = "basicConstraints=critical,CA:TRUE"
LEAF = "subjectAltName=IP:127.0.0.1"


def sign(path: Path, extension: str, by: Path | None) -> Path:
    """Write a certificate of 60 days and its key, signed ``by`` another or itself, and return its file."""
    key = path.with_suffix(".key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "60", "-subj", f"/CN={path.stem}", "-addext", extension, "-keyout", str(key)]
    signer = ["-CA", str(by), "-CAkey", str(by.with_suffix(".key"))] if by else []
    subprocess.run([*command, *signer, "-out", str(path)], check=True, capture_output=True)
    return path


@pytest.fixture
def chain(tmp_path: Path) -> list[Path]:
    """Return a certificate, the one that signed it, and the authority that signed that."""
    root = sign(tmp_path / "root.pem", AUTHORITY, None)
    between = sign(tmp_path / "between.pem", AUTHORITY, root)
    return [sign(tmp_path / "leaf.pem", LEAF, between), between, root]


def judged(serve: Serve, leaf: Path, sent: list[Path]) -> tuple[str, str]:
    """Return what is said of a server that has ``leaf`` and sends it along with others."""
    file = leaf.with_name("served.pem")
    file.write_text("".join(part.read_text() for part in [leaf.with_suffix(".key"), leaf, *sent]))
    verdict: tuple[str, str] = tls(urlsplit(serve(file)))[0]
    return verdict


def test_known_authority_s_whole_chain_is_ok(serve: Serve, chain: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """As DSM sends it where the intermediate certificate was imported, too."""
    leaf, between, root = chain
    monkeypatch.setenv("SSL_CERT_FILE", str(root))
    state, text = judged(serve, leaf, [between])
    assert (state, text.endswith("days left")) == ("ok", True)


@pytest.mark.parametrize("known", [True, False])
def test_certificate_without_the_one_that_signed_it_is_told(
    serve: Serve, chain: list[Path], monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """Another certificate would not help where the authority is known; from here that cannot be seen."""
    leaf, _, root = chain
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(root))
    state, text = judged(serve, leaf, [])
    assert (state, "days left, but its chain is incomplete or from an authority that" in text) == ("warning", True)
    assert "import it anew with its intermediate certificate in DSM's Control Panel, Security, Certificate, or" in text


def test_whole_chain_of_an_unknown_authority_needs_another_certificate(serve: Serve, chain: list[Path]) -> None:
    """Nothing is missing that could be imported."""
    leaf, between, root = chain
    state, text = judged(serve, leaf, [between, root])
    assert (state, "from no authority that this machine knows" in text) == ("warning", True)
    assert "intermediate" not in text
