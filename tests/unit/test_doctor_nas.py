"""How each line that doctor.sh told is judged."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.loop_doctor_nas import nas_findings
from ansible.module_utils.loop_doctor_told import Told

NOW = 1_800_000_000
DOCKER = "/docker"
STATE = "/volume1/state"
LOOP = "/volume1/LOOP"
# vault.yml is encrypted, so that nobody can write into it.
OPEN_QUOTE = "/.env, because the quote in its line of OPENAI_API_KEY is not closed: close it"
VAULT_SET = "`loopdeploy vault set vault_anthropic_api_key`"
# What doctor.sh tells of a NAS on which everything is right.
RIGHT = f"""\
user 0
dsm 7.2.2
python 3.8.15
requests 2.32.4
docker {DOCKER}
engine 20.10.24 1.41
container loop-auth running healthy network:loop
container loop-api running healthy network:loop
state 700 0
space-volume 9000 /volume1
space-images 9000 /volume1
space-build 900 /tmp
checkout 1a2b3c4
dockerfile found {LOOP}/Dockerfile
dockerfile found {LOOP}/Dockerfile.auth
source found {LOOP}
keys 700 {LOOP}/api/oauth/keys
key 600 {LOOP}/api/oauth/keys/1.a.pem
env 600 {LOOP}/.env
api-key ANTHROPIC_API_KEY
time {NOW}
"""


def doctor_parameters(**changes: object) -> dict[str, Any]:
    """Return the module's parameters; nothing answers at the addresses in them."""
    return {
        "answer": {},
        "ssh": {"host": "127.0.0.1", "port": 9, "user": "ann", "args": ""},
        "url": "https://127.0.0.1:9",
        "ports": {"loop-auth": 8084, "loop-api": 8082},
        "network": "loop",
        "docker": DOCKER,
        "python": "/usr/bin/python3",
        "ansible": "2.19.14",
        "state_dir": STATE,
        "loop_dir": LOOP,
        "free": 512,
        "api_keys": {"OPENAI_API_KEY": True, "ANTHROPIC_API_KEY": False},
        "scan": [],
        **changes,
    }


def judged(output: str, **changes: object) -> dict[str, tuple[str, str]]:
    """Return of each subject its state and sentence."""
    params = {"oldest_python": "3.8", "now": float(NOW), **doctor_parameters(**changes)}
    return {line["subject"]: (line["state"], line["text"]) for line in nas_findings(Told(output), params)}


def test_bind_sources_wait_for_the_checkout() -> None:
    """A directory made first would keep git from cloning."""
    told = RIGHT.replace("checkout 1a2b3c4", "").replace("source found", "source missing")
    assert "once LOOP is cloned, on the NAS, `sudo mkdir -p" in judged(told)["bind sources"][1]


def without(word: str) -> str:
    """Return what is told when there are no lines with ``word``."""
    return "".join(line + "\n" for line in RIGHT.splitlines() if line.split()[0] != word)


def test_right_nas_has_nothing_but_ok() -> None:
    """Whatever the shell said before."""
    lines = judged("Could not chdir to home directory /var/services/homes/ann\r\n" + RIGHT.replace("\n", "\r\n"))
    assert {state for state, _ in lines.values()} == {"ok"}
    assert lines["OPENAI_API_KEY"] == ("ok", "in the vault")
    assert lines["ANTHROPIC_API_KEY"] == ("ok", f"in {LOOP}/.env")


def test_table_is_whole_without_an_answer() -> None:
    """The same lines, not asked."""
    lines = nas_findings(None, doctor_parameters())
    assert [line["subject"] for line in lines] == list(judged(RIGHT))
    assert {line["state"] for line in lines} == {"not asked"}


@pytest.mark.parametrize("line", RIGHT.splitlines(keepends=True)[1:-1])
def test_line_that_is_missing_leaves_a_whole_table(line: str) -> None:
    """Each fault is a line, and a sentence: what, where, and what to do next."""
    lines = judged(RIGHT.replace(line, ""))
    assert list(lines) == list(judged(RIGHT))
    assert all("\n" not in text and (": " in text or state in ("ok", "not asked")) for state, text in lines.values())


@pytest.mark.parametrize(
    ("told", "became", "subject", "state", "words"),
    [
        ("dsm 7.2.2", "", "DSM", "warning", "no Synology"),
        ("dsm 7.2.2", "dsm", "DSM", "warning", "names no version"),
        ("dsm 7.2.2", "dsm 6.2.4", "DSM", "warning", "update DSM"),
        ("dsm 7.2.2", "dsm 7.3", "DSM", "ok", "7.3"),
        ("python 3.8.15", "python", "Python", "failed", "none at /usr/bin/python3: install it"),
        ("python 3.8.15", "python 3.7.9", "Python", "failed", "is 3.7.9 and ansible-core 2.19.14 needs 3.8"),
        ("python 3.8.15", "python 3.11.2", "Python", "ok", "3.11.2"),
        ("python 3.8.15", "python", "requests", "not asked", "no Python"),
        ("requests 2.32.4", "requests", "requests", "failed", "`loopdeploy bootstrap`"),
        (f"docker {DOCKER}", "", "docker", "failed", "set loop_docker"),
        (f"docker {DOCKER}", "", "engine", "not asked", "no Docker command"),
        ("engine 20.10.24 1.41", "engine", "engine", "failed", "start Container Manager"),
        ("engine 20.10.24 1.41", "engine 19.3 1.40", "engine", "failed", "API 1.40 and 1.41 is needed"),
        ("engine 20.10.24 1.41", "engine 28.1 1.49", "engine", "ok", "28.1, API 1.49"),
        ("engine 20.10.24 1.41", "engine", "loop-api", "not asked", "engine does not answer"),
        ("engine 20.10.24 1.41", "engine", "network", "not asked", "engine does not answer"),
        ("state 700 0", "", "state directory", "failed", f"there is no {STATE}: `loopdeploy bootstrap`"),
        ("state 700 0", "state 755 0", "state directory", "failed", f"sudo chmod 700 {STATE}"),
        ("state 700 0", "state 700 1026", "state directory", "failed", "move it away on the NAS"),
        ("state 700 0", "state 770 0", "state directory", "failed", "move it away on the NAS"),
        ("state 700 0", "state link /volume1/else", "state directory", "failed", f"{STATE} links to /volume1/else"),
        ("state 700 0", "state file", "state directory", "failed", f"{STATE} is no directory: move it away"),
        ("space-volume 9000", "space-volume 9", "space for the state", "failed", "/volume1 has 9 MB left"),
        ("space-images 9000", "space-images 9", "space for images", "failed", "a build needs 512"),
        ("space-images 9000 /volume1", "", "space for images", "not asked", "does not say"),
        ("space-build 900", "space-build 511", "space for a build", "failed", "/tmp has 511 MB left"),
        ("checkout 1a2b3c4", "", "LOOP checkout", "failed", "set loop_dir"),
        ("checkout 1a2b3c4", "checkout", "LOOP checkout", "warning", "`unknown`"),
        (
            f"found {LOOP}/Dockerfile.a",
            f"missing {LOOP}/Dockerfile.a",
            "Dockerfiles",
            "failed",
            "no /volume1/LOOP/Dock",
        ),
        (f"source found {LOOP}", f"source missing {LOOP}", "bind sources", "failed", f"`sudo mkdir -p {LOOP}`"),
        (f"source found {LOOP}", "source missing /v/a b", "bind sources", "failed", "`sudo mkdir -p '/v/a b'`"),
        ("env 600 ", "env 644 /v/a b", ".env", "failed", f"sudo chmod 600 '/v/a b{LOOP}/.env'`"),
        ("key 600", "key 644", "signing keys", "failed", f"sudo chmod 600 {LOOP}/api/oauth/keys/1.a.pem"),
        ("keys 700", "keys 755", "signing keys", "failed", f"sudo chmod 700 {LOOP}/api/oauth/keys`"),
        (f"key 600 {LOOP}/api/oauth/keys/1.a.pem", "", "signing keys", "ok", "none yet"),
        ("env 600", "env 644", ".env", "failed", f"sudo chmod 600 {LOOP}/.env"),
        (f"env 600 {LOOP}/.env", "", ".env", "ok", "none"),
        ("api-key ANTHROPIC_API_KEY", "", "ANTHROPIC_API_KEY", "warning", VAULT_SET),
        ("api-key ANTHROPIC_API_KEY", "open-quote OPENAI_API_KEY", "ANTHROPIC_API_KEY", "failed", OPEN_QUOTE),
        (f"time {NOW}", f"time {NOW - 9}", "clock", "ok", "9 s behind"),
        (f"time {NOW}", f"time {NOW + 60}", "clock", "warning", "60 s ahead of this machine's"),
        (f"time {NOW}", f"time {NOW - 3600}", "clock", "failed", "3600 s behind this machine's"),
        (
            "loop-auth running healthy",
            "loop-auth exited healthy",
            "loop-auth",
            "failed",
            "`loopdeploy start loop-auth`",
        ),
        ("loop-api running healthy", "loop-api running none", "loop-api", "warning", "`loopdeploy rebuild loop-api`"),
        ("loop-api running healthy", "loop-api running starting", "loop-api", "warning", "ask again"),
        ("loop-api running healthy", "loop-api running unhealthy", "loop-api", "failed", "`loopdeploy logs loop-api`"),
        ("container loop-api running healthy network:loop", "", "loop-api", "failed", "`loopdeploy rebuild loop-api`"),
        ("container loop-api running healthy network:loop", "", "network", "not asked", "not both"),
        ("loop-api running healthy network:loop", "loop-api running none", "network", "failed", "loop-api not on the"),
        ("healthy network:loop\n", "healthy\n", "network", "failed", "`loopdeploy rebuild --force` puts both there"),
        (
            "loop-api running healthy network:loop",
            "loop-api running none network:bridge link:/loop-auth:/loop-api/loop-auth",
            "network",
            "warning",
            "an old --link: `loopdeploy rebuild`",
        ),
    ],
)
def test_line_says_what_is_wrong_and_what_to_do(told: str, became: str, subject: str, state: str, words: str) -> None:
    """One fault at a time."""
    assert told in RIGHT
    lines = judged(RIGHT.replace(told, became))
    assert lines[subject][0] == state
    assert words in lines[subject][1]


def test_command_that_is_advised_names_the_state_directory_for_a_shell() -> None:
    """One with a blank, too."""
    assert (
        "`sudo chmod 700 '/v/a b'`"
        in judged(RIGHT.replace("state 700", "state 755"), state_dir="/v/a b")["state directory"][1]
    )


def test_nas_before_its_first_deployment_has_no_fault() -> None:
    """There is nothing that could be broken yet."""
    lines = judged(without("container"))
    assert [lines[name][0] for name in ("loop-auth", "loop-api", "network")] == ["warning", "warning", "not asked"]
    assert "failed" not in {state for state, _ in lines.values()}


def test_newer_ansible_refuses_the_nas_s_python() -> None:
    """DSM's own is 3.8, which ansible-core drives up to 2.19."""
    params = {"oldest_python": "3.9", "ansible": "2.21.5"}
    state, text = judged(RIGHT, **params)["Python"]
    assert state == "failed"
    assert "install ansible 12 beside loopdeploy" in text
