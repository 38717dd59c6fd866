"""The banner: what --desc prints and /this/desc holds, colours included, as callers of the original know it."""

from __future__ import annotations

_LINES = (
    "\033[0;36m",
    "",
    "         __      _                  ",
    "        / _|    | |                 ",
    " _ __  | |_   __| |  ___  _ __ ___  ",
    "| '_ \\ |  _| / _` | / __|| '_ ` _ \\ ",
    "| |_) || |  | (_| || (__ | | | | | |",
    "| .__/ |_|   \\__,_| \\___||_| |_| |_|",
    "| |                                 ",
    "|_|                                 ",
    "",
    "",
    "                            Path-File-DICOM",
    "",
    "           A service for DICOM handling -- part of the pf* family.",
    "",
    "                              -- version \033[1;33m{version}\033[0;36m --",
    "",
    "    'pfdcm' is a module class and stand-alone app that provides a simple API ",
    "    (both programmatically and CLI-driven) to coordinate data transfers and ",
    "    management of DICOM data from a remote DICOM server.",
    "",
    "    It also provides various DICOM related management services:",
    "",
    "        - PACS Q/R",
    "        - PACS PUSH",
    "        - Anonymization",
    "    ",
    "\033[5;31m",
    "        ",
    "              +---------------------------------------------------------+",
    "              | Use '--enableTokenAuth' and '--tokenPath <tokenPath>'   |",
    "              |         arguments for secure communication.             |    ",
    "              +---------------------------------------------------------+",
    "              ",
    "\033[0m",
)


def format_banner(version: str) -> str:
    """The banner with this version in its version line; terminal colour codes (ECMA-48 SGR) included."""
    return "\n".join(_LINES).replace("{version}", version)
