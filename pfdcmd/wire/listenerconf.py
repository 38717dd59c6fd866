"""The listener's configuration as JSON text: the same keys as listener.config knows, from a service as configured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pfdcmd.service.config import ServiceConfig


def format_listener_configuration(service: ServiceConfig, counts_file: Path, receipts_dir: Path) -> str:
    """The JSON that the workers of a service read.

    Args: counts_file: what they count together, whatever their group. receipts_dir: where they say what came.
    """
    values: dict[str, Any] = {
        "service": service.name,
        "bind": service.bind,
        "port": service.port,
        "data_dir": service.data_dir,
        "log_dir": service.log_dir,
        "tmp_dir": service.tmp_dir,
        "drain_seconds": service.drain_seconds,
        "counts_file": str(counts_file),
        "receipts_dir": str(receipts_dir),
        **service.options,
    }
    return json.dumps(values, indent=2) + "\n"
