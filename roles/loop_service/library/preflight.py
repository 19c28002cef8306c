#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check in one remote call that a NAS can take a deployment."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: preflight
short_description: Check in one remote call that a NAS can take a deployment
description:
  - Reads the engine, the named container, the bind sources, the ports and the build files, and changes nothing.
  - Fails with one sentence that names what is wrong and what to do, before anything that runs is touched.
  - Speaks to the engine's socket with the standard library alone and runs on Python 3.8.
options:
  docker:
    description: Path of the Docker command on the NAS.
    type: path
    required: true
  socket:
    description: Path of the engine's socket.
    type: path
    default: /var/run/docker.sock
  container:
    description: Name of the container that a verb is about.
    type: str
    required: true
  required:
    description: Fail when the container does not exist; in check mode a missing one is only reported.
    type: bool
    default: false
  network:
    description: Name of the network that the container wants.
    type: str
  binds:
    description: Bind mounts, C(source:target[:mode]); each source must exist.
    type: list
    elements: str
    default: []
  ports:
    description: Published ports, C(host:container); each host port must be free or held by O(container).
    type: list
    elements: str
    default: []
  build:
    description: The build that is about to run.
    type: dict
    suboptions:
      path:
        description: Directory of the build context on the NAS.
        type: path
        required: true
      dockerfile:
        description: Dockerfile, relative to O(build.path).
        type: str
        required: true
attributes:
  check_mode:
    description: Can run in check mode and changes nothing.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
author: loopdeploy (@loopdeploy)
"""

EXAMPLES = r"""
- name: Check that loop-api can be deployed
  preflight:
    docker: /var/packages/ContainerManager/target/usr/bin/docker
    container: loop-api
    network: loop
    binds: ["/volume1/LOOP_CORE/vault/LOOP:/vault:rw"]
    ports: ["8082:8081"]
    build:
      path: /volume1/LOOP_CORE/vault/LOOP
      dockerfile: Dockerfile
"""

RETURN = r"""
exists:
  description: Whether the container exists, running or not.
  type: bool
  returned: success
running:
  description: Whether the container runs.
  type: bool
  returned: success
network:
  description: Whether the network exists.
  type: bool
  returned: success
requests:
  description: Whether this Python can import C(requests), which the modules of community.docker need.
  type: bool
  returned: success
"""

import http.client
import importlib.util
import json
import os
import socket

from ansible.module_utils.basic import AnsibleModule

LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp, see include/net/tcp_states.h


class Problem(Exception):
    """What keeps the NAS from taking the deployment, as a sentence for the operator."""


class EngineConnection(http.client.HTTPConnection):
    """HTTP over the engine's UNIX socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        """Connect to the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def engine_get(path, url):
    """Return what the engine behind the socket at ``path`` answers to ``url``, None for a 404."""
    connection = EngineConnection(path)
    try:
        connection.request("GET", url)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise Problem(
            "The Docker engine does not answer at %s (%s): start Container Manager in DSM's Package Center." % (path, error)
        ) from error
    finally:
        connection.close()
    if response.status == 404:
        return None
    if response.status != 200:
        raise Problem("The Docker engine answers %s with %d: %s" % (url, response.status, body.decode(errors="replace").strip()))
    return json.loads(body)


def check_docker(path):
    """Raise a Problem unless the Docker command stands at ``path``."""
    if not os.access(path, os.X_OK):
        raise Problem("There is no Docker command at %s: install Container Manager, or set loop_docker in the inventory." % path)


def check_build(build):
    """Raise a Problem unless the Dockerfile of ``build`` exists."""
    path = os.path.join(build["path"], build["dockerfile"])
    if not os.path.isfile(path):
        raise Problem("There is no Dockerfile at %s: set loop_dir to the LOOP checkout, or sync it." % path)


def check_binds(binds):
    """Raise a Problem for the first bind source that does not exist.

    Synology's engine refuses a missing source, the stock engine makes an empty directory of it: both are wrong.
    """
    for bind in binds:
        source = bind.split(":")[0]
        if not os.path.exists(source):
            raise Problem("The volume's directory %s does not exist: create it, or mend the path in the inventory." % source)


def listening_ports():
    """Return the TCP ports that something on this host listens on."""
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not os.path.exists(table):
            continue
        with open(table) as lines:
            rows = [line.split() for line in lines][1:]
        ports.update(int(row[1].rsplit(":", 1)[1], 16) for row in rows if row[3] == LISTEN)
    return ports


def check_ports(ports, container, running):
    """Raise a Problem for the first published port that neither is free nor belongs to ``container``."""
    holders = {
        port["PublicPort"]: other["Names"][0].lstrip("/") for other in running for port in other["Ports"] if "PublicPort" in port
    }
    listening = listening_ports()
    for published in ports:
        port = int(published.split(":")[-2])
        holder = holders.get(port, "another program" if port in listening else container)
        if holder != container:
            raise Problem("Port %d, which %s publishes, is taken by %s: stop that, or change the port." % (port, container, holder))


def inspect(params, check_mode):
    """Return the facts of RETURN, or raise a Problem."""
    name, path = params["container"], params["socket"]
    check_docker(params["docker"])
    details = engine_get(path, "/containers/%s/json" % name)
    if details is None and params["required"] and not check_mode:
        raise Problem("There is no container %s on this NAS: deploy it with `loopdeploy rebuild-all`." % name)
    if params["build"]:
        check_build(params["build"])
    check_binds(params["binds"])
    if params["ports"]:
        check_ports(params["ports"], name, engine_get(path, "/containers/json"))
    return {
        "exists": details is not None,
        "running": bool(details and details["State"]["Running"]),
        "network": params["network"] is not None and engine_get(path, "/networks/%s" % params["network"]) is not None,
        "requests": importlib.util.find_spec("requests") is not None,
    }


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "docker": {"type": "path", "required": True},
            "socket": {"type": "path", "default": "/var/run/docker.sock"},
            "container": {"type": "str", "required": True},
            "required": {"type": "bool", "default": False},
            "network": {"type": "str"},
            "binds": {"type": "list", "elements": "str", "default": []},
            "ports": {"type": "list", "elements": "str", "default": []},
            "build": {
                "type": "dict",
                "options": {
                    "path": {"type": "path", "required": True},
                    "dockerfile": {"type": "str", "required": True},
                },
            },
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **inspect(module.params, module.check_mode))
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
