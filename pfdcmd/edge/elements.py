"""The elements of one image as text, bulk data left out."""

from __future__ import annotations

import struct
import threading
import warnings
from pathlib import Path

from pydicom import dcmread
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from pfdcmd.errors import StorageFault

_BULK_BYTES = 65_536
"""A longer value is not read from the file; no text that a person filled in comes near."""

_UNDEFINED_LENGTH = 0xFFFFFFFF

_SOP_INSTANCE_UID = 0x00080018

_TOTAL_CHARACTERS = 4_194_304

_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    NotImplementedError,
    RecursionError,
    OverflowError,
    struct.error,
    InvalidDicomError,
)
"""What pydicom raises on data sets that are not as they should be."""

_one_reader = threading.Lock()
"""Warnings are switched off for the whole process, not for one thread; pydicom's quote the values."""


def read_elements(image: Path) -> dict[str, str]:
    """Keyword -> text of every element of the dictionary (PS3.6), by keyword; no private ones, no PixelData.

    Several values read as a Python list, a sequence as pydicom prints its items. A value longer than 64 KiB is not
    read: its text says how long it is.

    Raises: StorageFault: the image cannot be read, or its text would pass 4 MiB.
    """
    with _one_reader, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            texts = _texts(_read(image))
        except _UNREADABLE as error:
            raise StorageFault("The image cannot be read.", cause=f"{type(error).__name__} in {image.name}") from error
    if sum(map(len, texts.values())) > _TOTAL_CHARACTERS:
        raise StorageFault("The image has too much text to be shown.")
    return texts


def _read(image: Path) -> Dataset:
    """The data set without its pixels. The original's listener wrote some without preamble and File Meta (PS3.10
    section 7.1); such a file is taken for one when it says what it is, as every composite instance does."""
    try:
        return dcmread(image, stop_before_pixels=True, defer_size=_BULK_BYTES)
    except InvalidDicomError:
        data_set = dcmread(image, stop_before_pixels=True, defer_size=_BULK_BYTES, force=True)
        if _SOP_INSTANCE_UID not in data_set:
            raise
        return data_set


def _texts(data_set: Dataset) -> dict[str, str]:
    texts: dict[str, str] = {}
    # items() gives the elements as they were read, before values that were put off are fetched
    for tag, raw in sorted(data_set.items()):
        keyword = keyword_for_tag(tag)
        # a repeating group's elements (PS3.5 section 7.6) share their keywords: the first stands for them
        if keyword and not tag.is_private and keyword not in texts:
            length = getattr(raw, "length", 0)
            is_bulk = _BULK_BYTES < length != _UNDEFINED_LENGTH
            texts[keyword] = f"{length} bytes" if is_bulk else str(data_set[tag].value)
    return dict(sorted(texts.items()))
