"""What a retrieve names: a study, a series of it, or instances of that series."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pfdcmd.errors import ParameterFault
from pfdcmd.names import parse_uid

# A list of 200 UIDs takes 13 KB at most; Orthanc takes more, others are known to choke on the 64 KB of a short VR.
_BATCH_INSTANCES = 200


@dataclass(frozen=True)
class Selection:
    """UIDs of one retrieve request (PS3.4 section C.4.2.1.4); the level is that of the lowest one given."""

    study: str
    series: str | None = None
    instances: tuple[str, ...] = ()

    @property
    def level(self) -> str:
        """The value of QueryRetrieveLevel."""
        if self.instances:
            return "IMAGE"
        return "STUDY" if self.series is None else "SERIES"


def request_keys(selection: Selection) -> dict[str, str]:
    """The identifier of a C-MOVE or C-GET: keyword -> value.

    Raises: ParameterFault: what would go out is no UID, and might select everything; or instances without a series.
    """
    keys = {
        "QueryRetrieveLevel": selection.level,
        "StudyInstanceUID": parse_uid(selection.study, "StudyInstanceUID"),
    }
    if selection.series is not None:
        keys["SeriesInstanceUID"] = parse_uid(selection.series, "SeriesInstanceUID")
    elif selection.instances:
        raise ParameterFault("SeriesInstanceUID is needed with instances.")
    if selection.instances:
        keys["SOPInstanceUID"] = "\\".join(parse_uid(uid, "SOPInstanceUID") for uid in selection.instances)
    return keys


def batches(selection: Selection) -> list[Selection]:
    """The same in requests of bounded length, in order."""
    instances = selection.instances
    if len(instances) <= _BATCH_INSTANCES:
        return [selection]
    starts = range(0, len(instances), _BATCH_INSTANCES)
    return [replace(selection, instances=instances[start : start + _BATCH_INSTANCES]) for start in starts]
