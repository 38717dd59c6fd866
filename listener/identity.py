"""Who we are in File Meta and in A-ASSOCIATE. Source: DICOM PS3.7 Annex D.3.3.2, PS3.5 Annex B.2."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

IMPLEMENTATION_CLASS_UID = "2.25.298498508787291688392151234528205622480"


def _version_name() -> str:
    """At most 16 characters of the default repertoire."""
    try:
        return f"PFDCM_{version('pfdcm')}"[:16]
    except PackageNotFoundError:
        return "PFDCM"


IMPLEMENTATION_VERSION_NAME = _version_name()
