"""A service as configured: one storage listener, declared in a service file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceConfig:
    """A storage listener as declared."""

    name: str
    bind: str
    port: int
    data_dir: str
    log_dir: str
    tmp_dir: str
    workers: int
