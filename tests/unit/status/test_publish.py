"""The sockets' names: what is no socket stays, and so does the socket of another run."""

from __future__ import annotations

from pathlib import Path

import pytest

from hip3.errors import ConfigError
from hip3.status.publish import identity, open_socket, remove_socket


def test_a_file_in_the_place_of_a_socket_stays(tmp_path: Path) -> None:
    path = tmp_path / "agent.json"
    path.write_text("a keystore")
    with pytest.raises(ConfigError, match="is no socket and stays"):
        open_socket(path)
    assert path.read_text() == "a keystore"


def test_a_dead_socket_gives_way_and_a_live_one_does_not(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    first = open_socket(path)
    first.listen()
    with pytest.raises(FileExistsError):
        open_socket(path)
    first.close()
    second = open_socket(path)
    assert path.stat().st_mode & 0o777 == 0o600
    second.close()


def test_a_run_takes_away_its_own_socket_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    first = open_socket(path)
    own = identity(path)
    path.unlink()
    second = open_socket(path)
    remove_socket(path, own)
    assert path.exists(), "another run has its socket there"
    remove_socket(path, identity(path))
    assert not path.exists()
    remove_socket(path, None)
    first.close()
    second.close()
