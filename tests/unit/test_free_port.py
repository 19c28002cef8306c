"""The port that the lab gets."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def free_port(load: Callable[[str], ModuleType]) -> Any:
    """Return the filter as Ansible gets it."""
    return load("loop_lab/filter_plugins/free_port.py").FilterModule().filters()["free_port"]


def test_wanted_free_port_is_given(free_port: Any) -> None:
    """A lab that comes up again keeps its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert free_port(port) == port


def test_port_that_the_lab_itself_holds_is_given(free_port: Any) -> None:
    """One that runs listens there; as Docker tells a port, it is a string."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port(str(port), [str(port)]) == port
        assert free_port(str(port), ["1"]) != port


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_taken_port_is_replaced(free_port: Any, address: str) -> None:
    """Another program's port is left alone, whatever address that listens on."""
    with socket.create_server((address, 0)) as taken:
        port = free_port(taken.getsockname()[1])
        with socket.create_server(("127.0.0.1", port)) as given:
            assert given.getsockname()[1] == port
