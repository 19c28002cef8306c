"""Clients of a service while it is replaced: how long was it away, and how many requests failed?"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from dataclasses import dataclass
from dataclasses import field
from types import TracebackType

# Seconds after which a request counts as failed.
PATIENCE = 2.0
# Seconds to wait, behind a replacement, for a service that is still away.
RETURN = 20.0


@dataclass
class Traffic:
    """Requests to ``path`` on a port of this machine, ``rate`` a second over fresh connections, and kept ones beside.

    ``outage`` is the longest time in seconds between two answers over fresh connections.
    """

    port: int
    path: str = "/health"
    rate: int = 100
    kept: int = 10
    streams: int = 0
    token: str = ""
    answered: list[float] = field(default_factory=list)
    failed: int = 0
    kept_failed: int = 0
    opened: int = 0
    dead: bool = False
    _done: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Traffic:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        deadline = time.monotonic() + 30
        while not self.answered or self.opened < self.streams:
            if time.monotonic() > deadline:
                self._done.set()
                raise RuntimeError(f"Nothing answers on port {self.port}, or no stream opens there.")
            time.sleep(0.05)
        time.sleep(1)
        self.answered, self.failed, self.kept_failed = self.answered[-1:], 0, 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ended = time.monotonic()
        while self.answered[-1] < ended and time.monotonic() < ended + RETURN:
            time.sleep(0.05)
        self.dead = self.answered[-1] < ended
        time.sleep(1)
        self._done.set()
        self._thread.join()

    @property
    def outage(self) -> float:
        """Return the longest time without an answer, in seconds; infinite when it did not come back."""
        if self.dead:
            return math.inf
        times = sorted(self.answered)
        return max(later - earlier for earlier, later in zip(times, times[1:], strict=False))

    async def _run(self) -> None:
        kept = [asyncio.create_task(self._keep()) for _ in range(self.kept)]
        streams = [asyncio.create_task(self._stream()) for _ in range(self.streams)]
        asked: set[asyncio.Task[None]] = set()
        began, count = time.monotonic(), 0
        while not self._done.is_set():
            task = asyncio.create_task(self._ask())
            asked.add(task)
            task.add_done_callback(asked.discard)
            count += 1
            await asyncio.sleep(max(0.0, began + count / self.rate - time.monotonic()))
        for other in [*kept, *streams]:
            other.cancel()
        await asyncio.gather(*asked, *kept, *streams, return_exceptions=True)

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._request()
        except (OSError, EOFError, TimeoutError):
            self.failed += 1
        else:
            self.answered.append(time.monotonic())

    async def _request(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            await self._exchange(reader, writer, "close")
        finally:
            writer.close()

    async def _keep(self) -> None:
        """Ask ten times a second over one connection, and open another when it is lost."""
        while not self._done.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                while not self._done.is_set():
                    # Not wait_for, which now and then swallows a cancellation.
                    async with asyncio.timeout(PATIENCE):
                        await self._exchange(reader, writer, "keep-alive")
                    await asyncio.sleep(0.1)
            except (OSError, EOFError, TimeoutError):
                self.kept_failed += 1
                await asyncio.sleep(0.1)

    async def _stream(self) -> None:
        """Hold one stream of server-sent events open, as a chat client does, and open it again when it ends."""
        while not self._done.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(self._head("GET", "/mcp", "keep-alive", "Accept: text/event-stream"))
                async with asyncio.timeout(PATIENCE):
                    line = await reader.readline()
                if b" 200 " in line:
                    self.opened += 1
                    while await reader.read(1024):
                        pass
            except (OSError, EOFError, TimeoutError):
                pass  # it is away, so try again
            await asyncio.sleep(0.5)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: str) -> None:
        writer.write(self._head("GET", self.path, connection))
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise OSError("not 200")
        length = next(
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        )
        await reader.readexactly(length)

    def _head(self, method: str, path: str, connection: str, *more: str) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", f"Connection: {connection}", *more]
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        return "\r\n".join([*lines, "", ""]).encode()
