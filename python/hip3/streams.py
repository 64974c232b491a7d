"""Standard input, output and error as a command finds them: closed, full, or of an encoding that lacks a character."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any

#: What an OSError of standard output names as its file.
OUTPUT = "standard output"
#: Mode of each stream, in the order of their descriptors.
_STREAMS = {"stdin": "r", "stdout": "w", "stderr": "w"}


class _Output(io.FileIO):
    """Standard output whose failures say that they are its own."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, OUTPUT) from None


def prepare() -> None:
    """Makes the three streams usable, whatever the caller did to them."""
    for descriptor, (name, mode) in enumerate(_STREAMS.items()):
        if getattr(sys, name) is None:
            # A file or a socket that is opened later would get the descriptor, and be written to as if it were the
            # stream; so /dev/null gets it.
            _occupy(descriptor)
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            # A path may be of any bytes; what cannot be written as it is shall be seen, and end nothing.
            stream.reconfigure(errors="backslashreplace")
    if sys.stdout is sys.__stdout__ and isinstance(sys.stdout, io.TextIOWrapper):
        plain = sys.stdout
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Output(plain.fileno(), "w", closefd=False)),
            encoding=plain.encoding,
            errors=plain.errors,
            line_buffering=plain.line_buffering,
        )


def _occupy(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        # The lowest free descriptor is taken, and all below this one are in use.
        opened = os.open(os.devnull, os.O_RDWR)
        os.set_inheritable(opened, True)
        if opened != descriptor:
            os.dup2(opened, descriptor)
            os.close(opened)


def tell(line: str) -> None:
    """One line on standard error; where that cannot be written, nobody can be told, and the exit status stays."""
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except OSError:
        silence(sys.stderr)


def leave() -> None:
    """What standard output does not take at the end of a command is left, before the interpreter complains of it."""
    try:
        sys.stdout.flush()
    except OSError:
        silence(sys.stdout)


def silence(stream: Any) -> None:
    """Points a stream that cannot be written to /dev/null, so that the interpreter's end finds nothing to complain."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
