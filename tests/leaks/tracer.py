"""Reads the command line and the environment of every process of this machine and of the practice NAS at its exec.

    python -m tests.leaks.tracer CONFIGURATION PROCESSOR

The kernel's proc connector tells of an exec before the new program's first instruction. This waits for that on one
processor alone, in real time, and so takes that processor from the program until it has read what there is: a program
may be as short as it likes. There is one tracer a processor. It ends when its standard input does, and then prints in
JSON what it saw. CONFIGURATION is the sampler's.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time
from pathlib import Path

from tests.leaks.processes import Processes

# linux/netlink.h, linux/connector.h and linux/cn_proc.h: a message is a header, the connector's header, and an event.
NETLINK_CONNECTOR, NLMSG_DONE, CN_IDX_PROC, CN_VAL_PROC = 11, 3, 1, 1
PROC_CN_MCAST_LISTEN, PROC_EVENT_EXEC = 1, 2
HEADERS = struct.Struct("=IHHIIIIIIHH")
WHAT, PROCESS = struct.Struct("=IIQ"), struct.Struct("=II")
# As root a buffer may be larger than the system's limit; this one holds some 20,000 events.
SO_RCVBUFFORCE, BUFFER, MESSAGE = 33, 16 << 20, 4096
# Of the priorities in real time, 1 to 99, one above other programs that take the lowest.
PRIORITY = 50
# The kernel confirms at once, or not at all.
SECONDS_TO_CONFIRM = 2
# The inode of the first namespace of processes, PROC_PID_INIT_INO: in others a process has another number.
FIRST_NAMESPACE = 0xEFFFFFFC


class Tracer:
    """Reads each process that becomes another program on one processor."""

    def __init__(self, processes: Processes, processor: int) -> None:
        self.processes, self.processor = processes, processor
        self.execs = 0
        #: Those that were gone already.
        self.unread = 0
        #: Seconds from an exec to the end of reading, at most.
        self.latest = 0.0

    def event(self, message: bytes) -> None:
        """Read the process that ``message`` tells of."""
        what, processor, nanoseconds = WHAT.unpack_from(message, HEADERS.size)
        if what == PROC_EVENT_EXEC and processor == self.processor:
            _, process = PROCESS.unpack_from(message, HEADERS.size + WHAT.size)
            self.execs += 1
            self.unread += not self.processes.look_at(str(process))
            self.latest = max(self.latest, time.monotonic() - nanoseconds / 1e9)


def listening() -> socket.socket:
    """Return where the kernel tells of processes; needs root in the first namespaces."""
    if os.stat("/proc/self/ns/pid").st_ino != FIRST_NAMESPACE:
        raise OSError("not in the first namespace of processes")
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_CONNECTOR)
    events.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    events.bind((0, CN_IDX_PROC))
    operation = struct.pack("=I", PROC_CN_MCAST_LISTEN)
    size = HEADERS.size + len(operation)
    events.send(HEADERS.pack(size, NLMSG_DONE, 0, 0, 0, CN_IDX_PROC, CN_VAL_PROC, 0, 0, len(operation), 0) + operation)
    events.settimeout(SECONDS_TO_CONFIRM)
    events.recv(MESSAGE)
    return events


def alone_on(processor: int) -> None:
    """Come before every other program of ``processor``, and run on no other one."""
    os.sched_setaffinity(0, [processor])
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))


def main() -> None:
    """Trace until the standard input ends; where that is refused, say why and end."""
    configuration, processor = json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])
    tracer = Tracer(Processes(configuration["spellings"], configuration["lab"]), processor)
    try:
        alone_on(processor)
        events = listening()
    except OSError as error:
        print(f"refused: {error}", flush=True)
        return
    print("looking", flush=True)
    # What is still waiting when the input ends is read, too.
    while events in select.select([events, sys.stdin], [], [])[0]:
        tracer.event(events.recv(MESSAGE))
    figures = {"execs": tracer.execs, "unread": tracer.unread, "latest": tracer.latest}
    print(json.dumps({"seen": list(tracer.processes.seen), **figures}))


if __name__ == "__main__":
    main()
