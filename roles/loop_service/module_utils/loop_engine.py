"""The engine of a NAS, over its socket and with the standard library alone: DSM's Python 3.8 has no more."""

from __future__ import annotations

import http.client
import json
import socket
import time
from typing import Any
from urllib.parse import quote

from ansible.module_utils.loop_problem import Problem
from ansible.module_utils.loop_problem import Refusal

# A container that is not there, and one that is in the wanted state already, are answers, not failures.
MISSING = 404
UNCHANGED = 304
# What is being done already, or is in use.
CONFLICT = 409
# Seconds that a disk may take to remove what is large.
SLOW = 300
# Seconds that an engine may take to come back when it restarts in the middle.
PATIENCE = 90
# Seconds until an engine that did not answer is asked again.
PAUSE = 0.5


class EngineConnection(http.client.HTTPConnection):
    """HTTP over the engine's UNIX socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        """Connect to the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    """The engine behind the socket at ``path``.

    ``patience`` is for how many seconds it is asked again when it does not answer: an engine that restarts in the
    middle of a replacement comes back. What changes something says what is to hold, so asking twice does no harm.
    """

    def __init__(self, path: str, patience: float = 0) -> None:
        self.path = path
        self.patience = patience

    def request(self, method: str, url: str, body: Any = None, timeout: float = 30) -> tuple[int, bytes]:
        """Return the status and the body of the engine's answer, or raise a Problem when it does not answer."""
        deadline = time.monotonic() + self.patience
        while True:
            connection = EngineConnection(self.path, timeout)
            try:
                headers = {"Content-Type": "application/json"} if body is not None else {}
                connection.request(method, url, json.dumps(body) if body is not None else None, headers)
                response = connection.getresponse()
                return response.status, response.read()
            except (OSError, http.client.HTTPException) as error:
                if time.monotonic() >= deadline:
                    raise Problem(
                        f"The Docker engine does not answer at {self.path} ({error}): start Container Manager in DSM's"
                        " Package Center."
                    ) from error
                time.sleep(PAUSE)
            finally:
                connection.close()

    def get(self, url: str) -> Any:
        """Return what the engine answers to ``url``, None when there is no such thing; else raise a Problem."""
        status, body = self.request("GET", url)
        if status == MISSING:
            return None
        if status != 200:
            raise Refusal(status, f"The engine answers {url} with {status}: {body.decode(errors='replace').strip()}")
        try:
            return json.loads(body)
        except ValueError as error:
            raise Problem(
                f"What answers at {self.path} is not the Docker engine: correct the path of its socket."
            ) from error

    def change(self, method: str, url: str, body: Any = None, timeout: float = 30) -> Any:
        """Change something and return the engine's answer, None when it has nothing to say; raise a Refusal."""
        status, answer = self.request(method, url, body, timeout)
        if status >= 400:
            raise Refusal(status, _message(answer))
        return json.loads(answer) if answer.strip() and status != UNCHANGED else None

    def container(self, name: str) -> dict[str, Any] | None:
        """Return what the engine knows of the container with this name or id, None when there is none."""
        found: dict[str, Any] | None = self.get(f"/containers/{name}/json")
        return found

    def name(self, container: str, name: str) -> None:
        """Let the container with this id bear ``name``."""
        details = self.container(container)
        if details is None or details["Name"] != f"/{name}":
            try:
                self.change("POST", f"/containers/{container}/rename?name={name}")
            except Refusal:
                # It has the name already when the engine hung up after its work, and was asked again.
                details = self.container(container)
                if details is None or details["Name"] != f"/{name}":
                    raise

    def start(self, container: str) -> None:
        """Let the container run."""
        self.change("POST", f"/containers/{container}/start")

    def stop(self, container: str, seconds: int) -> None:
        """Let the container be stopped; it is killed when it does not end within ``seconds``."""
        self.change("POST", f"/containers/{container}/stop?t={seconds}", timeout=seconds + 30)

    def restart_policy(self, container: str, policy: dict[str, Any]) -> None:
        """Let the engine restart the container by ``policy``, without touching it now."""
        self.change("POST", f"/containers/{container}/update", {"RestartPolicy": policy})

    def remove(self, container: str) -> None:
        """Let there be no such container, running or not."""
        status, answer = self.request("DELETE", f"/containers/{container}?force=1", timeout=SLOW)
        if status >= 400 and status not in (MISSING, CONFLICT):  # it is going already
            raise Refusal(status, _message(answer))

    def tag(self, image: str, name: str) -> None:
        """Let ``name``, with its tag, mean ``image``."""
        repository, _, tag = name.rpartition(":")
        self.change("POST", f"/images/{quote(image)}/tag?repo={quote(repository)}&tag={quote(tag)}")

    def untag(self, name: str) -> None:
        """Let ``name``, with its tag, mean no image; one without any name is gone, unless a container is made of it."""
        status, answer = self.request("DELETE", f"/images/{quote(name)}", timeout=SLOW)
        if status >= 400 and status not in (MISSING, CONFLICT):  # somebody was faster, or uses it
            raise Refusal(status, _message(answer))

    def log(self, container: str, lines: int) -> list[str]:
        """Return the last ``lines`` of what the container wrote, both streams in their order."""
        status, body = self.request("GET", f"/containers/{container}/logs?stdout=1&stderr=1&tail={lines}", timeout=5)
        return _frames(body).decode(errors="replace").splitlines() if status == 200 else []


def _message(answer: bytes) -> str:
    """Return the engine's own words."""
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return answer.decode(errors="replace").strip()


def _frames(stream: bytes) -> bytes:
    """Return the content of a log: frames of 8 bytes of header, the last 4 of them the length of what follows.

    See "Stream format" in the Engine API's description of attaching to a container.
    """
    content = b""
    while len(stream) >= 8:
        end = 8 + int.from_bytes(stream[4:8], "big")
        content += stream[8:end]
        stream = stream[end:]
    return content
