"""A PACS with real images that does what PACSs do wrong, switch by switch: C-ECHO, C-FIND, C-MOVE and C-GET.

    with misbehaving_pacs(study_images(), Behaviour(drops_every=7), destinations={"CHIPS": (HOST, port)}) as pacs:
        ... pacs.entry, pacs.peer ...
    pacs.requests, pacs.sent

It runs in threads of the test. `pacs.behaviour` may be replaced at any time: each request goes by what it finds.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from misbehaviour import Behaviour, Request
from misretrieve import Retrieve
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_GET, C_MOVE
from pynetdicom.sop_class import PatientRootQueryRetrieveInformationModelFind as PATIENT_FIND
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as STUDY_FIND
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as STUDY_GET
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as STUDY_MOVE
from pynetdicom.sop_class import Verification
from pynetdicomserver import serving

from pfdcmd.edge.pacs.peersocket import ResponsesOnly
from pfdcmd.pacs.peer import Peer, parse_peer

HOST = "127.0.0.1"
AE_TITLE = "AWKWARD"
CALLING_AE = "CHIPS"

_PENDING, _SUCCESS, _CANCELLED = 0xFF00, 0x0000, 0xFE00
_MOVE_DESTINATION_UNKNOWN = 0xA801
_UID_OF_LEVEL = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}
_COUNTS = {
    "NumberOfStudyRelatedSeries": "SeriesInstanceUID",
    "NumberOfStudyRelatedInstances": "SOPInstanceUID",
    "NumberOfSeriesRelatedInstances": "SOPInstanceUID",
}


class MisbehavingPacs:
    """The running SCP: its images, what it was asked, and what it has sent."""

    def __init__(self, images: Iterable[Dataset], behaviour: Behaviour, destinations: Mapping[str, tuple[str, int]]):
        self.images = list(images)
        self.behaviour = behaviour
        self.destinations = dict(destinations)
        self.port = 0
        self.requests: list[Request] = []
        self.sent: list[str] = []
        """SOPInstanceUIDs that somebody took, in order; one that was sent twice is there twice."""
        self._cancelled_finds = 0
        self._retrieves: list[Retrieve] = []
        self.associations = 0
        self.ended = threading.Event()
        self.sockets: list[socket.socket] = []

    @property
    def entry(self) -> dict[str, str]:
        """What to set below /PACS."""
        return {
            "serverIP": HOST,
            "serverPort": str(self.port),
            "aec": AE_TITLE,
            "aet": CALLING_AE,
            "aet_listener": CALLING_AE,
        }

    @property
    def peer(self) -> Peer:
        return parse_peer(self.entry)

    @property
    def cancels(self) -> int:
        """How many requests it has ended because it was told to."""
        return self._cancelled_finds + sum(retrieve.is_cancelled for retrieve in self._retrieves)

    def asked(self, kind: str) -> list[Request]:
        """The requests of one kind, in order."""
        return [request for request in self.requests if request.kind == kind]

    def on_connect(self, _event: evt.Event) -> None:
        self.associations += 1

    def on_echo(self, event: evt.Event) -> int:
        self._note("echo", event, {})
        return _SUCCESS

    def on_find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        behaviour, identifier = self.behaviour, event.identifier
        request = self._note("find", event, _texts(identifier))
        if request.level in behaviour.find_refused_levels:
            yield behaviour.find_refused_levels[request.level], None
            return
        groups = self._groups(request)
        if behaviour.is_half_blind and request.level in ("SERIES", "IMAGE"):
            groups = groups[: len(groups) // 2]
        for group in groups:
            if event.is_cancelled and not behaviour.ignores_cancel:
                self._cancelled_finds += 1
                yield _CANCELLED, None
                return
            yield _PENDING, _match(identifier, group, behaviour, request.level)

    def on_move(self, event: evt.Event) -> Iterator[Any]:
        request = self._note("move", event, _texts(event.identifier), event.move_destination)
        address = self.destinations.get(request.destination)
        with self._retrieving(event, C_MOVE, request) as retrieve:
            if address is None:
                retrieve.respond(_MOVE_DESTINATION_UNKNOWN)
            else:
                with self._storing_at(address, request) as association:
                    retrieve.perform(
                        self._selected(request),
                        lambda one: association.send_c_store(
                            one, originator_aet=CALLING_AE, originator_id=request.message_id
                        ),
                    )
        yield None, None

    def on_get(self, event: evt.Event) -> Iterator[Any]:
        request = self._note("get", event, _texts(event.identifier))
        with self._retrieving(event, C_GET, request) as retrieve:
            retrieve.perform(self._selected(request), event.assoc.send_c_store)
        yield 0

    @contextlib.contextmanager
    def _retrieving(self, event: evt.Event, primitive: type, request: Request) -> Iterator[Retrieve]:
        retrieve = Retrieve(event, primitive, request, self.behaviour_of_retrieve(), self.sent, self.ended)
        self._retrieves.append(retrieve)
        try:
            yield retrieve
        finally:
            retrieve.say_no_more()

    def behaviour_of_retrieve(self) -> Behaviour:
        """What goes for the retrieve that was noted last."""
        behaviour = self.behaviour
        concerned = behaviour.retrieves_concerned
        if concerned is not None and len(self.asked("move")) + len(self.asked("get")) > concerned:
            return replace(Behaviour(), counts_instances=behaviour.counts_instances)
        return behaviour

    def _note(self, kind: str, event: evt.Event, keys: Mapping[str, str], destination: str = "") -> Request:
        event.assoc.dimse.__dict__.pop("send_msg", None)  # see Retrieve.say_no_more
        level = keys.get("QueryRetrieveLevel", "")
        request = Request(kind, level, keys, destination.strip(), event.request.MessageID)
        self.requests.append(request)
        return request

    @contextlib.contextmanager
    def _storing_at(self, address: tuple[str, int], request: Request) -> Iterator[Any]:
        entity = AE(AE_TITLE)
        # At least one context, or there is nothing to associate for.
        contexts = _syntaxes(self._selected(request)) or {Verification: {ImplicitVRLittleEndian}}
        for sop_class, syntaxes in contexts.items():
            for syntax in syntaxes:
                entity.add_requested_context(sop_class, syntax)
        opened = [(evt.EVT_CONN_OPEN, self._on_connected)]
        association = entity.associate(*address, ae_title=request.destination, evt_handlers=opened)
        try:
            yield association
        finally:
            if association.is_established:
                association.release()
            association.kill()

    def _on_connected(self, event: evt.Event) -> None:
        self.sockets.append(event.assoc.dul.socket.socket)
        # Or now and then a response is lost, and what was sent is not known to be.
        event.assoc.dimse = ResponsesOnly(event.assoc)

    def _selected(self, request: Request) -> list[Dataset]:
        return [one for one in self.images if _is_selected(one, request.keys)]

    def _groups(self, request: Request) -> list[list[Dataset]]:
        """The images that match, those of one patient, study, series or image together."""
        groups: dict[str, list[Dataset]] = {}
        for one in self._selected(request):
            groups.setdefault(one[_UID_OF_LEVEL[request.level]].value, []).append(one)
        return list(groups.values())


@contextlib.contextmanager
def misbehaving_pacs(
    images: Iterable[Dataset],
    behaviour: Behaviour | None = None,
    *,
    destinations: Mapping[str, tuple[str, int]] | None = None,
    max_associations: int = 32,
    tls: ssl.SSLContext | None = None,
    serves: Iterable[str] = (Verification, PATIENT_FIND, STUDY_FIND, STUDY_MOVE, STUDY_GET),
) -> Iterator[MisbehavingPacs]:
    """Run one on a free port. destinations: AE title -> address of the storage SCP that C-MOVE may name.

    max_associations: more at once are rejected, for the moment (transient, local limit exceeded).
    """
    pacs = MisbehavingPacs(images, behaviour or Behaviour(), destinations or {})
    entity = AE(AE_TITLE)
    entity.maximum_associations = max_associations
    for sop_class in serves:
        entity.add_supported_context(sop_class, ImplicitVRLittleEndian)
    for sop_class, syntaxes in _syntaxes(pacs.images).items():
        # For C-GET the requestor is the one that stores: PS3.7 section D.3.3.4.
        entity.add_supported_context(sop_class, list(syntaxes), scu_role=True, scp_role=True)
    handlers = [
        (evt.EVT_CONN_OPEN, pacs.on_connect),
        (evt.EVT_C_ECHO, pacs.on_echo),
        (evt.EVT_C_FIND, pacs.on_find),
        (evt.EVT_C_MOVE, pacs.on_move),
        (evt.EVT_C_GET, pacs.on_get),
    ]
    with serving(entity, handlers, pacs.sockets, end=pacs.ended.set, tls=tls) as pacs.port:
        yield pacs


def _syntaxes(images: Iterable[Dataset]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in images:
        found.setdefault(one.SOPClassUID, set()).add(one.file_meta.TransferSyntaxUID)
    return found


def _texts(identifier: Dataset) -> dict[str, str]:
    return {
        element.keyword: "\\".join(map(str, element.value)) if element.VM > 1 else str(element.value or "")
        for element in identifier
    }


def _is_selected(one: Dataset, keys: Mapping[str, str]) -> bool:
    return all(
        not keys.get(keyword) or str(one[keyword].value) in keys[keyword].split("\\")
        for keyword in _UID_OF_LEVEL.values()
    )


def _match(identifier: Dataset, group: list[Dataset], behaviour: Behaviour, level: str) -> Dataset:
    match = Dataset()
    for element in identifier:
        counted = _COUNTS.get(element.keyword)
        if counted is not None:
            if behaviour.counts_instances:
                left_out = behaviour.uncounted if element.keyword == "NumberOfSeriesRelatedInstances" else 0
                setattr(match, element.keyword, len({one[counted].value for one in group}) - left_out)
        elif element.keyword in group[0]:
            match[element.keyword] = group[0][element.keyword]
    match.QueryRetrieveLevel = level
    match[_UID_OF_LEVEL[level]] = group[0][_UID_OF_LEVEL[level]]
    return match
