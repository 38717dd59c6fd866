"""The dispatcher: a Call, the table, the action's function, a Reply; never an exception to the caller.

A fault becomes {"status": false, "msg": what is wrong}. Anything unexpected becomes an internal error with a reference,
under which the log has the traceback.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Mapping
from typing import TypeVar

from pfdcmd.actions.context import Action, Context, Reply
from pfdcmd.actions.hello import hello
from pfdcmd.actions.internalctl import internalctl
from pfdcmd.actions.internaldb import internaldb
from pfdcmd.actions.ls import ls
from pfdcmd.actions.objpull import objpull
from pfdcmd.actions.objput import objput
from pfdcmd.actions.pacsinteract import pacsinteract
from pfdcmd.actions.serverctl import serverctl
from pfdcmd.actions.xinetd import xinetd
from pfdcmd.errors import Fault, InternalFault, UnknownAction
from pfdcmd.wire.pfdialect import Call

ACTIONS: Mapping[str, Action] = {
    "hello": hello,
    "internalctl": internalctl,
    "xinetd": xinetd,
    "PACSinteract": pacsinteract,
    "internalDB": internaldb,
    "ls": ls,
    "objPull": objpull,
    "objPut": objput,
    "serverctl": serverctl,
}

T = TypeVar("T")

_log = logging.getLogger(__name__)


async def dispatch(call: Call, context: Context) -> Reply:
    """Do what the call asks. Cancelling the task that awaits this cancels the action."""
    try:
        return await attempt(_perform(call, context))
    except Fault as fault:
        return fault_reply(fault)


async def attempt(work: Awaitable[T]) -> T:
    """Await the work, with whatever goes wrong in it as a fault.

    Raises: Fault: as the work does. InternalFault: instead of anything unexpected, which the log has.
    """
    try:
        return await work
    except Fault:
        raise
    except Exception as error:
        raise internal_fault(error) from error


def log_cause(fault: Fault) -> None:
    """A fault's cause, if it has one, is for the log and not for the caller."""
    if fault.cause:
        _log.warning("%s: %s", type(fault).__name__, fault.cause)


def fault_reply(fault: Fault) -> Reply:
    """The reply that tells the caller of a fault."""
    log_cause(fault)
    return {"status": False, "msg": fault.message}


def internal_fault(error: Exception) -> InternalFault:
    """What should not have happened, as a fault: the caller gets a reference, the log the traceback under it."""
    reference = secrets.token_hex(4)
    _log.error("Internal error, reference %s", reference, exc_info=error)
    return InternalFault(reference)


def internal_error_reply(error: Exception) -> Reply:
    """The reply to what should not have happened."""
    return fault_reply(internal_fault(error))


async def _perform(call: Call, context: Context) -> Reply:
    return await _action(call.action)(call.meta, context)


def _action(name: str) -> Action:
    if name not in ACTIONS:
        raise UnknownAction(f"There is no such action; there are {', '.join(ACTIONS)}.")
    return ACTIONS[name]
