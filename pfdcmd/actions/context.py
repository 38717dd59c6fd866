"""What an action may use: the data tree, the settings, and the edge behind small protocols.

An action is `async def action(meta, context) -> Reply`. It decides; whatever touches a network, a disk or a process is
asked of a port below, which `pfdcmd.app` fills with the real thing and unit tests with a small fake.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pfdcmd.pacs.delivery import Delivery
from pfdcmd.pacs.level import LevelQuery
from pfdcmd.pacs.negotiation import Acceptance, Reached, Rejection
from pfdcmd.pacs.outcome import MoveOutcome
from pfdcmd.pacs.peer import Peer
from pfdcmd.pacs.query import Query
from pfdcmd.pacs.result import Attributes, StudyMatch
from pfdcmd.pacs.selection import Selection
from pfdcmd.retrieve.job import Job, RetrieveRequest
from pfdcmd.retrieve.standing import Standing
from pfdcmd.service.config import ServiceConfig
from pfdcmd.service.plan import Reload
from pfdcmd.settings import Settings
from pfdcmd.tree.store import Tree

Meta = Mapping[str, Any]
Reply = dict[str, Any]


class PacsPort(Protocol):
    """Query and retrieve over the network (edge.pacs.net). Cancelling the task that awaits one ends its association."""

    @property
    def waiting(self) -> int:
        """How many operations wait for their turn: a PACS has so many associations at once, and no more."""
        ...

    async def find(self, peer: Peer, query: Query) -> list[StudyMatch]:
        """C-FIND at STUDY level, then at SERIES level for each study, on one association.

        Raises: PacsFault and its kinds.
        """
        ...

    def find_level(self, peer: Peer, query: LevelQuery) -> AsyncIterator[Attributes]:
        """C-FIND at one level, match by match as the PACS sends them: keyword, or eight digits -> text, "" when absent.

        It ends after query.max_matches. Who reads slowly has the PACS wait; who stops reading has it told to stop.

        Raises: PacsFault and its kinds; ParameterFault: a key that cannot be used.
        """
        ...

    async def echo(self, peer: Peer) -> None:
        """C-ECHO on an association of its own. Raises: PacsFault and its kinds."""
        ...

    async def retrieve(self, peer: Peer, *selections: Selection, deliver_to: Delivery | None = None) -> MoveOutcome:
        """Have the PACS send what is selected to the peer's move destination: one after the other, on one association.

        The selections are of one study. After one that the PACS refuses or that is cancelled, no other is asked for.

        From a peer that is to be retrieved from by C-GET, images come on the association itself and are passed on to
        deliver_to; without it they are moved all the same.

        Cancelling the task that awaits it sends C-CANCEL, and breaks the association off if that does not end it within
        seconds. A failure of the PACS, of the network included, is an outcome and not an exception.
        """
        ...


class ProbePort(Protocol):
    """The steps of which a connection to a PACS is made, one at a time (edge.pacs.doctor)."""

    async def addresses(self, host: str) -> list[str]:
        """The addresses of a host. Raises: PeerUnreachable, PeerTimeout."""
        ...

    async def connect(self, addresses: Sequence[str], port: int) -> Reached:
        """Connect by TCP to the first address that takes it, and close again. Raises: PeerUnreachable."""
        ...

    async def associate(
        self, peer: Peer, address: str, abstract_syntaxes: Sequence[str]
    ) -> Acceptance | Rejection | None:
        """Ask for an association, encrypted when the peer is to be, and release it. None: it was aborted.

        Raises: PeerTLSFailed, PeerTimeout, PeerAborted: there was no answer. PeerFailed: it was none of DICOM.
                PeerConfigurationFault: the files of the entry's TLS cannot be used.
        """
        ...

    async def speaks_tls(self, address: str, port: int) -> bool:
        """Whether a TLS handshake begins there; nothing is sent within."""
        ...


class JobsPort(Protocol):
    """Retrieves as jobs, and what is known of every series (edge.retrieve.jobs)."""

    async def start(self, request: RetrieveRequest) -> Job:
        """Begin a job, or find the one that does the same already; it outlives the caller and pfdcm itself.

        Raises: ParameterFault, PeerConfigurationFault: there is no such PACS, or no such study to ask for.
                StorageFault: the job could not be noted.
        """
        ...

    async def wait(self, job_id: str) -> Job:
        """The job once it has ended. Raises: JobNotFound."""
        ...

    async def get(self, job_id: str) -> Job:
        """The job as it stands. Raises: JobNotFound."""
        ...

    async def list(self, *, limit: int) -> Sequence[Job]:
        """The latest jobs, the newest first."""
        ...

    async def cancel(self, job_id: str) -> Job:
        """End the job; what has arrived stays. Raises: JobNotFound."""
        ...

    async def plan(self, request: RetrieveRequest) -> dict[str, Any]:
        """What a job would move, what is here already, how many bytes and how long by the rates seen.

        Raises: as start; PacsFault: the PACS could not be asked.
        """
        ...

    async def retrieve(self, request: RetrieveRequest) -> tuple[Job, MoveOutcome]:
        """Begin a job or find it, and wait until it has ended or is held up: by an attempt that brought nothing, say.

        Returns: the job, and its end in the words of movescu: a success only when everything is here.
        Raises: as start.
        """
        ...

    async def standing(self, series_map_dir: str, series_uid: str) -> Standing | None:
        """How a series stands; None when no map file names it. Raises: ParameterFault, StorageFault."""
        ...

    async def unsolicited(self, *, limit: int) -> Sequence[Mapping[str, Any]]:
        """Series of which images arrived that no job had asked for, the latest first.

        Each: series, study, images, first and last (seconds since the epoch), calling (AE title), directory.
        """
        ...


class EventsPort(Protocol):
    """Tells subscribers (edge.http.websocket) of what happens."""

    def publish(self, topic: str, data: Mapping[str, Any]) -> None:
        """Never waits, never raises; who reads too slowly misses it and is told so."""
        ...


class ListenersPort(Protocol):
    """The storage listeners: service files, processes, what is live (edge.listeners.superserver)."""

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """Hold off other changes while a service is declared, written and applied."""
        ...

    async def reload(self, renewed: Iterable[str] = ()) -> Reload:
        """Make what runs what the service files declare; return once what has begun serves. Within `exclusive`.

        The services of these names get new workers though nothing about them has changed; the old ones finish.

        Raises: ServiceFault, StorageFault: it could not be tried at all.
        """
        ...

    async def answers(self, service: ServiceConfig) -> bool:
        """Whether the service's port answers C-ECHO now; of one whose own rules may refuse ours, whether it serves."""
        ...

    async def change(self, name: str, changes: Mapping[str, Sequence[str] | None]) -> None:
        """Set attributes of one service to these words, None to take them away, in its file and in fact. Within
        `exclusive`.

        Raises: ServiceFault, StorageFault: why not; nothing has changed then.
        """
        ...

    async def drained(self, name: str) -> bool:
        """Wait until the service has no process left; false when its drain_seconds were not enough."""
        ...

    async def log(self, name: str, lines: int) -> list[str]:
        """The last lines of what the service has logged of its associations. Raises: ServiceFault: there is none."""
        ...

    def listing(self) -> Mapping[str, Any]:
        """What /listeners shows, from memory; empty when there is no service."""
        ...


@dataclass(frozen=True)
class SeriesFiles:
    """What is on disk of one series: its directory, how many images, and whether no association is filing into it."""

    directory: str
    count: int
    is_complete: bool


class FilesPort(Protocol):
    """Files and directories (edge.files). Blocking work is done off the event loop."""

    async def series(self, series_map_dir: str, series_uid: str) -> SeriesFiles | None:
        """Look a received series up by its map file; None when there is no map file."""
        ...

    async def tags(self, directory: str) -> dict[str, str]:
        """The elements of the first image of a series directory, keyword -> text, without PixelData."""
        ...

    async def copy_tree(self, source: str, target: str) -> bool:
        """Copy a directory; False when the target is there already.

        Raises: StorageFault: it could not be copied; nothing is left of it.
        """
        ...

    async def make_directories(self, paths: list[str]) -> None:
        """Make each directory and its parents. Raises: StorageFault: naming the one that could not be made."""
        ...

    async def check_paths(self, paths: Sequence[str]) -> None:
        """Look at paths that a listener will use. Raises: PathRefused: one leads out of the operator's roots."""
        ...

    async def read_text(self, path: str) -> str:
        """A whole text file. Raises: StorageFault."""
        ...

    async def write_text(self, path: str, text: str) -> None:
        """Replace a file's text atomically, making its directory when missing. Raises: StorageFault."""
        ...


class HostPort(Protocol):
    """Facts about the machine (edge.host)."""

    async def describe(self) -> dict[str, Any]:
        """The `sysinfo` of the action hello: keys and types as the original reported them."""
        ...


class HealthPort(Protocol):
    """Whether pfdcm can do its work (edge.http.health)."""

    async def judge(self) -> dict[str, str]:
        """What is looked at -> what is wrong with it, empty when nothing is."""
        ...


@dataclass(frozen=True)
class Context:
    """All that an action may ask or change: the settings, the tree, and a port for whatever is outside of both.

    environ: the environment that pfdcm was started with; quit: has it end after the answer.
    """

    settings: Settings
    tree: Tree
    pacs: PacsPort
    listeners: ListenersPort
    files: FilesPort
    host: HostPort
    environ: Mapping[str, str]
    now: Callable[[], datetime]
    quit: Callable[[], None]
    events: EventsPort
    probe: ProbePort
    jobs: JobsPort
    health: HealthPort


Action = Callable[[Meta, Context], Awaitable[Reply]]
