"""Where a run has temporary files, on either machine."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.lab.conftest import STATE
from tests.leaks.temporary import Places

# ansible-runner's directories and those of `vault edit`; what ansible-core shares with ssh; and, of ansible-core and
# the modules that it runs here, what they put into the temporary directory and below the home directory.
HERE: Places = [
    ("/dev/shm", "loopdeploy-*"),
    ("/dev/shm", "psm_*"),
    *((tempfile.gettempdir(), pattern) for pattern in ("ansible*", ".ansible*", "loopdeploy-*", "*runner_*")),
    (str(Path.home() / ".ansible" / "tmp"), "*"),
]
# On the NAS those of its modules, ansible_remote_tmp of inventory/lab and what Ansible takes without it; and what a run
# under way keeps in the state directory.
ON_THE_NAS: Places = [
    *((directory, "*") for directory in ("/tmp", "/tmp/.ansible-loopadmin", "/var/tmp", "/dev/shm")),
    *((f"{home}/.ansible/tmp", "*") for home in ("/root", "/home/loopadmin", "/var/services/homes/loopadmin")),
    (f"{STATE}/lock", "*"),
    (STATE, "swap-*"),
]
