"""The agent's key: only from a file of its owner alone or the environment, wiped after use, never printed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hip3 import credentials
from hip3.config import Config, load
from hip3.credentials import ENV_KEY, load_signer, throw_away_signer
from hip3.errors import ConfigError

KEY = "0x0123456789012345678901234567890123456789012345678901234567890123"
ADDRESS = "0x14791697260e4c9a71f18484c9f997b308e59325"


def configured(path: Path | str = "", **values: str) -> Config:
    overrides = [f"account.{name}={value}" for name, value in values.items()]
    return load(None, [f"account.key_file={path}", *overrides], {"XDG_CONFIG_HOME": "/nowhere"})


def key_file(path: Path, text: str = KEY, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def refused(config: Config) -> str:
    """The one line with which a key is refused; it never has the key in it."""
    with pytest.raises(ConfigError) as told:
        load_signer(config, False)
    text = str(told.value)
    assert "\n" not in text
    assert "0123456789" not in text
    return text


@pytest.fixture(autouse=True)
def _no_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENV_KEY, raising=False)


@pytest.mark.parametrize("text", [KEY, KEY + "\n", f" \t{KEY}\r\n\n", KEY[2:]])
def test_the_key_of_a_file_signs_whatever_white_space_is_around_it(tmp_path: Path, text: str) -> None:
    assert load_signer(configured(key_file(tmp_path / "key", text)), False).address == ADDRESS


@pytest.mark.parametrize("mode", [0o400, 0o600])
def test_modes_that_keep_others_out_are_taken(tmp_path: Path, mode: int) -> None:
    assert load_signer(configured(key_file(tmp_path / "key", mode=mode)), True).address == ADDRESS


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o601])
def test_a_file_that_others_may_touch_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path / "key", mode=mode)
    assert refused(configured(path)) == f"account.key_file: {path} can be read by others; chmod 600 it"


def test_a_credential_of_the_service_manager_may_have_an_access_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = key_file(tmp_path / "key", mode=0o440)
    assert "can be read by others" in refused(configured(path))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert load_signer(configured(path), False).address == ADDRESS
    path.chmod(0o444)
    assert "can be read by others" in refused(configured(path))


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    target = key_file(tmp_path / "key")
    link = tmp_path / "link"
    link.symlink_to(target)
    assert refused(configured(link)) == f"account.key_file: {link}: is a link; name the file itself"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    assert refused(configured(pipe)) == f"account.key_file: {pipe} is no regular file of this user"
    assert "no regular file" in refused(configured(tmp_path))
    none = tmp_path / "none"
    assert refused(configured(none)) == f"account.key_file: {none}: No such file or directory"


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = key_file(tmp_path / "key")
    owner = os.getuid()
    monkeypatch.setattr(credentials.os, "getuid", lambda: owner + 1)
    assert "no regular file of this user" in refused(configured(path))


@pytest.mark.parametrize("text", ["", "\n", "0x", "0x12", KEY + "0", "zz" * 32, KEY + " " + KEY, "00" * 32, "ff" * 32])
def test_what_is_no_key_is_refused_without_being_repeated(tmp_path: Path, text: str) -> None:
    told = refused(configured(key_file(tmp_path / "key", text)))
    assert told.startswith(f"the agent key {tmp_path / 'key'} is not usable: ")
    assert "zz" not in told
    assert "ffff" not in told


def test_a_text_of_32_characters_is_a_passphrase_in_the_wrong_place_and_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "32 characters are no private key, which has 64 hex digits"
    path = key_file(tmp_path / "key", "p" * 32 + "\n")
    assert refused(configured(path)) == f"account.key_file: {path}: {told}"
    monkeypatch.setenv(ENV_KEY, "p" * 32)
    assert refused(configured()) == f"{ENV_KEY}: {told}"


def test_the_environments_key_is_taken_once_and_no_child_inherits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV_KEY, f" {KEY}\n")
    assert load_signer(configured(), False).address == ADDRESS
    assert ENV_KEY not in os.environ
    assert "no agent key: hip3 key import takes one in" in refused(configured())


def test_a_named_file_wins_over_the_environment_which_is_emptied_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENV_KEY, "5a" * 32)
    assert load_signer(configured(key_file(tmp_path / "key")), False).address == ADDRESS
    assert ENV_KEY not in os.environ


@pytest.mark.parametrize("text", [b"\xff\xfe", b" ", b"0x12"])
def test_an_unusable_key_in_the_environment_is_one_line(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setitem(os.environb, ENV_KEY.encode(), text)
    assert "key" in refused(configured())


def test_the_buffer_of_the_file_is_the_one_that_the_core_wipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytearray] = []

    def signer(key: bytearray, mainnet: bool, vault: str | None) -> None:
        seen.append(key)
        assert (bytes(key), mainnet, vault) == (KEY.encode(), True, "0x" + "ab" * 20)

    monkeypatch.setattr(credentials, "Signer", signer)
    load_signer(configured(key_file(tmp_path / "key", f"  {KEY}\n"), vault="0x" + "ab" * 20), True)
    assert type(seen[0]) is bytearray


def test_the_key_does_not_show_in_the_configuration(tmp_path: Path) -> None:
    config = configured(key_file(tmp_path / "key"))
    signer = load_signer(config, False)
    assert "0123456789" not in repr(config) + repr(signer)


def test_throw_away_keys_differ_and_the_embedded_venue_inherits_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV_KEY, KEY)
    assert throw_away_signer().address != throw_away_signer().address
    assert ENV_KEY not in os.environ
