"""The command line: verbs and their flags, nothing else. Each verb calls its own module's `main`.

Below the flags of each verb, `--help` shows its page of `manual.toml`.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from hip3 import __commit__, __version__, completion, streams
from hip3.config import Config, load
from hip3.errors import ConfigError, Hip3Error, UsageError
from hip3.options import hide_keys, plain_text
from hip3.parser import FLAG_KEYS, Parser

INTERRUPTED = 130


CONTROL = {
    "pause": "no new entries; positions and exits go on",
    "resume": "entries again",
    "flatten": "leave positions now",
    "reload": "take over what tightens in the configuration of the running trader",
    "kill": "sign nothing more, and start no more, until unkill",
    "unkill": "lift the kill latch",
}


def build_parser() -> Parser:
    """All verbs."""
    parser = Parser(prog="hip3", usage="hip3 COMMAND [OPTION]...")
    version = f"hip3 {__version__}" + (f" ({__commit__})" if __commit__ else "")
    parser.add_argument("--version", action="version", version=version, help="version and commit")
    verbs = parser.add_subparsers(
        title="commands", dest="verb", metavar="COMMAND", required=True, parser_class=Parser, prog="hip3"
    )

    shared = Parser(add_help=False)
    shared.add_argument(
        "--config", type=Path, metavar="FILE", help="configuration file (default: $HIP3_CONFIG, else the user's)"
    )
    shared.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="set one option; may be given again"
    )
    shared.add_argument("--venue", metavar="NAME", help="sim, testnet or mainnet")
    _add_trading(verbs, shared)
    _add_operating(verbs, shared)
    return parser


def _add_trading(verbs: argparse._SubParsersAction[Parser], shared: Parser) -> None:
    """Verbs that trade, or look at what could be traded."""
    run = verbs.add_parser("run", parents=[shared], help="trade; on the simulated venue unless another is named")
    run.add_argument("--mode", metavar="MODE", help="observe or live")
    run.add_argument("--duration", type=_seconds, metavar="S", help="end after this many seconds (default: never)")
    run.add_argument("--headless", action="store_true", help="log lines instead of the status view")
    run.add_argument("--json", action="store_true", help="print the summary as one JSON object")
    run.add_argument("--seed", type=int, metavar="N", help="seed of the embedded venue")
    run.add_argument("--scenario", metavar="NAME", help="scenario of the embedded venue")
    run.add_argument("--record", metavar="DIR", help="record every input into this directory")
    run.add_argument("--confirm-live", action="store_true", help="needed for live orders on mainnet")
    run.add_argument("--i-know-master-key", action="store_true", help="sign with a key that can withdraw")

    sim = verbs.add_parser("sim", help="the simulated venue alone, for any Hyperliquid client")
    sim.add_argument("--port", type=int, default=3001, metavar="P", help="loopback port, 0 for any free one")
    sim.add_argument("--seed", type=int, default=1, metavar="N", help="same seed, same oracle and quotes")
    sim.add_argument("--fund", action="append", default=[], metavar="ADDRESS=USDC[:unified]", help="open an account")
    sim.add_argument("--deployer", action="append", default=[], metavar="DEX=ADDRESS", help="who sets a dex's oracle")
    sim.add_argument("--scenario", default="default", metavar="NAME|FILE", help="what happens on the venue")
    sim.add_argument("--from", type=Path, dest="source", metavar="RECORDING", help="replay recorded markets")
    sim.add_argument("--speed", type=float, default=1.0, metavar="X", help="how much faster than recorded")
    sim.add_argument("--log", metavar="FILE", help="log every input, block by block")
    sim.add_argument("--statistics", action="store_true", help="compare the scenario with its measurements; then exit")
    sim.add_argument("--days", type=float, default=1.0, metavar="D", help="virtual days for --statistics")
    sim.add_argument("--json", action="store_true", help="--statistics as JSON")
    sim.add_argument("--check", metavar="FILE", help="play such a log and compare the state; then exit")
    sim.add_argument(
        "--tell",
        action="append",
        metavar="INCIDENT",
        help="let something happen on the venue that runs on --port, such as 'mute channel=bbo seconds=5'; then exit",
    )
    sim.add_argument("--parent-pipe", action="store_true", help=argparse.SUPPRESS)

    replay = verbs.add_parser("replay", help="a recording through the same trader again")
    replay.add_argument("path", type=Path, metavar="PATH", help="the recording: a directory, or one file of it")
    replay.add_argument("--settings", type=Path, metavar="RECORDING", help="judge by the start line of this one")
    replay.add_argument("--json", action="store_true", help="print the summary as one JSON object")

    markets = verbs.add_parser("markets", parents=[shared], help="markets of every builder dex")
    markets.add_argument("--json", action="store_true", help="print one JSON object")

    check = verbs.add_parser("check", parents=[shared], help="what would stop a start, each with its remedy")
    check.add_argument("--json", action="store_true", help="print one JSON object")


def _add_operating(verbs: argparse._SubParsersAction[Parser], shared: Parser) -> None:
    """Verbs that set up a trader, look at a running one, or act on it."""
    config = verbs.add_parser("config", help="configuration file and effective values")
    actions = config.add_subparsers(
        title="actions", dest="action", metavar="ACTION", required=True, parser_class=Parser
    )
    init = actions.add_parser("init", help="write a file with every option explained")
    init.add_argument("--path", type=Path, metavar="FILE", help="where to; the default place otherwise")
    init.add_argument("--force", action="store_true", help="overwrite")
    show = actions.add_parser("show", parents=[shared], help="values in effect and where they come from")
    show.add_argument("--origin", action="store_true", help="name the source of each value, of defaults too")
    show.add_argument("--json", action="store_true", help="print one JSON object")

    key = verbs.add_parser("key", help="the agent's key: take it in, show its address, remove it")
    key_actions = key.add_subparsers(
        title="actions", dest="action", metavar="ACTION", required=True, parser_class=Parser
    )
    take = key_actions.add_parser("import", parents=[shared], help="a key from standard input into a file")
    forms = take.add_mutually_exclusive_group()
    forms.add_argument("--keystore", action="store_true", help="encrypted under a passphrase (the default)")
    forms.add_argument("--plain", action="store_true", help="readable by whoever reads the file")
    take.add_argument(
        "--path", type=Path, metavar="FILE", help="where to; account.key_file or the usual place otherwise"
    )
    take.add_argument("--passphrase-file", type=Path, metavar="FILE", help="file of mode 0600 instead of asking")
    take.add_argument("--force", action="store_true", help="overwrite")
    shown = key_actions.add_parser("show", parents=[shared], help="the address, and where the key comes from")
    shown.add_argument("--json", action="store_true", help="print one JSON object")
    forget = key_actions.add_parser("forget", parents=[shared], help="remove the key file")
    forget.add_argument("--yes", action="store_true", help="do not ask for the word")

    for verb, told in CONTROL.items():
        control = verbs.add_parser(verb, parents=[shared], help=told)
        control.add_argument("--reason", default="", metavar="TEXT", help="why, for the log of control")
        if verb == "flatten":
            control.add_argument("markets", nargs="*", metavar="MARKET", help="full names, such as xyz:SILVER")
            control.add_argument("--all", action="store_true", help="every position")
        control.add_argument("--yes", action="store_true", help="do not ask for the word (mainnet, unkill)")

    status = verbs.add_parser("status", parents=[shared], help="look at a running trader")
    status.add_argument("--once", action="store_true", help="one snapshot instead of the live view")
    status.add_argument("--json", action="store_true", help="the snapshot as one JSON object")
    status.add_argument("--svg", type=Path, metavar="FILE", help="the snapshot as a picture in a file")

    alert = verbs.add_parser("alert", help="alerts: which there are, and whether a message arrives")
    kinds = alert.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True, parser_class=Parser)
    test = kinds.add_parser("test", parents=[shared], help="send one message to every service of alerts.urls_file")
    test.add_argument("--json", action="store_true", help="print one JSON object")
    listing = kinds.add_parser("list", help="every alert with its meaning and remedy")
    listing.add_argument("--json", action="store_true", help="print one JSON object")

    shell = verbs.add_parser("completion", help="a script that lets a shell complete these words")
    shell.add_argument("shell", choices=completion.SHELLS, metavar="SHELL", help=", ".join(completion.SHELLS))
    manual = verbs.add_parser("help", help="the page of a command")
    manual.add_argument("command", nargs="*", metavar="COMMAND", help="its words, such as: config init")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds") from None
    if not 0 < seconds < 10**8:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and below 10^8 seconds")
    return seconds


def load_config(args: argparse.Namespace) -> Config:
    """The configuration with the flags of the command line over it."""
    given = {flag: getattr(args, flag, None) for flag in FLAG_KEYS}
    flags = {f"--{flag}": (FLAG_KEYS[flag], str(value)) for flag, value in given.items() if value is not None}
    return load(args.config, args.set, flags=flags)


def load_places(args: argparse.Namespace) -> Config:
    """The configuration, for verbs that only need to know where the trader is: a broken one must not keep them away."""
    try:
        return load_config(args)
    except ConfigError as error:
        from hip3.control.latch import latch_path
        from hip3.status.publish import socket_path

        usual = load(None, [], {"XDG_CONFIG_HOME": "/dev/null"})
        try:
            (latch_path if args.verb in ("kill", "unkill") else socket_path)(usual, os.environ)
        except ConfigError:
            raise error from None
        streams.tell(f"hip3: {one_line(error)}; looking for the trader at the usual place")
        return usual


def dispatch(args: argparse.Namespace) -> int:
    """Calls the verb; modules are imported here so that a small verb starts fast."""
    match args.verb:
        case "run":
            from hip3 import app

            options = app.RunOptions(args.duration, args.headless, args.json, args.confirm_live, args.i_know_master_key)
            return app.main(load_config(args), options, lambda: load_config(args))
        case "sim":
            if args.check is not None:
                from hip3.sim import journal

                return journal.main(args.check)
            if args.statistics:
                from hip3.sim import statistics

                return statistics.main(args.scenario, args.days, args.seed, args.json)
            if args.tell:
                from hip3.sim import tell

                return tell.main(args.port, args.tell)
            from hip3.sim import command

            return command.main(
                command.Options(
                    args.port,
                    args.seed,
                    args.scenario,
                    args.fund,
                    args.deployer,
                    args.log,
                    args.source,
                    args.speed,
                    args.parent_pipe,
                )
            )
        case "replay":
            from hip3.research import replay

            return replay.main(args.path, args.settings, args.json)
        case "markets":
            from hip3.venue import markets

            return markets.main(load_config(args), args.json)
        case "check":
            from hip3.venue import check

            return check.main(load_config(args), args.json)
        case "key":
            return key(args)
        case "kill" | "unkill" | "pause" | "resume" | "flatten" | "reload":
            return control(args)
        case "status":
            from hip3.status import attach

            return attach.main(load_places(args), args.once, args.json, args.svg)
        case "alert":
            from hip3.alerts import command as alerts

            return alerts.show(args.json) if args.action == "list" else alerts.test(load_config(args), args.json)
        case "completion":
            return completion.main(build_parser(), args.shell)
        case "help":
            build_parser().parse_args([*args.command, "--help"])
            return 0
        case _:
            from hip3 import config_command

            if args.action == "init":
                return config_command.init(args.path, args.force)
            return config_command.show(load_config(args), args.json, args.origin)


def key(args: argparse.Namespace) -> int:
    """The verbs of the agent's key."""
    from hip3.keys import command

    config = load_config(args)
    match args.action:
        case "import":
            options = command.ImportOptions(args.plain, args.path, args.passphrase_file, args.force)
            return command.import_key(config, options)
        case "show":
            return command.show(config, args.json)
        case _:
            return command.forget(config, args.yes)


def control(args: argparse.Namespace) -> int:
    """The verbs that act on a running trader, and the kill latch."""
    from hip3.control import verbs

    config = load_config(args) if args.verb == "reload" else load_places(args)
    if args.verb == "kill":
        return verbs.kill(config, args.reason, args.yes)
    if args.verb == "unkill":
        return verbs.unkill(config, args.reason, args.yes)
    coins: list[str] = getattr(args, "markets", [])
    if args.verb == "flatten" and bool(coins) == args.all:
        raise UsageError("flatten: name markets, or --all for every position")
    return verbs.ask(config, args.verb, coins, args.reason, args.yes)


def one_line(error: Hip3Error) -> str:
    """The text of an error on one line, without what looks like a private key."""
    shown = str(error).encode("utf-8", "backslashreplace").decode()
    text = "".join(c if c.isprintable() else " " for c in shown)
    return hide_keys(" ".join(text.split()))


def main(argv: list[str] | None = None) -> int:
    """Runs one command; every foreseen failure is one line on standard error and an exit status."""
    streams.prepare()
    try:
        try:
            status = dispatch(parse(argv))
        except SystemExit:  # --help and --version
            sys.stdout.flush()
            raise
        # Here, so that a reader who went away is noticed before the interpreter's end.
        sys.stdout.flush()
        return status
    except Hip3Error as error:
        streams.tell(f"hip3: {one_line(error)}")
        return error.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return 1
    except OSError as error:
        if error.filename != streams.OUTPUT:
            raise
        streams.tell(f"hip3: {streams.OUTPUT} cannot be written: {error.strerror}")
        return 1
    finally:
        streams.leave()


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line, in which every text is UTF-8: the wire, the log and the files know nothing else.

    Raises UsageError. A reason never stops what it explains: what cannot be read of it is replaced.
    """
    args = build_parser().parse_args(argv)
    for name, value in vars(args).items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and not _is_utf8(text):
                if name != "reason":
                    raise UsageError(f"{args.verb}: {text} is not UTF-8; write it anew")
                args.reason = plain_text(text)
    return args


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)
