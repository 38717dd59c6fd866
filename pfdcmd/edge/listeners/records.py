"""The records of what each group was brought up as, so that another pfdcm knows what it finds running.

A record is written only once the group serves: a pfdcm that was killed in mid-change leaves none, and what runs then is
replaced by what is declared.
"""

from __future__ import annotations

import dataclasses
import json

import pfdcmd
from pfdcmd.edge.atomicfile import replace_text
from pfdcmd.errors import SupervisorFault
from pfdcmd.service.config import ServiceConfig
from pfdcmd.wire.supervisorconf import SupervisorPaths


def save_record(paths: SupervisorPaths, group: str, service: ServiceConfig) -> None:
    """Raises: StorageFault."""
    record = {"version": pfdcmd.__version__, "service": dataclasses.asdict(service)}
    replace_text(paths.record(group), json.dumps(record, indent=2) + "\n")


def load_record(paths: SupervisorPaths, group: str) -> ServiceConfig | None:
    """What a group was brought up as; None when that is not known, or was another version's business."""
    try:
        record = json.loads(paths.record(group).read_text(encoding="utf-8"))
        return ServiceConfig(**record["service"]) if record["version"] == pfdcmd.__version__ else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def recorded_drain_seconds(paths: SupervisorPaths) -> int:
    """The longest that a group may take to end."""
    records = [load_record(paths, path.stem) for path in paths.services_dir.glob("*.applied")]
    return max((record.drain_seconds for record in records if record), default=0)


def forget_record(paths: SupervisorPaths, group: str) -> None:
    """Raises: SupervisorFault: the record cannot be removed."""
    try:
        paths.record(group).unlink(missing_ok=True)
    except OSError as error:
        raise SupervisorFault(f"The record of {group} cannot be taken back: {error.strerror}.") from error


def forget_all_records(paths: SupervisorPaths) -> None:
    """Nothing runs and nothing shall: what a former life recorded means nothing. Raises: SupervisorFault."""
    for record in paths.services_dir.glob("*.applied"):
        forget_record(paths, record.stem)


def forget_group(paths: SupervisorPaths, group: str) -> None:
    """Remove all files of a group that has ended, but for its logs. Raises: SupervisorFault."""
    forget_record(paths, group)
    try:
        paths.listener_configuration(group).unlink(missing_ok=True)
        for report in paths.live_dir.glob(f"{group}-*.report"):
            # of this group, not of a service whose name begins like it
            if report.name.removeprefix(f"{group}-").removesuffix(".report").isdigit():
                report.unlink(missing_ok=True)
    except OSError as error:
        raise SupervisorFault(f"What {group} left cannot be removed: {error.strerror}.") from error
