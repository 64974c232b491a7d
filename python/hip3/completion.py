"""`hip3 completion`: a script that lets a shell complete verbs, flags, and the values that are known beforehand.

Everything in it comes from the parser and the table of options, and none of it runs Python when a key is pressed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

from hip3.options import table
from hip3.parser import FLAG_KEYS, Parser

SHELLS = ("bash", "zsh", "fish", "tcsh")
#: Which of shtab's kinds of path stands for what is named so on the command line.
PATHS = {"FILE": "file", "PATH": "file", "RECORDING": "file", "DIR": "directory"}
#: Bash cuts words at `=`, so what stands behind one is completed here. No space follows a key that wants a value.
BASH = """
_hip3() {
  local word=${COMP_WORDS[COMP_CWORD]} key=
  if [[ $word == = ]]; then
    key=${COMP_WORDS[COMP_CWORD-1]} word=
  elif [[ ${COMP_WORDS[COMP_CWORD-1]} == = ]]; then
    key=${COMP_WORDS[COMP_CWORD-2]}
  fi
  if [[ ${COMP_WORDS[1]} == help && $COMP_CWORD -gt 2 ]]; then
    # After a verb come its actions, and no other verb.
    local words=
    if [[ $COMP_CWORD == 3 ]]; then
      case ${COMP_WORDS[2]} in
ACTIONS
      esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    return 0
  fi
  case $key in
    '') _shtab_hip3 "$@" ;;
CASES
    *) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
  esac
  if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then
    compopt -o nospace 2>/dev/null
  fi
  return 0
}
complete -o bashdefault -F _hip3 hip3
"""
ZSH = """
_hip3_set() {
  if ! compset -P '*='; then
    compadd -S '' -- KEYS
    return
  fi
  case ${IPREFIX%=} in
CASES
  esac
}
"""


def main(parser: Parser, shell: str) -> int:
    """Prints the script for one shell."""
    sys.stdout.write(script(parser, shell))
    return 0


def script(parser: Parser, shell: str) -> str:
    """The script. The parser is prepared for it, and must not parse anything afterwards."""
    import shtab

    (verbs,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for sub in parser.family():
        # Shells show one line for each verb, which is its help and not the text of its page.
        sub.description = None
        for action in sub._actions:
            _prepare(action, shell, list(verbs.choices), shtab.CHOICE_FUNCTIONS)
    text: str = shtab.complete(parser, shell=shell)
    if shell == "bash":
        bash = BASH.replace("ACTIONS", _actions(verbs.choices))
        text += bash.replace("CASES", _cases('mapfile -t COMPREPLY < <(compgen -W "{}" -- "$word")'))
    return text if text.endswith("\n") else f"{text}\n"


def _prepare(action: argparse.Action, shell: str, verbs: list[str], paths: Mapping[str, object]) -> None:
    """Tells shtab what an argument takes, where that is known."""
    from hip3.sim.scenario import available

    option = table().get(FLAG_KEYS.get(action.dest, ""))
    if action.dest == "set":
        keys = [f"{key}=" for key in table()]
        if shell == "zsh":
            zsh = ZSH.replace("KEYS", " ".join(keys)).replace("CASES", _cases("compadd -- {}"))
            action.complete = {"zsh": "_hip3_set", "preamble": {"zsh": zsh}}  # type: ignore[attr-defined]
        else:
            action.choices = keys
    elif action.dest == "command":
        action.choices = verbs
    elif action.dest == "scenario":
        action.choices = available()
    elif option is not None and option.choices:
        action.choices = list(option.choices)
    elif str(action.metavar) in PATHS:
        action.complete = paths[PATHS[str(action.metavar)]]  # type: ignore[attr-defined]


def _actions(verbs: Mapping[str, Parser]) -> str:
    """The arms of bash's `case` over the verbs that have actions."""
    arms = []
    for verb, parser in verbs.items():
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                arms.append(f"        {verb}) words='{' '.join(action.choices)}' ;;")
    return "\n".join(arms)


def _cases(command: str) -> str:
    """The arms of a shell's `case` over the options whose values are known, and over the flags that set them."""
    keys: dict[str, list[str]] = {}
    for row in table().values():
        words = ("true", "false") if row.kind is bool else row.choices
        if words:
            flags = [f"--{flag}" for flag, key in FLAG_KEYS.items() if key == row.key]
            keys.setdefault(" ".join(words), []).extend([row.key, *flags])
    return "\n".join(f"    {'|'.join(names)}) {command.format(words)} ;;" for words, names in keys.items())
