"""What all associations of a worker store with: archive, open series, receipts, quarantine, room on the disk."""

from __future__ import annotations

from dataclasses import dataclass, field

from listener.archive import Archive
from listener.config import Config
from listener.quarantine import Quarantine
from listener.receipts import Receipts
from listener.series import SeriesOfAssociation, SeriesRegistry
from listener.space import Space
from listener.underway import Underway


@dataclass
class Storage:
    """One for each worker; any of its threads may use it."""

    config: Config
    archive: Archive
    receipts: Receipts
    underway: Underway = field(default_factory=Underway)
    registry: SeriesRegistry = field(init=False)
    space: Space = field(init=False)
    quarantine: Quarantine = field(init=False)

    def __post_init__(self) -> None:
        self.registry = SeriesRegistry(self.archive)
        self.space = Space(self.archive.data_fd, self.config.min_free_bytes, self.config.min_free_inodes)
        self.quarantine = Quarantine(self.config, self.archive, self.space)

    def series(self) -> SeriesOfAssociation:
        """For one association."""
        return SeriesOfAssociation(self.registry, self.config.max_open_series)

    def close(self) -> None:
        """Let go of every directory and file."""
        self.underway.close()
        self.quarantine.close()
        self.archive.close()
        self.receipts.close()


def open_receipts(config: Config) -> Receipts:
    """Raises: OSError."""
    return Receipts(config.receipts_dir, config.service, config.worker, config.data_dir)
