"""How commands speak: results to standard output, progress and failures to standard error."""

from __future__ import annotations

import json
import sys
from typing import Any


class CommandFailed(Exception):
    """The command cannot do its work; `str(error)` is one sentence for the user."""

    exit_code = 1


class BadUsage(CommandFailed):
    """The command was called with arguments that make no sense."""

    exit_code = 2


def say(text: str) -> None:
    """Write a line to standard output."""
    sys.stdout.write(f"{text}\n")


def warn(text: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(f"{text}\n")


def say_json(data: Any) -> None:
    """Write one JSON value to standard output."""
    say(json.dumps(data, ensure_ascii=False, indent=1))
