"""Every attribute of a service file: what it means here, who honours it, or why it is refused. One table.

Source: xinetd.conf(5) for those that it describes; `is_ours` marks the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from pfdcmd.service import values
from pfdcmd.service.values import Parser, one, several


class Side(Enum):
    """Who makes an attribute true."""

    PFDCM = "pfdcm"
    LISTENER = "listener"
    NOBODY = "nobody"  # it says what is so anyway, or what does not matter here
    REFUSED = "refused"


@dataclass(frozen=True)
class AttributeRow:
    """One attribute. `meaning` is the reason for one that is refused; `default` is text for readers."""

    name: str
    side: Side
    meaning: str
    default: str = ""
    parse: Parser | None = None
    is_set: bool = False
    is_ours: bool = False


def _pfdcm(name: str, parse: Parser | None, default: str, meaning: str, *, is_ours: bool = False) -> AttributeRow:
    return AttributeRow(name, Side.PFDCM, meaning, default, parse, is_ours=is_ours)


def _listener(
    name: str, parse: Parser, default: str, meaning: str, *, is_set: bool = False, is_ours: bool = False
) -> AttributeRow:
    return AttributeRow(name, Side.LISTENER, meaning, default, parse, is_set, is_ours)


def _nobody(name: str, parse: Parser | None, meaning: str) -> AttributeRow:
    return AttributeRow(name, Side.NOBODY, meaning, parse=parse)


def _refused(*names: str, because: str) -> list[AttributeRow]:
    return [AttributeRow(name, Side.REFUSED, because) for name in names]


_ON_SUCCESS = values.subset("PID", "HOST", "EXIT", "DURATION", "TRAFFIC")
_ON_FAILURE = values.subset("HOST", "ATTEMPT")
_FLAGS = several(values.choice("REUSE", "NODELAY", "NOLIBWRAP"))
_DAY = 86_400

_ROWS = [
    _pfdcm("disable", one(values.switch), "no", "yes: the service is not started, or is ended"),
    _pfdcm("disabled", None, "", "in defaults only: services that are disabled; several times adds up"),
    _pfdcm("enabled", None, "all", "in defaults only: the services that are not disabled; several times adds up"),
    _pfdcm("id", None, "the service's name", "what the service is called here: the name after `service` may repeat"),
    _pfdcm("port", one(values.port), "must be given", "the TCP port"),
    _pfdcm("bind", one(values.address), "0.0.0.0", "the address of this machine to listen on, IPv4 or IPv6"),
    _pfdcm("interface", one(values.address), "", "another word for bind"),
    _pfdcm("server_args", None, "", "px-listen's options -t, -l, -d (tmp_dir, log_dir, data_dir); -e is ignored"),
    _listener(
        "instances", one(values.count_or_unlimited), "UNLIMITED", "associations open at once, over all workers together"
    ),
    _listener("per_source", one(values.count_or_unlimited), "UNLIMITED", "the same, from one address"),
    _listener(
        "cps",
        values.rate,
        "no limit",
        "connections in a second, and for how many seconds all are refused when there are more (xinetd's default of "
        "50 10 would shut out senders that open an association for each image)",
    ),
    _listener(
        "max_load", one(values.load), "no limit", "one-minute load average from which on connections are refused"
    ),
    _listener(
        "only_from",
        values.peers,
        "anyone",
        "addresses, networks and host names that may connect; without a value nobody may; the longer match of "
        "only_from and no_access decides",
        is_set=True,
    ),
    _listener("no_access", values.peers, "nobody", "those that may not connect, in the same words", is_set=True),
    _listener(
        "access_times",
        several(values.interval),
        "always",
        "intervals hour:minute-hour:minute of local time, ends included; one may span midnight",
    ),
    _listener("user", one(values.account), "root", "whom the workers run as; without effect unless pfdcm is root"),
    _listener("group", one(values.account), "the user's", "their group; without effect unless pfdcm is root"),
    _listener("groups", one(values.switch), "no", "yes: with the user's supplementary groups"),
    _listener("nice", one(values.niceness), "0", "added to the workers' niceness; below 0 needs root"),
    _listener(
        "rlimit_as",
        one(values.size_or_unlimited(67_108_864)),
        "UNLIMITED",
        "a worker's address space in bytes; K, M or G may follow",
    ),
    _listener("rlimit_files", one(values.number(64, 1_048_576, "files")), "16384", "files that a worker has open"),
    _listener("umask", one(values.octal), "pfdcm's", "of the files and directories made, octal"),
    _listener(
        "log_on_success",
        _ON_SUCCESS,
        "HOST EXIT TRAFFIC",
        "what the line of an association in listen.run.log says: PID HOST EXIT DURATION TRAFFIC",
        is_set=True,
    ),
    _listener(
        "log_on_failure",
        _ON_FAILURE,
        "HOST",
        "what the line of a connection that was refused says: HOST, or that there was an ATTEMPT",
        is_set=True,
    ),
    _nobody("socket_type", one(values.choice("stream")), "DICOM is a stream"),
    _nobody("protocol", one(values.choice("tcp")), "over TCP"),
    _nobody("wait", one(values.choice("no")), "and each association has a thread of its own"),
    _nobody("type", one(values.choice("UNLISTED")), "the port is named, not looked up"),
    _nobody("server", None, "the server is always the listener"),
    _nobody("flags", _FLAGS, "REUSE, NODELAY and NOLIBWRAP are so anyway"),
    *_refused("log_type", because="the log of a service is listen.run.log in its log_dir"),
    *_refused("banner", "banner_success", "banner_fail", because="a DICOM peer would take a banner for a broken PDU"),
    *_refused("redirect", because="a listener files what it gets; it passes nothing on"),
    *_refused("env", "passenv", because="the listener goes by its configuration and not by the environment"),
    *_refused("rpc_version", "rpc_number", because="a listener is no RPC service"),
    *_refused("libwrap", because="only_from and no_access decide about addresses"),
    *_refused("mdns", because="services are not registered with mDNS"),
    *_refused("deny_time", because="there are no sensors: a port that is not served is not opened"),
    *_refused("rlimit_cpu", because="a worker serves for months, and would be killed when its seconds are used up"),
    *_refused("rlimit_data", "rlimit_rss", "rlimit_stack", because="rlimit_as bounds all of a worker's memory"),
]


def _ours(name: str, parse: Parser, default: str, meaning: str) -> AttributeRow:
    return _listener(name, parse, default, meaning, is_ours=True)


_OURS = [
    _ours("ae_title", several(values.ae_title), "any", "the AE titles by which peers call the service"),
    _ours(
        "require_called_ae",
        one(values.switch),
        "yes with ae_title",
        "yes: others are rejected: called AE not recognised",
    ),
    _ours(
        "allowed_calling_ae",
        several(values.ae_title),
        "any",
        "AE titles of peers; others are rejected: calling AE not recognised",
    ),
    _ours("data_dir", one(values.directory), "-d of server_args", "images are filed below it"),
    _ours("log_dir", one(values.directory), "-l of server_args", "map files and listen.run.log"),
    _ours("tmp_dir", one(values.directory), "-t of server_args", "images on their way in"),
    _ours("layout", one(values.choice("pypx")), "pypx", "how files are named below data_dir"),
    _ours(
        "ack",
        one(values.choice("durable", "written")),
        "durable",
        "when success is answered: on disk, or handed to the kernel",
    ),
    _ours("transfer_syntaxes", several(values.uid), "all known", "UIDs of the transfer syntaxes that are accepted"),
    _ours("sop_classes", several(values.uid), "all of storage", "UIDs of the SOP classes that are accepted"),
    _ours(
        "max_pdu", one(values.number(4096, 16_777_216, "bytes")), "1048576", "bytes of a PDU, as offered to the peer"
    ),
    _ours("association_timeout", one(values.seconds), "86400", "seconds for an association as a whole"),
    _ours("idle_timeout", one(values.seconds), "300", "seconds without a byte from the peer"),
    _ours("max_image_bytes", one(values.size(1024)), "8G", "a larger image is refused: out of resources"),
    _ours(
        "tls_certificate",
        one(values.directory),
        "none",
        "a PEM file with the certificate and its chain: peers must speak TLS; read again when it changes",
    ),
    _ours("tls_key", one(values.directory), "tls_certificate's file", "a PEM file with its private key, not encrypted"),
    _ours(
        "tls_ca",
        one(values.directory),
        "none",
        "a PEM file: peers need a certificate that one of these authorities has signed",
    ),
    _ours(
        "tls_profile",
        one(values.choice("bcp195", "tls13")),
        "bcp195",
        "bcp195: TLS 1.2 and 1.3, forward secret suites (DICOM PS3.15 section B.12); tls13: TLS 1.3 alone",
    ),
    _ours(
        "min_free_bytes",
        one(values.size(0)),
        "16M",
        "bytes free on data_dir's file system; while there are fewer, images are refused unread: out of resources; "
        "0: no floor",
    ),
    _ours("min_free_inodes", one(values.number(0, 1_000_000_000, "inodes")), "64", "the same for inodes"),
    _ours(
        "quarantine_dir",
        one(values.directory),
        "`quarantine` beside tmp_dir",
        "images that came whole and cannot be filed, with a note of each",
    ),
    _ours("quarantine_max_bytes", one(values.size(0)), "10G", "of it; what goes beyond is dropped; 0: nothing is kept"),
    _ours("quarantine_max_files", one(values.number(0, 1_000_000, "images")), "10000", "the same for images"),
    _pfdcm(
        "workers",
        one(values.number(1, 64, "processes")),
        "--listenerWorkers",
        "processes that share the port; one is enough for a service that is mostly idle",
        is_ours=True,
    ),
    _pfdcm(
        "drain_seconds",
        one(values.number(0, _DAY, "seconds")),
        "--listenerDrainSeconds",
        "how long open associations may go on after a change or at the end",
        is_ours=True,
    ),
]

ATTRIBUTES: Mapping[str, AttributeRow] = {row.name: row for row in [*_ROWS, *_OURS]}
"""Attribute name -> its row, in the order of the manual."""

CUMULATIVE = frozenset(row.name for row in ATTRIBUTES.values() if row.is_set) | {
    "disabled",
    "enabled",
    "env",
    "passenv",
}
"""Those of which each `=` adds, and that know += and -=; the others may stand once in a block, with `=`."""
