"""The action serverctl: end the daemon."""

from __future__ import annotations

from pfdcmd.actions.context import Context, Meta, Reply
from pfdcmd.errors import ParameterFault


async def serverctl(meta: Meta, context: Context) -> Reply:
    """{"ctl": {"serverCmd": "quit"}}: the reply is sent, then pfdcm ends; the listeners go on.

    Any other command does nothing and says so by an empty message, as it always did.

    Raises: ParameterFault: no command.
    """
    ctl = meta.get("ctl")
    if not isinstance(ctl, dict) or "serverCmd" not in ctl:
        raise ParameterFault('"ctl" must be an object with "serverCmd".')
    if ctl["serverCmd"] == "quit":
        context.quit()
        return {"msg": "Server shut down", "status": True}
    return {"status": True, "msg": ""}
