"""What an operator reads when a build failed."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

# As community.docker's docker_image words it.
LOGS = [
    "Step 1/3 : FROM python:3.12-slim\n",
    " ---> 1a2b3c4d5e6f\n",
    "Step 2/3 : RUN pip install -r requirements.txt\n",
    " ---> Running in 2b3c4d5e6f7a\n",
    "Collecting fastapi==99\n",
    "ERROR: No matching distribution found for fastapi==99\n",
]
REASON = "The command '/bin/sh -c pip install -r requirements.txt' returned a non-zero code: 1"
MESSAGE = f"Error building loop-api:latest - code: 1, message: {REASON}, logs: {LOGS}"


@pytest.fixture
def explain(load: Callable[[str], ModuleType]) -> Any:
    """Return the filter as Ansible gets it."""
    return load("loop_service/filter_plugins/loop_build_failure.py").FilterModule().filters()["loop_build_failure"]


def test_failing_step_reason_and_last_lines_are_named(explain: Any) -> None:
    """The operator needs no log to see what failed, and that nothing changed."""
    assert explain(MESSAGE) == (
        "it failed at 'Step 2/3 : RUN pip install -r requirements.txt': "
        f"{REASON}; its last output: Collecting fastapi==99"
        " | ERROR: No matching distribution found for fastapi==99; what runs was not touched."
    )


def test_only_the_last_lines_are_shown(explain: Any) -> None:
    """A long build does not fill the screen."""
    lines = [f"line {number}\n" for number in range(100)]
    text = explain(f"Error building x - code: 1, message: no, logs: {lines}")
    assert "; its last output: line 95 | line 96 | line 97 | line 98 | line 99; " in text


def test_full_disk_is_named(explain: Any) -> None:
    """The most likely cause on a NAS stands in plain words."""
    text = explain(
        "Error building x - code: None, message: write /layer.tar: no space left on device,"
        " logs: ['Step 1/1 : FROM y\\n']"
    )
    assert "the NAS's disk is full (write /layer.tar: no space left on device)" in text


@pytest.mark.parametrize(
    "message",
    [
        "Error building x - message: pull access denied for y, logs: []",
        "Error connecting: Error while fetching server API version: Timeout.",
        "Something failed, logs: [not a list",
        "",
    ],
)
def test_message_of_another_shape_still_gives_a_sentence(explain: Any, message: str) -> None:
    """A newer module's words are passed on, not stumbled over."""
    text = explain(message)
    assert text.startswith("it failed: ")
    assert "; what runs was not touched." in text


def test_engine_without_error_code_is_understood(explain: Any) -> None:
    """An older engine's answer has no code."""
    text = explain("Error building x - message: pull access denied for y, logs: []")
    assert text == "it failed: pull access denied for y; what runs was not touched."


def test_refused_dockerfile_is_told_in_the_engine_s_words(explain: Any) -> None:
    """Not the address of its socket."""
    reason = "dockerfile parse error line 11: unknown instruction: FRM"
    address = "http+docker://localhost/v1.41/build?t=x%3Anext&q=False"
    message = f'An unexpected Docker error occurred: 400 Client Error for {address}: Bad Request ("{reason}")'
    assert explain(message) == f"it failed: {reason}; what runs was not touched."
