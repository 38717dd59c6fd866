"""The whole program, wired on one page: settings, tree, edge, server; then the wait; then the end, in that order.

    settings -> tree (defaults, saved tree, --setPACS) -> Context -> Port -> wait -> stop

A signal ends the listeners too. `serverctl quit`, the end after one request and --msg leave them running, as xinetd's
were: a transfer outlives the daemon that asked for it, and the next pfdcm finds them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from pfdcmd import __version__
from pfdcmd.actions.caller import NOBODY_ASKED
from pfdcmd.actions.context import Context, Reply
from pfdcmd.actions.datatree import replace_from_environment
from pfdcmd.defaults import initial_tree
from pfdcmd.dispatch import fault_reply
from pfdcmd.edge.audit import open_audit
from pfdcmd.edge.files import Files
from pfdcmd.edge.host import Host
from pfdcmd.edge.http.door import Door, open_door
from pfdcmd.edge.http.health import make_readiness
from pfdcmd.edge.listeners.events import ListenerEvents
from pfdcmd.edge.listeners.servicefiles import ServiceFiles
from pfdcmd.edge.listeners.superserver import SuperServer
from pfdcmd.edge.listeners.supervisord import Supervisord
from pfdcmd.edge.pacs.doctor import Probe
from pfdcmd.edge.pacs.net import PacsNet
from pfdcmd.edge.places import make_state_directory, service_file_path, services_directory
from pfdcmd.edge.privileges import STAYS_ROOT
from pfdcmd.edge.retrieve.jobs import Jobs
from pfdcmd.edge.retrieve.ledger import SqliteLedger
from pfdcmd.edge.retrieve.site import JobSite
from pfdcmd.edge.roots import open_roots
from pfdcmd.edge.runfile import Run, announce, claimed, withdraw
from pfdcmd.edge.treeevents import TreeEvents
from pfdcmd.edge.treefile import TreeFile, load_tree_file
from pfdcmd.errors import (
    Fault,
    MessageFault,
    ParameterFault,
    PeerConfigurationFault,
    StorageFault,
    TreeFault,
)
from pfdcmd.events.hub import EventHub
from pfdcmd.pacs.peer import parse_peer
from pfdcmd.port import Port
from pfdcmd.program import Program
from pfdcmd.promptness import favour_the_loop
from pfdcmd.settings import Settings
from pfdcmd.tree.store import Tree
from pfdcmd.wire.pfdialect import Call, decode_message, parse_json

GRACE_SECONDS = 3.0
"""How long actions may go on when pfdcm ends; longer ones are cancelled, and their callers told."""

_OPEN_TO_ALL = (
    "Port %d is open on every interface, and whoever reaches it may send messages: it asks for no tokens. "
    "To let in only who has one: --enableTokenAuth --tokenPath FILE, with --tlsCertificate and --tlsKey; to narrow the "
    "port: --ipSelf ADDRESS (or PFDCM_IP_SELF); for a container, publish it on one address, as in -p 127.0.0.1:4055:%d"
)
_TOKENS_IN_THE_CLEAR = (
    "Tokens come over port %d in the clear, and whoever sees them pass has them: --tlsCertificate and --tlsKey, "
    "or a proxy that speaks TLS"
)
_START_LISTENER = Call("xinetd", {"object": "service", "do": "everything"})

_log = logging.getLogger(__name__)


@asynccontextmanager
async def assemble(settings: Settings, environ: Mapping[str, str], ending: asyncio.Event) -> AsyncIterator[Program]:
    """Put the program together, and have the tree saved when it is left; ending is set by `serverctl quit`.

    Raises: TreeFault: the saved tree cannot be loaded. StorageFault: there is no place for the state directory.
    """
    state_directory = make_state_directory(settings.state_dir, environ)
    service_file = service_file_path(settings.service_file, state_directory)
    roots = open_roots(settings, service_file)
    tree = make_tree(settings, environ, service_file)
    hub = EventHub()
    TreeEvents(tree, hub)
    listeners = SuperServer(
        settings,
        Supervisord(state_directory, settings.listener_start_seconds),
        ServiceFiles(services_directory(settings.services_dir, state_directory)),
        legacy_file=lambda: _text(tree.get("/xinetd/file")),
        listed=ListenerEvents(hub).see,
    )
    pacs = PacsNet(settings)
    ledger = SqliteLedger(state_directory)
    jobs = Jobs(JobSite(settings, tree, pacs, listeners, ledger, hub.publish, datetime.now, roots=roots))
    tree_file = TreeFile(Path(settings.config_file_save), tree) if settings.config_file_save else None
    readiness = make_readiness(state_directory, tree_file)
    context = Context(
        settings=settings,
        tree=tree,
        pacs=pacs,
        listeners=listeners,
        files=Files(roots),
        host=Host(),
        environ=environ,
        now=datetime.now,
        quit=ending.set,
        events=hub,
        probe=Probe(settings),
        jobs=jobs,
        health=readiness,
    )
    audit = open_audit(settings, state_directory)
    try:
        yield Program(context, state_directory, listeners, jobs, tree_file, audit, hub, readiness)
    finally:
        await jobs.close()
        if tree_file is not None:
            try:
                await tree_file.settle()
            except StorageFault as fault:
                _log.error("%s", fault.message)


def _text(leaf: object) -> str:
    return leaf if isinstance(leaf, str) else ""


def make_tree(settings: Settings, environ: Mapping[str, str], service_file: Path, *, is_strict: bool = False) -> Tree:
    """The tree at start: the defaults, what was saved, what --setPACS says.

    Raises: TreeFault: loading failed; when strict, also a --setPACS that cannot be used, which else is only logged.
    """
    dicom_dir = str(Path(settings.dicom_dir).absolute())
    content = initial_tree(
        dataclasses.replace(settings, dicom_dir=dicom_dir), version=__version__, service_file=str(service_file)
    )
    tree = Tree(content, max_leaves=settings.max_tree_leaves, max_characters=settings.max_tree_characters)
    if settings.config_file_load:
        _take_over(tree, Path(settings.config_file_load))
    if settings.set_pacs:
        try:
            entries = parse_json(settings.set_pacs, max_nesting=settings.max_nesting)
            if not isinstance(entries, dict):
                raise MessageFault("It must be an object: PACS name -> entry.")
            tree.merge("/PACS", entries)
            replace_from_environment(tree, "%HOST_IP", environ)
        except Fault as fault:
            if is_strict:
                raise TreeFault(f"--setPACS cannot be used: {fault.message}") from fault
            _log.error("--setPACS is not used: %s", fault.message)
    return tree


def check_pacs_entries(tree: Tree) -> None:
    """Raises: TreeFault: an entry below /PACS that no query could use, by name."""
    entries = tree.get("/PACS")
    for name, entry in entries.items() if isinstance(entries, Mapping) else ():
        try:
            parse_peer(entry)
        except PeerConfigurationFault as fault:
            raise TreeFault(f"/PACS/{name}: {fault.message}") from fault


def _take_over(tree: Tree, file: Path) -> None:
    saved = load_tree_file(file)
    if saved is None:
        _log.warning("%s is not there: starting from the defaults", file)
        return
    try:
        tree.merge("/", saved)
    except TreeFault as fault:
        raise TreeFault(f"{file} cannot be loaded: {fault.message}") from fault


async def serve(settings: Settings, environ: Mapping[str, str]) -> None:
    """Be the daemon until a signal, `serverctl quit` or, without --forever, the end of the first request.

    Raises: TreeFault, StorageFault: as assemble. ParameterFault: the door cannot be made. OSError: the port cannot be
            opened.
    """
    door = open_door(settings)
    ending = asyncio.Event()
    signalled = _end_on_signals(ending)
    async with assemble(settings, environ, ending) as program:
        with claimed(program.state_directory):
            await _serve(program, settings, door, ending, signalled)
    _log.info("pfdcm ends")


async def _serve(
    program: Program, settings: Settings, door: Door, ending: asyncio.Event, signalled: asyncio.Event
) -> None:
    answered = _nothing if settings.forever else ending.set
    server = Port(settings, program, door, answered)
    favour_the_loop()
    host, port = await server.start()
    _log.info(
        "pfdcm %s listens on %s://%s:%d",
        __version__,
        "https" if door.tls else "http",
        f"[{host}]" if ":" in host else host,
        port,
    )
    _warn(settings, host, port)
    with _announced(program.state_directory, host, port, settings):
        starting = asyncio.create_task(_start_listener(program)) if settings.start_listener else None
        async with _watched(program, is_forever=settings.forever):
            await ending.wait()
            await server.stop(GRACE_SECONDS)
            if starting is not None:
                await starting
        if signalled.is_set():
            await _end_listeners(program)


def _warn(settings: Settings, host: str, port: int) -> None:
    address = ipaddress.ip_address(host)
    if address.is_unspecified and not settings.enable_token_auth:
        _log.warning(_OPEN_TO_ALL, port, port)
    if os.geteuid() == 0 and not settings.user:
        _log.warning(STAYS_ROOT)
    if settings.enable_token_auth and not settings.tls_certificate and not address.is_loopback:
        _log.warning(_TOKENS_IN_THE_CLEAR, port)


@asynccontextmanager
async def _watched(program: Program, *, is_forever: bool) -> AsyncIterator[None]:
    """Have listeners and jobs looked after, and SIGHUP reload the former; not where pfdcm ends after one request."""
    if not is_forever:
        yield
        return
    listeners = program.listeners
    try:
        await program.jobs.begin()
    except StorageFault as fault:
        _log.error("retrieves do not go on: %s %s", fault.message, fault.cause)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, listeners.request_reload)
    watching = asyncio.create_task(listeners.watch())
    watching.add_done_callback(_tell_of_end)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def _tell_of_end(watching: asyncio.Task[None]) -> None:
    if not watching.cancelled() and (error := watching.exception()) is not None:
        _log.error("the listeners are not looked after any more", exc_info=error)


@contextmanager
def _announced(state_directory: Path, host: str, port: int, settings: Settings) -> Iterator[None]:
    """Say in the run file where pfdcm listens, for pfdcm-ready; where it cannot be written, go on without."""
    run = Run(
        host,
        port,
        os.getpid(),
        time.time(),
        settings.forever,
        settings.start_listener,
        is_tls=bool(settings.tls_certificate),
        needs_token=settings.enable_token_auth,
        needs_certificate=bool(settings.tls_client_ca),
    )
    try:
        announce(state_directory, run)
    except StorageFault as fault:
        _log.warning("pfdcm-ready cannot tell that this pfdcm is ready: %s", fault.message)
        yield
        return
    try:
        yield
    finally:
        try:
            withdraw(state_directory, run)
        except StorageFault as fault:
            _log.warning("%s", fault.message)


async def perform(settings: Settings, environ: Mapping[str, str], message: bytes) -> Reply:
    """Do what one message asks, as --msg gives it, without opening a port.

    Raises: TreeFault, StorageFault: as assemble.
    """
    async with assemble(settings, environ, asyncio.Event()) as program:
        try:
            call = decode_message(message, max_nesting=settings.max_nesting)
        except MessageFault as fault:
            return fault_reply(fault)
        with suppress(Fault):
            await program.listeners.take_stock()
        return await program.answer(call, NOBODY_ASKED)


def _nothing() -> None:
    """A request's end is no event for a daemon that goes on forever."""


def _end_on_signals(ending: asyncio.Event) -> asyncio.Event:
    """Set ending, and the event returned, at the first SIGTERM or SIGINT; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    signalled = asyncio.Event()

    def end(number: signal.Signals) -> None:
        _log.info("%s: ending", number.name)
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        signalled.set()
        ending.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number)
    return signalled


async def _start_listener(program: Program) -> None:
    reply = await program.answer(_START_LISTENER, NOBODY_ASKED)
    if reply.get("status") is True:
        _log.info("the listener serves port %s", program.context.tree.get("/xinetd/servicePort"))
    else:
        _log.error("the listener did not start: %s", reply.get("msg") or "see the service file and the directories")


async def _end_listeners(program: Program) -> None:
    try:
        await program.listeners.shutdown()
    except Fault as fault:
        _log.error("the listeners' supervisor did not end: %s", fault.message)


def exit_code(fault: Fault) -> int:
    """What the process exits with when it could not start: 2 for what the operator gave it, else 1."""
    return 2 if isinstance(fault, TreeFault | ParameterFault) else 1
