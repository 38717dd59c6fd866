"""Which presentation contexts a C-GET proposes, so that the PACS can send each image as it has it.

An association has 128 contexts at most (PS3.8 section 9.3.2.2: odd numbers of one byte), and the retrieve model takes
one. Each SOP class gets one for uncompressed images; what is left goes to the compressed transfer syntaxes, the most
usual first, to each class in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, product

_MAX_STORAGE_CONTEXTS = 127

_EXPLICIT_LITTLE, _IMPLICIT_LITTLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
# PS3.6 Table A-1. One context each: of several in one context the acceptor would choose a single one for all images.
_COMPRESSED = (
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, first order prediction
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.5",  # RLE lossless
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.51",  # JPEG extended
    "1.2.840.10008.1.2.4.57",  # JPEG lossless
    "1.2.840.10008.1.2.4.81",  # JPEG-LS near lossless
    "1.2.840.10008.1.2.4.102",  # MPEG-4 AVC/H.264 high profile
    "1.2.840.10008.1.2.4.100",  # MPEG2 main profile
    "1.2.840.10008.1.2.4.201",  # HTJ2K lossless
    "1.2.840.10008.1.2.1.99",  # deflated explicit VR little endian
    "1.2.840.10008.1.2.2",  # explicit VR big endian
)

Proposal = tuple[str, tuple[str, ...]]
"""A SOP class, and the transfer syntaxes of one context, of which the acceptor takes one."""


def storage_proposals(sop_classes: Sequence[str]) -> list[Proposal]:
    """At most 127 proposals for these SOP classes, in the order of their importance; classes beyond have none."""
    classes = list(dict.fromkeys(sop_classes))[:_MAX_STORAGE_CONTEXTS]
    plain: list[Proposal] = [(sop_class, (_EXPLICIT_LITTLE, _IMPLICIT_LITTLE)) for sop_class in classes]
    compressed: list[Proposal] = [(sop_class, (syntax,)) for syntax, sop_class in product(_COMPRESSED, classes)]
    return [*plain, *islice(compressed, _MAX_STORAGE_CONTEXTS - len(plain))]
