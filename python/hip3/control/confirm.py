"""What is said on purpose: a word typed on a terminal, or `--yes`."""

from __future__ import annotations

import sys

from hip3.errors import CheckFailed, UsageError

WORD_MAX = 40


def confirm(verb: str, told: str, sure: bool) -> None:
    """Has the operator type the word, unless `--yes` was given. Raises Hip3Error."""
    if sure:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{verb} asks for a word on a terminal; without one it needs --yes")
    sys.stdout.write(f"{told}\ntype {verb} to go on: ")
    sys.stdout.flush()
    if sys.stdin.readline(WORD_MAX).strip() != verb:
        raise CheckFailed(f"{verb}: not done")
