"""A Docker engine that a test scripts: containers that live by the rules of its API 1.41, and faults on demand.

Only what loopdeploy's own modules ask for is there; see the Engine API's reference for each answer.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from socket import socket
from socketserver import StreamRequestHandler
from socketserver import UnixStreamServer
from typing import Any
from urllib.parse import parse_qs
from urllib.parse import unquote
from urllib.parse import urlsplit

Answer = tuple[int, Any]
NO_COMMAND = 'OCI runtime exec failed: exec: "curl": executable file not found in $PATH: unknown'


class HangUp(Exception):
    """The connection ends without an answer."""


class Clock:
    """Stands for the module ``time``: its seconds pass when somebody sleeps, or when the engine works."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.alarms: list[tuple[float, Callable[[], None]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def monotonic(self) -> float:
        """Return the seconds that passed."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass, and what is due happen."""
        self.now += seconds
        due = [alarm for at, alarm in self.alarms if at <= self.now]
        self.alarms = [(at, alarm) for at, alarm in self.alarms if at > self.now]
        for alarm in due:
            alarm()

    def after(self, seconds: float, alarm: Callable[[], None]) -> None:
        """Let something happen in ``seconds``."""
        self.alarms.append((self.now + seconds, alarm))


@dataclass
class Container:
    """A container; the second half is what the test scripts."""

    id: str
    name: str
    image: str = "sha256:1a2b"
    policy: str = "unless-stopped"
    port: int | None = 8082
    status: str = "created"
    exit_code: int = 0
    starts: int = 0
    by_hand: bool = False
    release: str | None = None

    check: int | None = 0  # its health check's exit code, None when there is no such command
    verdict: str | None = "healthy"  # the engine's word on it, None when it declares no check
    polls: int | None = None  # after being asked for so often, it exits
    refusal: str = ""  # why it cannot start
    stopping: float = 0.5  # the seconds it takes to stop
    out_of_memory: bool = False
    log: list[str] = field(default_factory=lambda: ["listening"])

    @property
    def running(self) -> bool:
        """Return whether it runs."""
        return self.status == "running"

    def ends(self, code: int) -> None:
        """End, by itself or not."""
        self.status, self.exit_code = "exited", code


class ScriptedEngine(UnixStreamServer):
    """The engine; ``faults`` has what happens instead of, before or after the requests that match a pattern.

    ``answers`` has whole answers by URL. ``seen`` lists the requests, ``hook`` is called before each.
    """

    request_queue_size = 50

    def __init__(self, path: Path, clock: Clock) -> None:
        super().__init__(str(path), _Connection)
        self.path = str(path)
        self.clock = clock
        self.containers: list[Container] = []
        self.images: dict[str, str] = {}
        self.execs: dict[str, Container] = {}
        self.answers: dict[str, Answer] = {}
        self.faults: list[Fault] = []
        self.seen: list[str] = []
        self.hook: Callable[[], None] = lambda: None
        self.hang_up: Callable[[socket], None] = lambda connection: None
        self.numbers = itertools.count(1)

    def add(self, name: str, run: bool = False, **script: Any) -> Container:
        """Make a container, and let it run if asked."""
        container = Container(id=f"{next(self.numbers):012x}", name=name, **script)
        self.containers.append(container)
        if run:
            assert self._start(container)[0] == 204
        return container

    def find(self, reference: str) -> Container | None:
        """Return the container with this id or name."""
        return next((one for one in self.containers if reference in (one.id, one.name)), None)

    def names(self) -> dict[str, str]:
        """Return each container's status by its name."""
        return {one.name: one.status for one in self.containers}

    def fault(self, pattern: str, *, status: int = 0, message: str = "", after: bool = False, times: int = 1) -> None:
        """Let the next ``times`` requests that match fail: with a status, or hung up, before or after the work."""
        self.faults.append(Fault(re.compile(pattern), status, message, after, times))

    def restart(self, order: Callable[[list[Container]], Iterable[Container]] = list) -> None:
        """Let the engine, or the NAS, start anew: it stops all, and starts by policy, one made and not started too."""
        for container in self.containers:
            if container.running:
                container.ends(137)
        self.execs.clear()
        for container in order(self.containers):
            if container.policy == "always" or (container.policy == "unless-stopped" and not container.by_hand):
                self._start(container)

    def respond(self, method: str, url: str, body: Any) -> Answer:
        """Return the answer to a request, or raise HangUp."""
        self.hook()
        self.seen.append(f"{method} {url}")
        self.clock.now += 0.01
        fault = next((one for one in self.faults if one.times and one.pattern.search(f"{method} {url}")), None)
        if fault:
            fault.times -= 1
            if fault.after:
                self._work(method, url, body)
            if not fault.status:
                raise HangUp
            return fault.status, {"message": fault.message}
        return self._work(method, url, body)

    def _work(self, method: str, url: str, body: Any) -> Answer:
        if url in self.answers:
            return self.answers[url]
        parts = urlsplit(url)
        kind, *rest = parts.path.strip("/").split("/")
        query = {key: value for key, (value, *_) in parse_qs(parts.query).items()}
        verb = rest.pop() if len(rest) > 1 or rest == ["json"] else ""
        what = unquote("/".join(rest))
        action = getattr(self, f"_{method.lower()}_{kind}_{verb}{'' if what else 's'}".rstrip("_"), None)
        return action(what, query, body) if action else (404, {"message": "page not found"})

    def _get_containers_jsons(self, what: str, query: dict[str, str], body: Any) -> Answer:
        chosen = [one for one in self.containers if one.running or "all" in query]
        return 200, [{"Id": one.id, "Names": [f"/{one.name}"], "ImageID": one.image} for one in chosen]

    def _get_containers_json(self, what: str, query: dict[str, str], body: Any) -> Answer:
        if (container := self.find(what)) is None:
            return no_such(what)
        self._poll(container)
        test = ["NONE"] if container.verdict is None else ["CMD", "curl", "--fail", "http://localhost:8081/health"]
        state = {"Status": container.status, "Running": container.running, "ExitCode": container.exit_code}
        state |= {"StartedAt": f"start {container.starts}", "OOMKilled": container.out_of_memory}
        state |= {"Health": {"Status": container.verdict}} if container.verdict else {}
        labels = {"loopdeploy.release": container.release} if container.release else None
        return 200, {
            "Id": container.id,
            "Name": f"/{container.name}",
            "Image": container.image,
            "State": state,
            "HostConfig": {"RestartPolicy": {"Name": container.policy, "MaximumRetryCount": 0}},
            "Config": {"Labels": labels, "Healthcheck": {"Test": test}},
        }

    def _poll(self, container: Container) -> None:
        if container.running and container.polls is not None:
            container.polls -= 1
            if container.polls < 0:
                container.ends(1)

    def _post_containers_rename(self, what: str, query: dict[str, str], body: Any) -> Answer:
        container, holder = self.find(what), self.find(query["name"])
        if container is None:
            return no_such(what)
        if holder is container:
            return 400, {"message": "Renaming a container with the same name as its current name"}
        if holder:
            return 409, {"message": f'Conflict. The container name "/{holder.name}" is already in use'}
        container.name = query["name"]
        return 204, None

    def _post_containers_start(self, what: str, query: dict[str, str], body: Any) -> Answer:
        container = self.find(what)
        return self._start(container) if container else no_such(what)

    def _start(self, container: Container) -> Answer:
        if container.running:
            return 304, None
        refusal = container.refusal
        if container.port in [one.port for one in self.containers if one.running and one.port]:
            refusal = f"Bind for 0.0.0.0:{container.port} failed: port is already allocated"
        if refusal:
            container.exit_code = 128
            return 500, {"message": refusal}
        container.status, container.by_hand, container.starts = "running", False, container.starts + 1
        return 204, None

    def _post_containers_stop(self, what: str, query: dict[str, str], body: Any) -> Answer:
        if (container := self.find(what)) is None:
            return no_such(what)
        if not container.running:
            return 304, None
        self.clock.now += min(container.stopping, float(query["t"]))
        container.ends(0 if container.stopping < float(query["t"]) else 137)
        container.by_hand = True
        return 204, None

    def _post_containers_update(self, what: str, query: dict[str, str], body: Any) -> Answer:
        if (container := self.find(what)) is None:
            return no_such(what)
        container.policy = body["RestartPolicy"]["Name"]
        return 200, {"Warnings": None}

    def _delete_containers(self, what: str, query: dict[str, str], body: Any) -> Answer:
        if (container := self.find(what)) is None:
            return no_such(what)
        if container.running and "force" not in query:
            return 409, {"message": f"You cannot remove a running container {what}"}
        self.containers.remove(container)
        return 204, None

    def _get_containers_logs(self, what: str, query: dict[str, str], body: Any) -> Answer:
        if (container := self.find(what)) is None:
            return no_such(what)
        lines = [f"{line}\n".encode() for line in container.log[-int(query["tail"]) :]]
        return 200, b"".join(b"\1\0\0\0" + len(line).to_bytes(4, "big") + line for line in lines)

    def _post_containers_exec(self, what: str, query: dict[str, str], body: Any) -> Answer:
        if (container := self.find(what)) is None:
            return no_such(what)
        self._poll(container)
        if not container.running:
            return 409, {"message": f"Container {what} is not running"}
        call = f"exec{next(self.numbers)}"
        self.execs[call] = container
        return 201, {"Id": call}

    def _post_exec_start(self, what: str, query: dict[str, str], body: Any) -> Answer:
        if what not in self.execs:
            return 404, {"message": f"No such exec instance: {what}"}
        return (400, {"message": NO_COMMAND}) if self.execs[what].check is None else (200, None)

    def _get_exec_json(self, what: str, query: dict[str, str], body: Any) -> Answer:
        if what not in self.execs:
            return 404, {"message": f"No such exec instance: {what}"}
        return 200, {"Running": False, "ExitCode": self.execs[what].check}

    def _get_images_jsons(self, what: str, query: dict[str, str], body: Any) -> Answer:
        tags = {image: [name for name, one in self.images.items() if one == image] for image in self.images.values()}
        return 200, [{"Id": image, "RepoTags": names} for image, names in tags.items()]

    def _get_images_json(self, what: str, query: dict[str, str], body: Any) -> Answer:
        image = self.images.get(what, what if what in self.images.values() else None)
        return (200, {"Id": image}) if image else (404, {"message": f"No such image: {what}"})

    def _post_images_tag(self, what: str, query: dict[str, str], body: Any) -> Answer:
        self.images[f"{query['repo']}:{query['tag']}"] = self.images.get(what, what)
        return 201, None

    def _delete_images(self, what: str, query: dict[str, str], body: Any) -> Answer:
        if what not in self.images:
            return 404, {"message": f"No such image: {what}"}
        used = {one.image for one in self.containers}
        if self.images[what] in used and list(self.images.values()).count(self.images[what]) == 1:
            return 409, {"message": f"conflict: unable to remove repository reference {what!r}"}
        del self.images[what]
        return 200, [{"Untagged": what}]


@dataclass
class Fault:
    """A request that goes wrong."""

    pattern: re.Pattern[str]
    status: int
    message: str
    after: bool
    times: int


def no_such(container: str) -> Answer:
    """Return the engine's answer when there is no such container."""
    return 404, {"message": f"No such container: {container}"}


class _Connection(StreamRequestHandler):
    server: ScriptedEngine

    def handle(self) -> None:
        """Answer one request; http.server would take ten times as long, and there are thousands."""
        method, url, _ = self.rfile.readline().decode().split()
        headers = dict(line.decode().lower().strip().split(": ", 1) for line in iter(self.rfile.readline, b"\r\n"))
        body = self.rfile.read(int(headers.get("content-length", 0)))
        try:
            status, answer = self.server.respond(method, url, json.loads(body) if body else None)
        except HangUp:
            return self.server.hang_up(self.connection)
        text = answer if isinstance(answer, bytes) else b"" if answer is None else json.dumps(answer).encode()
        self.wfile.write(b"HTTP/1.1 %d Scripted\r\nContent-Length: %d\r\n\r\n%s" % (status, len(text), text))
