"""How a series stands: what `retrieveStatus` tells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Standing:
    """directory: where the listener files it; files: images there; is_settled: `series.info` is there, no association
    is filing, and nothing has changed since the files were counted; expected, missing: images, None when nobody has
    said how many there are; job: the latest that named it; is_under_way: that job has not ended."""

    directory: str
    files: int
    is_settled: bool
    expected: int | None = None
    missing: int | None = None
    job: str | None = None
    is_under_way: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether it is here as a whole: as many as are expected, or, when nobody knows, once the sender is done."""
        if self.expected is None:
            return self.is_settled and not self.is_under_way
        return self.is_settled and not self.missing
