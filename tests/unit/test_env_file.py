"""The API keys in an `.env`, read as a shell would, and never run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from loopdeploy.env_file import api_keys

# Each read the same by a shell that sources the file.
LINES = [
    ("OPENAI_API_KEY=sk-1", "sk-1"),
    ("export OPENAI_API_KEY=sk-1", "sk-1"),
    ("  export\tOPENAI_API_KEY=sk-1", "sk-1"),
    ("OPENAI_API_KEY='sk 1'", "sk 1"),
    ('OPENAI_API_KEY="sk 1"', "sk 1"),
    ('OPENAI_API_KEY="a \\"b\\" \\\\ \\$HOME \\` \\n"', 'a "b" \\ $HOME ` \\n'),
    ("OPENAI_API_KEY='$HOME \\n'", "$HOME \\n"),
    ("OPENAI_API_KEY=a\\ b", "a b"),
    ("OPENAI_API_KEY=a'b c'\"d\"e", "ab cde"),
    ("OPENAI_API_KEY=sk-1 # the old one", "sk-1"),
    ("OPENAI_API_KEY=sk#1", "sk#1"),
    ("OPENAI_API_KEY='sk' # it's fine", "sk"),
    ("OPENAI_API_KEY=", ""),
    ("OPENAI_API_KEY=''", ""),
    ("# OPENAI_API_KEY=sk-1", ""),
    ("# it's\nOPENAI_API_KEY=sk-1", "sk-1"),
    ("MY_OPENAI_API_KEY=sk-1", ""),
    ("OPENAI_API_KEY_OLD=sk-1", ""),
    ("OPENAI_API_KEY=1\nOPENAI_API_KEY=2", "2"),
    ("OTHER='\nOPENAI_API_KEY=1\n'\n", ""),
    ("OPENAI_API_KEY='a\nb'", "a\nb"),
    ('OPENAI_API_KEY="a\\\nb"', "ab"),
    ("OPENAI_API_KEY=a\\\nb", "ab"),
    ("OPENAI_API_KEY= # fill in", ""),
    ("OPENAI_API_KEY= 'sk-1'", ""),
    ("OPENAI_API_KEY = sk-1", ""),
    ("OPENAI_API_KEY=#1", "#1"),
    ("OPENAI_API_KEY='' # none", ""),
    ("OPENAI_API_KEY=sk\u00a01", "sk\u00a01"),
    ("OPENAI_API_KEY=sk-1;A=b", "sk-1"),
    ("OPENAI_API_KEY=sk-1&&A=b", "sk-1"),
    ("OPENAI_API_KEY='a;b|c'", "a;b|c"),
    ("A=b; OPENAI_API_KEY=sk-1", "sk-1"),
    ("A=b OPENAI_API_KEY=sk-1", "sk-1"),
    ("export A='b c' OPENAI_API_KEY=sk-1 C=d # three", "sk-1"),
    ("OPENAI_API_KEY=1\nOPENAI_API_KEY=", ""),
    ("", ""),
]


@pytest.mark.parametrize(("text", "value"), LINES)
def test_value_is_what_a_shell_reads(tmp_path: Path, text: str, value: str) -> None:
    """The old one-liners sourced the file; `sh` is asked, too."""
    assert api_keys(text) == {"OPENAI_API_KEY": value, "ANTHROPIC_API_KEY": ""}
    (tmp_path / "env").write_text(text)
    script = f'. {tmp_path / "env"}; printf %s. "$OPENAI_API_KEY"'
    read = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env={"HOME": "$HOME"})
    assert read.stdout == f"{value}."


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("OPENAI_API_KEY=$HOME", "$HOME"),
        ("OPENAI_API_KEY=${HOME}", "${HOME}"),
        ('OPENAI_API_KEY="$(touch ran)"', "$(touch ran)"),
        ("OPENAI_API_KEY=`touch`", "`touch`"),
    ],
)
def test_nothing_is_expanded_or_run(text: str, value: str) -> None:
    """A key with a `$` in it is that key."""
    assert api_keys(text)["OPENAI_API_KEY"] == value


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffOPENAI_API_KEY=sk-1\r\nA=b\r\n",
        "\r\n\ufeffOPENAI_API_KEY='sk-1'\r\r\n",
    ],
)
def test_what_editors_and_other_tools_write_is_understood(text: str) -> None:
    """A byte order mark, and the line ends of Windows."""
    assert api_keys(text)["OPENAI_API_KEY"] == "sk-1"


def test_both_keys_are_found() -> None:
    """In one file, whatever else is in it."""
    text = "A=1\nexport ANTHROPIC_API_KEY='a'\nB=2\nOPENAI_API_KEY=o\n"
    assert api_keys(text) == {"OPENAI_API_KEY": "o", "ANTHROPIC_API_KEY": "a"}


@pytest.mark.parametrize("quote", ["'", '"'])
def test_open_quote_is_refused_without_the_value(quote: str) -> None:
    """A shell would refuse the file, too; half a key would be worse than none."""
    with pytest.raises(ValueError, match="the quote in the line of OPENAI_API_KEY is not closed") as error:
        api_keys(f"OPENAI_API_KEY={quote}sk-1\n")
    assert "sk-1" not in str(error.value)
