"""Which right a message needs: READ looks, OPERATE moves images, ADMIN changes what pfdcm is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pfdcmd.actions.caller import Caller, Right
from pfdcmd.actions.context import Meta
from pfdcmd.errors import AccessRefused
from pfdcmd.wire.pfdialect import Call


def right_of(call: Call) -> Right:
    """The right that the message needs; one that nobody answers needs the least: it gets a fault, whoever sends it."""
    needed = NEEDED.get(call.action, Right.READ)
    return needed if isinstance(needed, Right) else needed(call.meta)


def check_right(call: Call, caller: Caller) -> None:
    """Raises: AccessRefused: the caller may not ask for this; the message says which right it needs."""
    needed = right_of(call)
    if caller.right < needed:
        raise AccessRefused(f"This needs the right {needed.name.lower()}; this token has {caller.right.name.lower()}.")


def _internalctl(meta: Meta) -> Right:
    return Right.ADMIN if meta.keys() & {"set", "valueReplace"} else Right.READ


def _xinetd(meta: Meta) -> Right:
    """A restart changes nothing that has not been declared already."""
    return Right.OPERATE if (meta.get("object"), meta.get("do")) == ("service", "restart") else Right.ADMIN


def _pacsinteract(meta: Meta) -> Right:
    """A query may ask for what it finds to be retrieved."""
    on = meta.get("on")
    is_moving = meta.get("do") == "retrieve" or (isinstance(on, Mapping) and "retrieve" in on and on["retrieve"])
    return Right.OPERATE if is_moving else Right.READ


def _internaldb(meta: Meta) -> Right:
    return Right.OPERATE if meta.get("do") == "copy" else Right.READ


NEEDED: Mapping[str, Right | Callable[[Meta], Right]] = {
    "hello": Right.READ,
    "internalctl": _internalctl,
    "xinetd": _xinetd,
    "PACSinteract": _pacsinteract,
    "internalDB": _internaldb,
    "ls": Right.READ,
    "objPull": Right.OPERATE,
    "objPut": Right.OPERATE,
    "serverctl": Right.ADMIN,
}
"""Action -> the right, or what tells it by the meta."""
