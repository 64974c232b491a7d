"""Sources of the configuration: what wins, where it came from, and what is said about a wrong one."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from hip3.config import MARKET_OPTIONS, Config, load, market_key, write_template
from hip3.errors import ConfigError
from hip3.options import table

PRIVATE = "0x" + "5a" * 32
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a configuration file and returns its path."""

    def written(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def refused(path: Path | None = None, *overrides: str, **environment: str) -> str:
    """The one line with which a configuration is refused."""
    with pytest.raises(ConfigError) as told:
        load(path, list(overrides), {"XDG_CONFIG_HOME": "/nowhere", **environment})
    assert "\n" not in str(told.value)
    return str(told.value)


def loaded(path: Path | None = None, *overrides: str, **environment: str) -> Config:
    return load(path, list(overrides), {"XDG_CONFIG_HOME": "/nowhere", **environment})


def test_without_any_source_every_option_is_at_its_default() -> None:
    config = loaded()
    assert config.values == {key: row.default for key, row in table().items()}
    assert set(config.origins.values()) == {"default"}
    assert config.markets == {}


def test_the_written_template_is_read_back_as_the_defaults_and_explains_every_option(write: Write) -> None:
    text = write_template()
    assert loaded(write(text)).values == loaded().values
    lines = text.splitlines()
    for key, row in table().items():
        name = key.rpartition(".")[2]
        at = [i for i, line in enumerate(lines) if line == f"# {row.reason}" and f"#{name} = " in lines[i + 2]]
        assert at, key
        assert lines[at[0] + 1].startswith(f"# unit: {row.unit}")
    assert len([line for line in lines if line.startswith("# unit:")]) == len(table())


def test_the_template_with_every_option_uncommented_is_read_back_as_the_defaults(write: Write) -> None:
    text = "\n".join(
        line[1:] if line.startswith("#") and not line.startswith("# ") else line
        for line in write_template().split("\n")
    )
    path = write(text)
    config = loaded(path)
    assert config.values == loaded().values
    assert set(config.origins.values()) == {str(path)}
    assert config.markets == {"xyz:SILVER": {name: table()[key].default for name, key in MARKET_OPTIONS.items()}}


def test_later_sources_win_and_each_value_names_its_own(write: Write) -> None:
    keys = ["run.seed", "run.exit_timeout_ms", "run.start_timeout_ms", "markets.max"]
    path = write("[run]\nseed = 2\nexit_timeout_ms = 2000\nstart_timeout_ms = 2000\n[markets]\nmax = 2\n")
    environment = {
        "XDG_CONFIG_HOME": "/nowhere",
        "HIP3__RUN__SEED": "3",
        "HIP3__RUN__EXIT_TIMEOUT_MS": "3000",
        "HIP3__RUN__START_TIMEOUT_MS": "3000",
    }
    overrides = ["run.seed=4", "run.exit_timeout_ms = 4000"]
    config = load(path, overrides, environment, {"--seed": ("run.seed", "5")})
    assert [config.number(key) for key in keys] == [5, 4000, 3000, 2]
    origins = ["--seed", "--set", "environment HIP3__RUN__START_TIMEOUT_MS", str(path)]
    assert [config.origins[key] for key in keys] == origins
    assert config.origins["run.fund_usd"] == "default"


@pytest.mark.parametrize("variable", ["HIP3_CONFIG", "XDG_CONFIG_HOME"])
def test_the_file_is_found_by_the_environment(tmp_path: Path, variable: str) -> None:
    path = tmp_path / "hip3" / "config.toml"
    path.parent.mkdir()
    path.write_text("[run]\nseed = 9\n")
    config = loaded(None, **{variable: str(path if variable == "HIP3_CONFIG" else tmp_path)})
    assert (config.number("run.seed"), config.origins["run.seed"]) == (9, str(path))


def test_a_named_file_that_is_missing_is_refused_and_an_unnamed_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    for text in (refused(path), refused(None, HIP3_CONFIG=str(path))):
        assert text == f"{path}: no such file; write one with `hip3 config init`"
    assert loaded(None, XDG_CONFIG_HOME=str(tmp_path)).origins["run.seed"] == "default"


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    assert refused(tmp_path) == f"{tmp_path}: Is a directory"
    path = tmp_path / "binary.toml"
    path.write_bytes(b"# ok\n\xff\xfe")
    assert refused(path) == f"{path}: byte 5 is not UTF-8"


@pytest.mark.parametrize(
    ("text", "line"),
    [("[run]\nseed = \n", 2), ("[run]\nseed = 1\nseed = 2\n", 3), ("[run\n", 1), ("\n\nx y\n", 3)],
)
def test_a_syntax_error_names_file_and_line(write: Write, text: str, line: int) -> None:
    path = write(text)
    told = refused(path)
    assert told.startswith(f"{path}: ")
    assert f"at line {line}, " in told


@pytest.mark.parametrize("text", ["x = " + "[" * 9000, "x = " + "9" * 5000, "x = 1e99999999999999999999"])
def test_values_that_no_parser_takes_are_refused(write: Write, text: str) -> None:
    assert refused(write(text))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[entyr]\nenabled = true\n", "unknown section [entyr]; did you mean entry?"),
        ("[entry.sizing]\nalpha = 1\n", "unknown section [entry.sizing]"),
        ("[run.seed]\nvalue = 1\n", "unknown section [run.seed]"),
        ("[entry]\ntreshold_bps = 3\n", "unknown option entry.treshold_bps; did you mean entry.threshold_bps?"),
        ("sead = 3\n", "unknown option sead"),
        ("run = 3\n", "unknown option run"),
        ("[run]\nseed = true\n", "run.seed: True is not a whole number"),
        ("[run]\nseed = -1\n", "run.seed: -1 is not within 0 … 9223372036854775807 number"),
        ("[run]\nseed = 0x" + "f" * 99 + "\n", "run.seed: a number of 396 bits"),
        ("[entry]\nthreshold_bps = nan\n", "entry.threshold_bps: NaN is not a number"),
        ("[entry]\nenabled = 2020-01-01\n", "entry.enabled: 2020-01-01 is not true or false"),
    ],
)
def test_what_a_file_may_not_say_is_named_with_the_file(write: Write, text: str, why: str) -> None:
    path = write(text)
    assert refused(path).startswith(f"{path}: {why}")


def test_every_source_names_itself_in_its_errors() -> None:
    assert (
        refused(None, HIP3__RUN__SED="1")
        == "environment HIP3__RUN__SED: unknown option run.sed; did you mean run.seed?"
    )
    assert refused(None, "run.seed=x") == "--set: run.seed: x is not a whole number"
    assert refused(None, "run.seed") == "--set run.seed: write it as key=value"
    with pytest.raises(ConfigError, match=r"^--mode: run\.mode: fly is not one of observe, live$"):
        load(None, [], {"XDG_CONFIG_HOME": "/nowhere"}, {"--mode": ("run.mode", "fly")})


@pytest.mark.parametrize(
    ("overrides", "first", "second"),
    [
        (["orders.in_flight_max=10"], "orders.in_flight_high_water", "orders.in_flight_max"),
        (["orders.inquiry_interval_ms=3000"], "orders.inquiry_interval_ms", "orders.inquiry_interval_max_ms"),
        (["exit.flatten_slippage_bps=300"], "exit.flatten_slippage_bps", "exit.flatten_slippage_max_bps"),
        (["exit.time_stop_ms=1000", "exit.min_holding_ms=1001"], "exit.min_holding_ms", "exit.time_stop_ms"),
        (["entry.touch_notional_usd_min=5001"], "entry.touch_notional_usd_min", "entry.touch_notional_usd_full"),
        (
            ["entry.max_notional_usd=50", "entry.order_notional_usd_min=51"],
            "entry.order_notional_usd_min",
            "entry.max_",
        ),
        (["links.reconnect_first_ms=10000", "links.reconnect_max_ms=9999"], "links.reconnect_first", "links.reconnect"),
        (["links.silence_max_ms=2000"], "links.ping_interval_ms", "links.silence_max_ms"),
        (
            ['market."xyz:GOLD".max_notional_usd=49', "entry.order_notional_usd_min=50"],
            'market."xyz:GOLD".max_notional_usd',
            "entry.order_notional_usd_min",
        ),
    ],
)
def test_options_that_contradict_each_other_are_both_named(overrides: list[str], first: str, second: str) -> None:
    text = refused(None, *overrides)
    assert text.startswith(first)
    assert second in text.removeprefix(first)


def test_a_markets_own_values_stand_over_the_general_ones(write: Write) -> None:
    path = write('[entry]\nthreshold_bps = 30\n[market."xyz:SILVER"]\nthreshold_bps = 12.5\nenabled = false\n')
    config = loaded(path, "market.xyz:GOLD.max_notional_usd=77")
    assert config.for_market("xyz:SILVER", "threshold_bps") == Decimal("12.5")
    assert config.for_market("xyz:SILVER", "enabled") is False
    assert config.for_market("xyz:SILVER", "max_notional_usd") == Decimal(1000)
    assert config.for_market("xyz:GOLD", "max_notional_usd") == Decimal(77)
    assert config.for_market("xyz:GOLD", "threshold_bps") == Decimal(30)
    assert config.origins['market."xyz:SILVER".enabled'] == str(path)
    assert config.origins['market."xyz:GOLD".max_notional_usd'] == "--set"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("market = 3", 'write options of one market under [market."xyz:SILVER"]'),
        ("[market]\nthreshold_bps = 3", 'write options of one market under [market."xyz:SILVER"]'),
        ('[market."xyz:GOLD"]\ntreshold = 3', 'unknown option market."xyz:GOLD".treshold; did you mean threshold_bps?'),
        ('[market."xyz:GOLD"]\nthreshold_bps = 0', 'market."xyz:GOLD".threshold_bps: 0 is not within 0.1 … 1000 bps'),
        ('[market."xyz:GOLD"]\nenabled = []', 'market."xyz:GOLD".enabled: [] is not true or false'),
    ],
)
def test_wrong_sections_of_a_market_are_refused(write: Write, text: str, why: str) -> None:
    path = write(text)
    assert refused(path) == f"{path}: {why}"


def test_a_market_option_without_a_market_is_refused() -> None:
    assert refused(None, "market.threshold_bps=3").startswith('--set: market."".threshold_bps names no market')


@pytest.mark.parametrize(
    "text",
    [
        f'[account]\nvault = "{PRIVATE}"\n',
        f"vault={PRIVATE}\n",
        f"# {PRIVATE}\n",
        f"#key={PRIVATE[2:]}\n",
        f"vault = {PRIVATE} oops\n",
    ],
)
def test_a_file_with_a_private_key_is_refused_without_repeating_it(write: Write, text: str) -> None:
    path = write(text)
    told = refused(path)
    assert told == f"{path}: holds what looks like a private key; use account.key_file with mode 0600"


@pytest.mark.parametrize("item", [PRIVATE, f"account.vault={PRIVATE}", f"account.key={PRIVATE}"])
def test_an_override_with_a_private_key_is_refused_without_repeating_it(item: str) -> None:
    assert "5a5a" not in refused(None, item)


def test_settings_for_the_core_are_nested_with_exact_texts() -> None:
    core = loaded(None, "entry.sizing_alpha=0.1050").core_settings()
    assert set(core) == {"entry", "exit", "edges"}
    assert core["entry"]["sizing_alpha"] == "0.1050"
    assert core["exit"]["quick_profit"] == {"enabled": False, "profit_bps": "20"}
    assert "threshold_bps" not in core["entry"]


def test_a_value_asked_for_in_another_type_is_our_bug() -> None:
    with pytest.raises(TypeError, match=r"run\.seed is int, not str"):
        loaded().text("run.seed")


def test_the_packaged_table_is_valid_toml() -> None:
    text = (Path(__file__).parents[2] / "python/hip3/default.toml").read_text()
    assert len(tomllib.loads(text)) >= 10


def test_a_window_that_cannot_be_read_is_refused_by_the_name_of_its_option() -> None:
    assert refused(None, "blackout.windows=25:00-26:00").startswith(
        "blackout.windows: '25:00-26:00' is not of the form"
    )
    own = 'market."xyz:GOLD".blackout_windows'
    assert refused(None, f"{own}=20:55").startswith(f"{own}: '20:55' is not of the form")


def test_a_fingerprint_differs_where_a_value_does_and_not_by_its_source(write: Write) -> None:
    base = loaded().fingerprint()
    assert len(base) == 12
    assert loaded(None, "entry.threshold_bps=40").fingerprint() == base
    assert loaded(None, "entry.threshold_bps=41").fingerprint() != base
    own = loaded(None, 'market."xyz:GOLD".threshold_bps=40').fingerprint()
    assert own != base
    assert loaded(write('[market."xyz:GOLD"]\nthreshold_bps = 40\n')).fingerprint() == own


def test_a_variable_with_one_underscore_too_few_is_told_its_right_name() -> None:
    told = refused(None, HIP3_ENTRY__THRESHOLD_BPS="30")
    assert told == "environment HIP3_ENTRY__THRESHOLD_BPS: write it as HIP3__ENTRY__THRESHOLD_BPS"
    loaded(None, HIP3_AGENT_KEY="x", HIP3_OTHER="y")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("control.latch", "a\0b"),
        ("status.socket", "a\nb"),
        ("alerts.ping_url", "https://example.org/\x1b"),
        ("record.dir", "\udcff"),
        ("markets.include", "xyz:GOLD,a\x7fb"),
    ],
)
def test_control_characters_are_in_no_text(key: str, text: str) -> None:
    told = refused(None, f"{key}={text}")
    assert told.startswith(f"--set: {key}: ")
    assert told.endswith(" is not a text without control characters")
    assert told.isprintable()


@pytest.mark.parametrize("coin", ['a"b', "a\nb", "a\\b", "x.y", "xyz:SILVER", '"'])
def test_a_key_of_a_market_reads_back_as_the_same_market(write: Write, coin: str) -> None:
    key = market_key(coin, "threshold_bps")
    assert key.isprintable()
    for config in (loaded(write(f"{key} = 9\n")), loaded(None, f"{key}=9")):
        assert config.markets == {coin: {"threshold_bps": Decimal(9)}}
        assert key in config.origins
