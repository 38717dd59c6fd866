"""What all associations of a worker store with: the archive, the series that are open, the receipts."""

from __future__ import annotations

from dataclasses import dataclass, field

from listener.archive import Archive
from listener.config import Config
from listener.receipts import Receipts
from listener.series import SeriesOfAssociation, SeriesRegistry


@dataclass
class Storage:
    """One for each worker; any of its threads may use it."""

    config: Config
    archive: Archive
    receipts: Receipts
    registry: SeriesRegistry = field(init=False)

    def __post_init__(self) -> None:
        self.registry = SeriesRegistry(self.archive)

    def series(self) -> SeriesOfAssociation:
        """For one association."""
        return SeriesOfAssociation(self.registry, self.config.max_open_series)

    def close(self) -> None:
        self.archive.close()
        self.receipts.close()


def open_receipts(config: Config) -> Receipts:
    """Raises: OSError."""
    return Receipts(config.receipts_dir, config.service, config.worker, config.data_dir)
