"""A PACS that answers as it is told to: a pynetdicom query/retrieve SCP with switches for what PACSs do wrong."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_MOVE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as FIND_MODEL
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as MOVE_MODEL
from pynetdicomserver import serving

from pfdcmd.pacs.peer import Peer, parse_peer

HOST = "127.0.0.1"


@dataclass
class Behaviour:
    """What it does; studies: StudyInstanceUID -> SeriesInstanceUIDs."""

    studies: dict[str, list[str]] = field(default_factory=lambda: {"1.1": ["1.1.1", "1.1.2"], "1.2": ["1.2.1"]})
    extra: dict[int, bytes] = field(default_factory=dict)
    find_status: int = 0x0000
    refuses_relational: bool = False
    ignores_series_key: bool = False
    endless: bool = False
    stalls: bool = False
    breaks_off: bool = False
    move_status: int = 0x0000
    move_counts: tuple[int, int, int] | None = (3, 0, 0)


class AwkwardPacs:
    """The running SCP: what it was asked, and whether it was told to stop."""

    def __init__(self, behaviour: Behaviour, port: int) -> None:
        self.behaviour = behaviour
        self.port = port
        self.requests: list[dict[str, str]] = []
        self.moves: list[tuple[str, dict[str, str]]] = []
        self.stopped = threading.Event()
        self.sockets: list[socket.socket] = []
        self.done = threading.Event()

    @property
    def peer(self) -> Peer:
        return peer_at(self.port)

    def on_find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        behaviour, keys = self.behaviour, _keys(event.identifier)
        self.requests.append(keys)
        is_series_level = keys["QueryRetrieveLevel"] == "SERIES"
        if is_series_level and not keys.get("StudyInstanceUID") and behaviour.refuses_relational:
            yield 0xA900, None
            return
        for study, series in self._matches(keys, is_series_level):
            yield 0xFF00, self._match(study, series)
        while behaviour.endless and not self._should_stop(event):
            yield 0xFF00, self._match("1.1", None)
        self._misbehave(event)
        yield behaviour.find_status, None

    def on_move(self, event: evt.Event) -> Iterator[Any]:
        behaviour = self.behaviour
        self.moves.append((event.move_destination, _keys(event.identifier)))
        self._misbehave(event)
        answer = C_MOVE()
        answer.MessageIDBeingRespondedTo = event.request.MessageID
        answer.AffectedSOPClassUID = event.request.AffectedSOPClassUID
        answer.Status = behaviour.move_status
        if behaviour.move_counts is not None:
            answer.NumberOfCompletedSuboperations = behaviour.move_counts[0]
            answer.NumberOfFailedSuboperations = behaviour.move_counts[1]
            answer.NumberOfWarningSuboperations = behaviour.move_counts[2]
        event.assoc.dimse.send_msg(answer, event.context.context_id)
        # pynetdicom answers once more, after the final response, with counts of its own: nobody listens to it.
        yield None, None

    def _matches(self, keys: dict[str, str], is_series_level: bool) -> Iterator[tuple[str, str | None]]:
        for study, series in self.behaviour.studies.items():
            if keys.get("StudyInstanceUID") not in ("", None, study):
                continue
            if not is_series_level:
                yield study, None
                continue
            for uid in series:
                if keys.get("SeriesInstanceUID") in ("", None, uid):
                    yield study, uid

    def _match(self, study: str, series: str | None) -> Dataset:
        elements = {0x00080052: b"SERIES" if series else b"STUDY ", 0x0020000D: study.encode(), **self.behaviour.extra}
        if series:
            elements[0x0020000E] = series.encode()
        match = Dataset()
        for tag, value in elements.items():
            padded = value + b" " * (len(value) % 2)
            match[tag] = RawDataElement(Tag(tag), "UN", len(padded), padded, 0, True, True)
        # Declared to be encoded already: pydicom then sends the values as they are, valid or not.
        match.set_original_encoding(True, True, match._character_set)
        return match

    def _misbehave(self, event: evt.Event) -> None:
        if self.behaviour.breaks_off:
            event.assoc.abort()
        while self.behaviour.stalls and not self._should_stop(event):
            time.sleep(0.01)

    def _should_stop(self, event: evt.Event) -> bool:
        if event.is_cancelled or not event.assoc.is_established:
            self.stopped.set()
        return self.stopped.is_set() or self.done.is_set()


@contextlib.contextmanager
def awkward_pacs(
    behaviour: Behaviour | None = None, serves: Sequence[str] = (FIND_MODEL, MOVE_MODEL), **entity: Any
) -> Iterator[AwkwardPacs]:
    """Run one; `entity` are attributes of pynetdicom's AE (require_called_aet, maximum_associations...)."""
    ae = AE("AWKWARD")
    for sop_class in serves:
        ae.add_supported_context(sop_class)
    for name, value in entity.items():
        setattr(ae, name, value)
    pacs = AwkwardPacs(behaviour or Behaviour(), 0)
    handlers = [
        (evt.EVT_C_FIND, pacs.on_find),
        (evt.EVT_C_MOVE, pacs.on_move),
        (evt.EVT_ABORTED, lambda _: pacs.stopped.set()),
        (evt.EVT_CONN_CLOSE, lambda _: pacs.stopped.set()),
    ]
    with serving(ae, handlers, pacs.sockets, end=pacs.done.set) as pacs.port:
        yield pacs


@contextlib.contextmanager
def silent_port() -> Iterator[Peer]:
    """A port that takes connections and never says a word."""
    with contextlib.closing(socket.create_server((HOST, 0))) as server:
        yield peer_at(server.getsockname()[1])


def peer_at(port: int) -> Peer:
    return parse_peer({"serverIP": HOST, "serverPort": port, "aec": "AWKWARD", "aet": "US", "aet_listener": "LISTENER"})


def _keys(identifier: Dataset) -> dict[str, str]:
    """The identifier as it came: pydicom would warn of what is not valid."""
    raw = {keyword_for_tag(tag): identifier.get_item(tag).value for tag in identifier.keys()}  # noqa: SIM118 - a Dataset iterates over elements
    return {
        keyword: (value or b"").decode().rstrip(" \0") if isinstance(value, bytes | None) else str(value)
        for keyword, value in raw.items()
    }
