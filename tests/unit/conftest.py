"""What several unit tests share."""

from __future__ import annotations

import functools
import importlib.util
import os
import pwd
import signal
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from types import SimpleNamespace
from typing import Any

import ansible.module_utils
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from tests.unit.scripted_engine import Clock
from tests.unit.scripted_engine import ScriptedEngine

ROLES = Path(__file__).resolve().parents[2] / "roles"
# Ansible puts a role's module_utils beside its own; so every test finds them under the names they have on the NAS.
ansible.module_utils.__path__.append(str(ROLES / "loop_service" / "module_utils"))

Load = Callable[[str], ModuleType]
Outcome = tuple[str, dict[str, Any]]
Run = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test, and what it starts, from this machine's keyring."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


@pytest.fixture(scope="session")
def load() -> Load:
    """Import a plugin of a role by its path below roles/."""

    @functools.cache
    def _load(path: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(Path(path).stem, ROLES / path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return _load


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let the modules live by a clock whose seconds take no time."""
    clock = Clock()
    for name in ("engine", "health", "journal", "swap", "sessions", "backup", "restoration"):
        module = importlib.import_module(f"ansible.module_utils.loop_{name}")
        monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def engine(tmp_path: Path, clock: Clock) -> Iterator[ScriptedEngine]:
    """Run a scripted engine in a thread."""
    with ScriptedEngine(tmp_path / "docker.sock", clock) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the home directory of the user `ann` is to be; she is who runs the tests."""
    homes = tmp_path / "homes"
    homes.mkdir()
    account = pwd.struct_passwd(("ann", "x", os.getuid(), os.getgid(), "", str(homes / "ann"), "/bin/sh"))
    module = importlib.import_module("ansible.module_utils.loop_login")
    monkeypatch.setattr(module, "pwd", SimpleNamespace(getpwnam={"ann": account}.__getitem__))
    return homes / "ann"


class Ended(Exception):
    """A module handed its result over."""


class Recorder:
    """Stands for AnsibleModule: checks the parameters as that does, and ends with the result."""

    arguments: dict[str, Any] = {}
    given: dict[str, Any] = {}
    check_mode = False

    def __init__(self, **arguments: Any) -> None:
        Recorder.arguments = arguments
        rules = {key: value for key, value in arguments.items() if key != "supports_check_mode"}
        result = ArgumentSpecValidator(**rules).validate(Recorder.given)
        if result.error_messages:
            raise Ended("refused", {"msg": " ".join(result.error_messages)})
        self.params = result.validated_parameters

    def exit_json(self, **result: object) -> None:
        """End well."""
        raise Ended("ok", result)

    def fail_json(self, **result: object) -> None:
        """End with a failure."""
        raise Ended("failed", result)


@pytest.fixture
def run(load: Load, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run a module of loop_service by its name; return how it ended, and its result."""
    basic = ModuleType("ansible.module_utils.basic")
    monkeypatch.setattr(basic, "AnsibleModule", Recorder, raising=False)
    monkeypatch.setitem(sys.modules, "ansible.module_utils.basic", basic)
    kept = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)}
    kept[signal.SIGPIPE] = signal.getsignal(signal.SIGPIPE)

    def _run(module: str, /, check_mode: bool = False, **params: object) -> Outcome:
        monkeypatch.setattr(Recorder, "given", params)
        monkeypatch.setattr(Recorder, "check_mode", check_mode)
        with pytest.raises(Ended) as ended:
            load(f"loop_service/library/{module}.py").main()
        kind, result = ended.value.args
        return kind, result

    yield _run
    for number, handler in kept.items():  # a module is deaf to what would end it halfway
        signal.signal(number, handler)
