"""xinetd: the listener as a service: its file written, its directories made, its processes brought up.

meta: {"object": "file", "do": "create" | "install"} or
      {"object": "service", "do": "mkdirs" | "restart" | "everything"}
The service file at /xinetd/file is one declaration among those of the services directory: `restart` goes by what stands
in them, whoever wrote it. Its reply is about the services of that file; what is wrong with others is in `stderr`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pfdcmd.actions.context import Context, Meta, Reply
from pfdcmd.errors import Fault, ParameterFault, ServiceFault
from pfdcmd.service.plan import Reload
from pfdcmd.service.values import check_directory
from pfdcmd.wire.xinetdconf import format_service_file

RESTARTED = "Stopping internet superserver: xinetd.\nStarting internet superserver: xinetd.\n"
"""What the superserver's start script printed: callers have seen no other sign of success."""

CREATED_SUFFIX = ".new"
"""xinetd's includedir passes over names with a dot, so the file created there is not a second declaration."""

_DIRECTORIES = ("tmpDir", "logDir", "dataDir")

Part = Callable[[Context], Awaitable[Reply]]


async def xinetd(meta: Meta, context: Context) -> Reply:
    """Answer `{"status": bool, "d_ret": {...}}`, with the reason as `msg` too when the status is false.

    Raises: ParameterFault: there is no such object and do.
    """
    part = _PARTS.get((str(meta.get("object")), str(meta.get("do"))))
    if part is None:
        known = ", ".join(f"{thing} {do}" for thing, do in _PARTS)
        raise ParameterFault(f'xinetd needs an "object" and a "do" of these: {known}.')
    async with context.listeners.exclusive():
        result = await part(context)
    reply: Reply = {"status": result["status"], "d_ret": result}
    if not result["status"]:
        reply["msg"] = _reason(result)
    return reply


async def _create(context: Context) -> Reply:
    try:
        contents = await _format_file(context)
        path = _service_file(context) + CREATED_SUFFIX
        await context.files.write_text(path, contents)
    except Fault as fault:
        return {"status": False, "fileContents": "", "file": "", "stderr": fault.message}
    return {"status": True, "fileContents": contents, "file": path}


async def _install(context: Context) -> Reply:
    try:
        await context.files.write_text(_service_file(context), await _format_file(context))
    except Fault as fault:
        return _failed(f"{fault.message} Choose another place with --serviceFile or /xinetd/file.")
    return _done("")


async def _mkdirs(context: Context) -> Reply:
    leaves = _branch(context, "xinetd")
    try:
        directories = [check_directory(leaves.get(leaf), f"/xinetd/{leaf}") for leaf in _DIRECTORIES]
    except ServiceFault as fault:
        return {"dirs": [], **_failed(fault.message)}
    try:
        await context.files.make_directories(directories)
    except Fault as fault:
        return {"dirs": directories, **_failed(fault.message)}
    return {"dirs": directories, **_done("")}


async def _restart(context: Context) -> Reply:
    try:
        path = _service_file(context)
        reload = await context.listeners.reload()
    except Fault as fault:
        return _failed(fault.message)
    changed = reload.difference
    ours = [each for each in reload.services if each.declared_in == path]
    reason = changed.faults.get(path) or next((changed.failed[s.name] for s in ours if s.name in changed.failed), None)
    reason = reason or await _missing(context, path, reload, is_ours_empty=not ours)
    if reason:
        return _failed(reason)
    if ours and all(service.is_disabled for service in ours):
        return _failed(f"{ours[0].name} is disabled in {path}.")
    for service in ours:
        if not service.is_disabled and not await context.listeners.answers(service):
            return _failed(f"{service.name} does not answer C-ECHO on port {service.port}.")
    return {**_done(RESTARTED), "stderr": " ".join([*changed.failed.values(), *changed.faults.values()])}


async def _missing(context: Context, path: str, reload: Reload, *, is_ours_empty: bool) -> str | None:
    """Why there is nothing to start, when neither the file nor the directory declares a service."""
    if not is_ours_empty or reload.services:
        return None
    try:
        await context.files.read_text(path)
    except Fault as fault:
        return fault.message
    return f"{path} declares no service."


async def _everything(context: Context) -> Reply:
    """All four in turn; what comes after a failure is not attempted and says so."""
    parts: dict[str, Part] = {
        "fileCreate": _create,
        "fileInstall": _install,
        "serviceDirs": _mkdirs,
        "service": _restart,
    }
    results: dict[str, Reply] = {}
    for name, part in parts.items():
        failed = next((other for other, result in results.items() if not result["status"]), None)
        results[name] = await part(context) if failed is None else _failed(f"Not attempted, because {failed} failed.")
    return {"status": all(result["status"] for result in results.values()), "d_ret": results}


_PARTS: Mapping[tuple[str, str], Part] = {
    ("file", "create"): _create,
    ("file", "install"): _install,
    ("service", "mkdirs"): _mkdirs,
    ("service", "restart"): _restart,
    ("service", "everything"): _everything,
}


async def _format_file(context: Context) -> str:
    """The file's text. Raises: PathRefused: a directory in it is not for callers to name."""
    bind, leaves = context.settings.listener_bind, _branch(context, "xinetd")
    directories = [leaves.get(leaf) for leaf in _DIRECTORIES]
    await context.files.check_paths([directory for directory in directories if isinstance(directory, str)])
    return format_service_file(_branch(context, "bin"), leaves, bind)


def _service_file(context: Context) -> str:
    return check_directory(_branch(context, "xinetd").get("file"), "/xinetd/file")


def _branch(context: Context, key: str) -> Mapping[str, Any]:
    branch = context.tree.get(f"/{key}")
    return branch if isinstance(branch, Mapping) else {}


def _done(stdout: str) -> Reply:
    return {"status": True, "stdout": [stdout], "stderr": ""}


def _failed(reason: str) -> Reply:
    return {"status": False, "stdout": [""], "stderr": reason}


def _reason(result: Reply) -> str:
    parts = result["d_ret"].values() if "d_ret" in result else [result]
    return str(next(part["stderr"] for part in parts if not part["status"]))
