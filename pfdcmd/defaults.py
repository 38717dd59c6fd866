"""The data tree at start: the keys, their order and the types that callers of the original find in it."""

from __future__ import annotations

from typing import Any

from pfdcmd.banner import format_banner
from pfdcmd.settings import Settings


def initial_tree(settings: Settings, *, version: str, service_file: str) -> dict[str, Any]:
    """The content of the tree before a saved one or --setPACS is merged into it.

    Args: version: for the banner; /this/version is empty, as it always was.
          service_file: where `xinetd file install` writes, for /xinetd/file.
    """
    return {
        "this": _this(settings, version),
        "PACS": {
            "help": {
                "aet": "AETITLE",
                "aet_listener": "AETITLE_LISTENER",
                "aec": "CALLEDAETITLE",
                "server_ip": "127.0.0.1",
                "server_port": "104",
            }
        },
        "bin": {
            "storescu": "/usr/bin/storescu",
            "storescp": "/usr/bin/storescp",
            "findscu": "/usr/bin/findscu",
            "movescu": "/usr/bin/movescu",
            "echoscu": "/usr/bin/echoscu",
            "listener": "/usr/local/bin/px-listen",
        },
        "jobstatus": {"state": None},
        "swift": {
            "auth_url": f"http://{settings.ip_swift}:{settings.port_swift}/auth/v1.0",
            "username": "chris:chris1234",
            "key": "testing",
            "container_name": "users",
            "auto_create_container": True,
            "file_storage": "swift.storage.SwiftStorage",
        },
        "xinetd": _xinetd(settings.dicom_dir, service_file),
    }


def _this(settings: Settings, version: str) -> dict[str, Any]:
    return {
        "name": "pfdcm",
        "version": "",
        "desc": format_banner(version),
        "colorize": False,
        "verbosity": settings.verbosity_level,
        "debugToDir": settings.debug_to_dir,
        "configFileLoad": settings.config_file_load,
        "configFileSave": settings.config_file_save,
        "args": {
            "httpProxy": settings.http_proxy,
            "b_forever": settings.forever,
            "b_httpResponse": settings.http_response,
            "ipSelf": settings.ip_self,
            "portSelf": settings.port_self,
            "ipSwift": settings.ip_swift,
            "portSwift": settings.port_swift,
            "b_version": False,
            "b_test": False,
            "str_configFileLoad": settings.config_file_load,
            "str_configFileSave": settings.config_file_save,
            "str_debugToDir": settings.debug_to_dir,
            "verbosity": settings.verbosity,
            "desc": False,
            "synopsis": False,
            "str_type": settings.type,
            "b_xinetd": settings.start_listener,
            "setPACS": settings.set_pacs,
        },
    }


def _xinetd(dicom_dir: str, service_file: str) -> dict[str, str]:
    base = dicom_dir.rstrip("/")
    return {
        "servicePort": "10402",
        "tmpDir": f"{base}/tmp",  # noqa: S108 - below dicom_dir
        "logDir": f"{base}/log",
        "dataDir": f"{base}/data",
        "file": service_file,
        "patient_mapDir": f"{base}/log/patient_map",
        "study_mapDir": f"{base}/log/study_map",
        "series_mapDir": f"{base}/log/series_map",
    }
