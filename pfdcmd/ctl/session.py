"""One run of pfdcmctl: the server it talks to, the screen it writes to, and what makes a refusal helpful."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from pfdcmd.ctl.configuration import Settings, settle
from pfdcmd.ctl.nearest import did_you_mean
from pfdcmd.ctl.problems import Problem, Refused, WrongUse
from pfdcmd.ctl.screen import Screen
from pfdcmd.ctl.transport import Rpc, is_unknown_method, is_wrong_parameter

CALL_SECONDS = 60.0
"""For what pfdcm answers by itself; a PACS may be slower."""
PACS_SECONDS = 900.0
"""For what a PACS has to answer: above pfdcm's own limits, so that its reason is heard."""

EXAMPLE_ENTRY = "help"
"""Every tree begins with it: it shows what the entry of a PACS has, and is none."""

_COMMANDS = {
    "listener.apply": "pfdcmctl listener apply",
    "listener.list": "pfdcmctl listener list",
    "listener.log": "pfdcmctl listener log",
    "retrieve.list": "pfdcmctl jobs",
    "retrieve.start": "pfdcmctl retrieve",
    "tree.list": "pfdcmctl tree list",
}
"""The methods that pfdcm's advice names -> what to type for them here."""
_METHOD = re.compile(r"(?<![\w/.])[a-z]+\.[a-z]+\b(?![/.]\w)")

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Session:
    """What a command works with."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.screen = Screen()
        self._rpc = Rpc(settings.server)
        if settings.server.token and not settings.server.is_tls and not settings.server.is_this_machine:
            self.screen.note(f"Your token goes to {settings.server.host} unencrypted: --server https://...", "yellow")

    def call(self, method: str, *, seconds: float = CALL_SECONDS, **params: Any) -> Any:
        """The result of one method; parameters that are None are left out.

        Raises: Refused, Unreachable.
        """
        return self.send(method, {name: value for name, value in params.items() if value is not None}, seconds)

    def send(self, method: str, params: Mapping[str, Any] | list[Any], seconds: float = CALL_SECONDS) -> Any:
        """As call, with the parameters as they are."""
        limit_seconds = self.settings.timeout_seconds or seconds
        try:
            return self._rpc.call(method, params, limit_seconds)
        except Refused as refusal:
            told = self._explained(refusal, method, params)
            raise _with(told, as_commands(told.message), as_commands(told.do)) from refusal

    def close(self) -> None:
        self._rpc.close()

    def pacs(self, named: str | None) -> str:
        """The PACS to ask: the one named, the usual one, or the only one there is.

        Raises: WrongUse: none is named, and there is none or more than one.
        """
        if named or self.settings.pacs:
            return named or self.settings.pacs
        known = [name for name in self.pacs_names() if name != EXAMPLE_ENTRY]
        if len(known) == 1:
            return known[0]
        if not known:
            raise WrongUse(
                "pfdcm knows no PACS yet.", "Add it: pfdcmctl pacs add NAME --host HOST --port PORT --aec AE --aet AE"
            )
        raise WrongUse("There is more than one PACS.", f"Name it with --pacs (or PFDCMCTL_PACS): {', '.join(known)}")

    def pacs_names(self) -> list[str]:
        """The names below /PACS. Raises: as call."""
        return [entry["pacs"] for entry in self.call("pacs.list")]

    def _explained(self, refusal: Refused, method: str, params: Mapping[str, Any] | list[Any]) -> Refused:
        """The refusal with a name that may have been meant, where the server can be asked for those there are."""
        if is_unknown_method(refusal):
            return _with(refusal, f"There is no method {method!r}.", did_you_mean(method, self._methods()))
        pacs = params.get("pacs") if isinstance(params, Mapping) else None
        if isinstance(pacs, str) and method != "pacs.add":
            known = self._known_pacs()
            if known is not None and pacs not in known:
                hint = did_you_mean(pacs, [name for name in known if name != EXAMPLE_ENTRY])
                add = f"To add it: pfdcmctl pacs add {pacs} --host HOST --port PORT --aec AE --aet AE"
                return _with(refusal, f"pfdcm knows no PACS {pacs!r}.", f"{hint} {add}".strip())
        if is_wrong_parameter(refusal) and (context := click.get_current_context(silent=True)) is not None:
            return _with(refusal, refusal.message, f"See {context.command_path} --help.")
        return refusal

    def _methods(self) -> list[str]:
        try:
            document = self._rpc.call("rpc.discover", {}, CALL_SECONDS)
            return [method["name"] for method in document["methods"]]
        except (Problem, KeyError, TypeError):
            return []

    def _known_pacs(self) -> list[str] | None:
        try:
            return [entry["pacs"] for entry in self._rpc.call("pacs.list", {}, CALL_SECONDS)]
        except (Problem, KeyError, TypeError):
            return None


def _with(refusal: Refused, message: str, do: str) -> Refused:
    return Refused(message, do, code=refusal.code, data=refusal.data)


def as_commands(text: str) -> str:
    """What pfdcm says, with commands in place of the methods that it names."""
    return _METHOD.sub(lambda found: _COMMANDS.get(found[0], found[0]), text)


def session_of(context: click.Context) -> Session:
    """The session of a command, opened when it is first asked for and closed with the command.

    Raises: WrongUse: the settings cannot be used.
    """
    root = context.find_root()
    if not isinstance(root.obj, Session):
        root.obj = Session(settle(root.params, root.default_map or {}, os.environ))
        root.call_on_close(root.obj.close)
    return root.obj


def with_session(command: Callable[Concatenate[Session, _P], _R]) -> Callable[_P, _R]:
    """Give a command its session as the first argument."""

    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        return command(session_of(click.get_current_context()), *args, **kwargs)

    return update_wrapper(run, command)
