"""The action hello: is pfdcm there, what time does it have, what does it run on."""

from __future__ import annotations

from pfdcmd.actions.context import Context, Meta, Reply
from pfdcmd.errors import ParameterFault


async def hello(meta: Meta, context: Context) -> Reply:
    """{"askAbout": "timestamp" | "sysinfo" | "echoBack"} and, for the last, {"echoBack": anything}.

    Returns: {"d_ret": {"name", "version", <askAbout>: {...}}, "status": true}; status is false without an askAbout that
             is known. The version is empty, as it always was: /this/desc and --version tell it.
    Raises:  ParameterFault: nothing to echo.
    """
    if "askAbout" not in meta:
        return {"d_ret": {}, "status": False}
    answer: Reply = {"name": "pfdcm", "version": ""}
    match meta["askAbout"]:
        case "timestamp":
            answer["timestamp"] = {"now": context.now().strftime("%Y%m%d%H%M%S.%f")}
        case "sysinfo":
            answer["sysinfo"] = await context.host.describe()
        case "echoBack":
            if "echoBack" not in meta:
                raise ParameterFault('"echoBack" is missing: what shall be echoed.')
            answer["echoBack"] = {"msg": meta["echoBack"]}
        case _:
            return {"d_ret": answer, "status": False}
    return {"d_ret": answer, "status": True}
