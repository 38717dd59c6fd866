"""Filing: a whole image gets its final name, once, and is on disk before success is answered."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from listener import dimse, naming
from listener.elements import Elements
from listener.errors import ImageFault
from listener.image import IncomingImage, fault_of
from listener.naming import Place
from listener.series import OpenSeries, SeriesOfAssociation


class Filed(Enum):
    """How an image was filed; each is a success to the sender."""

    NEW = "filed"
    SAME = "here already"
    DIFFERENT = "kept beside a different copy of the same instance"


class Filing(NamedTuple):
    """What was filed, how, and where."""

    outcome: Filed
    elements: Elements
    place: Place


def file_image(image: IncomingImage, series: SeriesOfAssociation, *, is_durable: bool) -> Filing:
    """File an image all of whose bytes have been taken.

    Raises: ImageFault: it is not filed; nothing is left of it.
    """
    elements = image.finish()
    try:
        outcome, place = _file(image, series, elements, is_durable=is_durable)
    except OSError as error:
        raise fault_of(error) from error
    return Filing(outcome, elements, place)


def _file(
    image: IncomingImage, series: SeriesOfAssociation, elements: Elements, *, is_durable: bool
) -> tuple[Filed, Place]:
    place = naming.place(elements)
    held = series.get(place, elements)
    if is_durable:
        os.fdatasync(image.temp.fd)
    try:
        return _name(image, held, place, is_durable=is_durable)
    except FileNotFoundError as error:
        if image.temp.is_lost:
            raise ImageFault(dimse.PROCESSING_FAILURE, "its spool file was removed") from error
        held.restore(elements)
        return _name(image, held, place, is_durable=is_durable)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # The data directory was mounted over after the image had begun.
        image.respool()
        if is_durable:
            os.fdatasync(image.temp.fd)
        return _name(image, held, place, is_durable=is_durable)


def _name(image: IncomingImage, held: OpenSeries, place: Place, *, is_durable: bool) -> tuple[Filed, Place]:
    """Give the file its name; the same bytes under it already are as good, other bytes are kept beside them."""
    outcome = Filed.NEW
    if not image.place(held.directory_fd, place.file_name):
        if _is_same(image, held.directory_fd, place.file_name, is_durable=is_durable):
            outcome = Filed.SAME
        else:
            outcome = Filed.DIFFERENT
            # Named by its contents: the same different copy again finds itself there.
            place = replace(place, file_name=naming.conflicting_name(place.file_name, image.digest()))
            image.place(held.directory_fd, place.file_name)
    if is_durable:
        os.fsync(held.directory_fd)
    return outcome, place


def _is_same(image: IncomingImage, directory_fd: int, name: str, *, is_durable: bool) -> bool:
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory_fd)
    try:
        is_same = image.equals(fd)
        if is_same and is_durable:
            # Another association may have named it a moment ago, and not be done yet.
            os.fdatasync(fd)
        return is_same
    finally:
        os.close(fd)
