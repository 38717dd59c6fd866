"""What a retrieve names: a study, a series of it, or instances of that series."""

from __future__ import annotations

from dataclasses import dataclass


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
