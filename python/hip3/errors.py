"""Errors by consequence: what the process does about them, told by its exit status.

Hip3Error                 one line on standard error
├── CheckFailed      1    a check or a run failed
├── UsageError       2    the command line is wrong
├── ConfigError      2    a configuration value is wrong
├── VenueUnreachable 3    the venue is not there
├── VenueRefused     3    the venue is there and says no
└── Stopped          4    a latch forbids trading
"""

from __future__ import annotations


class Hip3Error(Exception):
    """Ends the command with one clear line that names the remedy."""

    exit_status = 1


class CheckFailed(Hip3Error):
    """A check or a run failed."""


class UsageError(Hip3Error):
    """The command line is wrong."""

    exit_status = 2


class ConfigError(Hip3Error):
    """A configuration value is wrong; the text names its key."""

    exit_status = 2


class VenueUnreachable(Hip3Error):
    """The venue does not answer at the address."""

    exit_status = 3


class VenueRefused(Hip3Error):
    """The venue answered and refuses."""

    exit_status = 3


class Stopped(Hip3Error):
    """A latch (kill, hard stop, halt) forbids trading."""

    exit_status = 4
