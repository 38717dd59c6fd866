"""Facts about the machine, for hello's sysinfo."""

from __future__ import annotations

import asyncio
import os
import platform
import socket
from typing import Any

import psutil

_DOCUMENTATION_ADDRESS = ("192.0.2.1", 9)  # RFC 5737 TEST-NET-1: routed like any other address, and nobody's


class Host:
    """The machine that pfdcm runs on; implements HostPort."""

    async def describe(self) -> dict[str, Any]:
        """System, memory and load, with the keys and types of the original's reply.

        memory is psutil.virtual_memory()'s fields in their order: bytes, and the third a percentage. cpu_percent is
        since the last call. The work is done in a thread: the processor's name may take a process to find out.
        """
        return await asyncio.to_thread(_describe)


def _describe() -> dict[str, Any]:
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "platform": platform.platform(),
        "uname": list(platform.uname()),
        "version": platform.version(),
        "memory": list(psutil.virtual_memory()),
        "cpucount": os.cpu_count() or 1,
        "loadavg": list(os.getloadavg()),
        "cpu_percent": psutil.cpu_percent(),
        "hostname": platform.node(),
        "inet": own_address(),
    }


def own_address() -> str:
    """The address of the interface that the default route leads out of, or loopback; nothing is sent or looked up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_DOCUMENTATION_ADDRESS)
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
