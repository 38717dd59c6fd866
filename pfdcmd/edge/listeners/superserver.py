"""The super-server: service files in, listeners out, and what is live of them in memory.

A reload compares what the files declare with what runs and carries the difference out. It happens when a caller asks
for it (`xinetd service restart`), at SIGHUP, when a file in the directory changes, and when supervisord has died.
Between reloads the workers are looked after about once a second: what hangs is replaced, what they report is put in
memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from pfdcmd.edge.listeners.echo import answers_echo
from pfdcmd.edge.listeners.lastwords import last_lines
from pfdcmd.edge.listeners.servicefiles import ServiceFiles, Signature
from pfdcmd.edge.listeners.servicetext import ServiceText
from pfdcmd.edge.listeners.supervisord import Supervisord
from pfdcmd.errors import Fault, ServiceFault, SupervisorFault
from pfdcmd.service.blocks import declare
from pfdcmd.service.catalogue import Catalogue, Reading, make_catalogue
from pfdcmd.service.config import Declaration, ServiceConfig
from pfdcmd.service.listing import FAULTS_KEY, RELOAD_KEY, Seen, list_reload, list_service
from pfdcmd.service.plan import Difference, Reload, difference
from pfdcmd.service.tally import Tally
from pfdcmd.settings import Settings

_LOOK_SECONDS = 1.0
_DRAIN_POLL_SECONDS = 0.2
_DRAIN_MARGIN_SECONDS = 20.0
"""supervisord kills what has not ended some seconds after its time (wire.supervisorconf)."""

_RUN_LOG = "listen.run.log"

_log = logging.getLogger(__name__)


def _tell_nobody(_listing: Mapping[str, Any]) -> None:
    """For a super-server that nobody watches."""


class SuperServer:
    """Implements actions.context.ListenersPort."""

    def __init__(
        self,
        settings: Settings,
        supervisord: Supervisord,
        files: ServiceFiles,
        legacy_file: Callable[[], str],
        now: Callable[[], datetime] = datetime.now,
        listed: Callable[[Mapping[str, Any]], None] = _tell_nobody,
    ) -> None:
        """listed is told of each new listing.

        legacy_file: where `xinetd file install` writes; it counts once `xinetd service restart` has been asked for,
        or when it runs already, or lies in the directory."""
        self._settings = settings
        self._supervisord = supervisord
        self._files = files
        self._legacy_file = legacy_file
        self._now = now
        self._listed = listed
        self._one_change = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._signature: Signature | None = None
        self._is_legacy_in_force = False
        self._catalogue = Catalogue((), {})
        self._declarations: Mapping[str, Declaration] = {}
        self._running: Mapping[str, ServiceConfig] = {}
        self._last: tuple[Difference, str] | None = None
        self._tally = Tally()
        self._known: frozenset[str] = frozenset()
        self._listing: Mapping[str, Any] = {}

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Hold off other changes while services are declared, written and applied."""
        async with self._one_change:
            yield

    def listing(self) -> Mapping[str, Any]:
        """What the tree shows below /listeners, from memory; empty when there is no service."""
        return self._listing

    def request_reload(self) -> None:
        """Have `watch` reload at once, as SIGHUP does."""
        self._is_legacy_in_force = True
        self._wanted.set()

    async def reload(self, renewed: Iterable[str] = ()) -> Reload:
        """Make what runs what the service files declare, and give the services renewed new workers. The caller holds
        `exclusive`.

        Raises: ServiceFault: the state directory cannot be used. SupervisorFault: the supervisor failed.
                StorageFault: a configuration cannot be written.
        """
        self._is_legacy_in_force = True
        return await self._reload(is_asked_for=True, renewed=renewed)

    async def drained(self, name: str) -> bool:
        """Wait until the service has no process left; false when its drain_seconds were not enough."""
        services = [*self._catalogue.services, *self._running.values()]
        seconds = next((each.drain_seconds for each in services if each.name == name), 0) + _DRAIN_MARGIN_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._listing.get(name, {}).get("pids"):
                    await asyncio.sleep(_DRAIN_POLL_SECONDS)
                    await self._refresh()
                return True
        return False

    async def log(self, name: str, lines: int) -> list[str]:
        """The last lines of listen.run.log in the service's log_dir that are of it: services may share that file.

        Raises: ServiceFault: there is no such service.
        """
        service = next((each for each in self._catalogue.services if each.name == name), None)
        if service is None:
            raise ServiceFault(f"There is no service {name!r}.", parameter="service")
        log_file = Path(service.log_dir) / _RUN_LOG
        return await asyncio.to_thread(last_lines, log_file, lines, f" service={name} ")

    async def take_stock(self) -> None:
        """Learn what is declared and what runs, for `listing`, and change nothing. Raises: SupervisorFault."""
        reading, _ = await self._read()
        self._catalogue = await self._interpret(reading, is_asked_for=False)
        self._declarations = {each.name: each for each in declare(reading.files).declarations}
        await self._refresh()

    async def answers(self, service: ServiceConfig) -> bool:
        """Whether the service's port answers C-ECHO; one that may refuse ours serves as its workers have reported."""
        if not service.is_open_to_all:
            return True
        return await asyncio.to_thread(answers_echo, service.local_address, self._settings.listener_start_seconds)

    async def change(self, name: str, changes: Mapping[str, Sequence[str] | None]) -> None:
        """Set attributes of one service to these words (None: no longer given), in its file, and carry that out.

        A service that is not declared yet gets a file of its own. The caller holds `exclusive`.

        Raises: ServiceFault and its kinds, StorageFault: why not; nothing has changed then.
        """
        reading, _ = await self._read()
        text = await asyncio.to_thread(ServiceText.prepare, self._files.directory, reading, name, changes)
        catalogue = await self._interpret(text.reading, is_asked_for=False)
        text.check(catalogue)
        await asyncio.to_thread(text.save)
        try:
            fault = (await self._reload()).difference.failed.get(name)
        except Fault as error:
            fault = error.message
        if fault:
            await asyncio.to_thread(text.restore)
            with suppress(Fault):
                await self._reload()
            raise SupervisorFault(fault)

    async def watch(self) -> None:
        """Look after the listeners until cancelled: at the start, take up what is declared."""
        while True:
            try:
                async with self.exclusive():
                    await self._look()
            except Fault as fault:
                _log.error("the listeners cannot be looked after: %s %s", fault.message, fault.cause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), _LOOK_SECONDS)

    async def shutdown(self) -> None:
        """End the listeners and their supervisor. Raises: SupervisorFault: something is left."""
        async with self.exclusive():
            await self._supervisord.shutdown()

    def close(self) -> None:
        """Let the threads end; the listeners go on."""
        self._supervisord.close()

    async def _look(self) -> None:
        is_whole = await self._supervisord.look_after(self._settings.listener_heartbeat_seconds)
        signature = await asyncio.to_thread(self._files.signature)
        is_asked_for = self._wanted.is_set()
        if is_asked_for or not is_whole or signature != self._signature:
            self._wanted.clear()
            await self._reload(is_asked_for=is_asked_for)
        else:
            await self._refresh()

    async def _reload(self, *, is_asked_for: bool = False, renewed: Iterable[str] = ()) -> Reload:
        reading, self._signature = await self._read()
        catalogue = await self._interpret(reading, is_asked_for=is_asked_for)
        self._known |= {each.file_name for each in reading.files}
        steps, failed = await self._supervisord.apply(catalogue.services, catalogue.retained, renewed)
        changed = difference(steps, failed=failed, faults=catalogue.faults, retained=catalogue.retained)
        self._catalogue = catalogue
        self._declarations = {each.name: each for each in declare(reading.files).declarations}
        if self._last is None or changed != self._last[0]:
            self._last = (changed, self._now().astimezone().isoformat(timespec="seconds"))
        _report(changed)
        await self._refresh()
        return Reload(changed, catalogue.services)

    async def _read(self) -> tuple[Reading, Signature]:
        legacy = self._legacy_file()
        if not self._is_legacy_in_force:
            running = await self._supervisord.running()
            self._is_legacy_in_force = any(each and each.declared_in == legacy for each in running.values())
        others = [legacy] if self._is_legacy_in_force and legacy else []
        return await asyncio.to_thread(self._files.read, others)

    async def _interpret(self, reading: Reading, *, is_asked_for: bool) -> Catalogue:
        """What shall run. Unless a reload was asked for, services of files that this pfdcm never read go on: another
        one, with other settings, may have brought them up."""
        running = [each for each in (await self._supervisord.running()).values() if each]
        self._running = {each.name: each for each in running}
        is_there = await asyncio.to_thread(self._files.is_there, {each.declared_in for each in running})
        foreign = {file for file, is_file in is_there.items() if is_file and file not in self._known}
        return make_catalogue(
            reading,
            running,
            workers=self._settings.listener_workers,
            drain_seconds=self._settings.listener_drain_seconds,
            is_there=is_there,
            foreign=frozenset() if is_asked_for else frozenset(foreign),
        )

    async def _refresh(self) -> None:
        """Put what is live into memory."""
        observed = await self._supervisord.observe()
        seen = [Seen(each.worker, each.report, each.last_words) for each in observed]
        self._tally.see(seen)
        retained = {name: self._running[name] for name in self._catalogue.retained if name in self._running}
        services = {**retained, **{each.name: each for each in self._catalogue.services}}
        failed = self._last[0].failed if self._last else {}
        listing: dict[str, Any] = {
            name: list_service(
                service,
                self._declarations.get(name),
                seen,
                self._tally.gone(name),
                failed.get(name) or self._catalogue.faults.get(service.declared_in, ""),
            )
            for name, service in services.items()
        }
        if self._last is not None and (listing or self._catalogue.faults):
            listing[RELOAD_KEY] = list_reload(*self._last)
            listing[FAULTS_KEY] = list(self._catalogue.faults.values())
        self._listing = listing
        self._listed(listing)


def _report(changed: Difference) -> None:
    sides = {
        "added": changed.added,
        "changed": changed.changed,
        "removed": changed.removed,
        "failed": tuple(changed.failed),
    }
    if any(sides.values()) or changed.faults:
        said = "; ".join(f"{side} {', '.join(names)}" for side, names in sides.items() if names)
        _log.info("services: %s; unchanged %d", said or "no change", len(changed.unchanged))
    for fault in (*changed.failed.values(), *changed.faults.values()):
        _log.error("%s", fault)
