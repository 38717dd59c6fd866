"""One image on its way in: its bytes to a spool file, then what it says of itself."""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
from collections.abc import Iterator

from listener import dimse, part10
from listener.dimse import Command
from listener.elements import Elements, decode_elements
from listener.errors import IMAGES, SPACE, ImageFault
from listener.messages import StoreBegun
from listener.scanner import Malformed, NeedMore, scan
from listener.spool import Spool, TempFile, write_all

_HEAD_BYTES = 65_536
_CHUNK_BYTES = 1_048_576
_MAX_PENDING = 512
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_OUT_OF_RESOURCES = _NO_SPACE | frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EFBIG, errno.ENOBUFS})


def fault_of(error: OSError) -> ImageFault:
    """The fault that an error of the operating system is; its text names no path."""
    status = dimse.OUT_OF_RESOURCES if error.errno in _OUT_OF_RESOURCES else dimse.PROCESSING_FAILURE
    return ImageFault(status, os.strerror(error.errno or errno.EIO), SPACE if error.errno in _NO_SPACE else IMAGES)


class IncomingImage:
    """Takes an image's bytes. The first fault is kept, what follows it is dropped, and `finish` raises it.

    `elements`: what it says of itself, once `finish` has read that.
    """

    def __init__(self, spool: Spool, began: StoreBegun, max_image_bytes: int, fault: ImageFault | None = None) -> None:
        """fault: why it is refused, whatever it is: nothing of it is written."""
        self._spool = spool
        self._began = began
        self._max_image_bytes = max_image_bytes
        self._header = part10.encode_header(
            began.command.sop_class, began.command.sop_instance, began.context.transfer_syntax
        )
        self._pending: list[memoryview | bytes] = [self._header]
        self._temp: TempFile | None = None
        self._fault = fault
        self._is_placed = False
        self.size_bytes = 0
        self.elements: Elements | None = None
        if fault is not None:
            return
        try:
            self._temp = spool.open_temp()
        except OSError as error:
            self._fault = fault_of(error)

    @property
    def temp(self) -> TempFile:
        """Its temporary file. Raises: ValueError: there is none, for it was refused from the start."""
        if self._temp is None:
            raise ValueError("the image has no file")
        return self._temp

    @property
    def command(self) -> Command:
        """The C-STORE request that it came with."""
        return self._began.command

    @property
    def is_kept(self) -> bool:
        """Whether all that has come of it is in its file, which has no final name yet."""
        return self._temp is not None and self._fault is None and not self._is_placed

    @property
    def file_bytes(self) -> int:
        """With the header."""
        return len(self._header) + self.size_bytes

    @property
    def transfer_syntax(self) -> str:
        """The UID of its presentation context's transfer syntax."""
        return self._began.context.transfer_syntax

    @property
    def data_set_offset(self) -> int:
        """Bytes of its file before the data set (PS3.10 section 7.1)."""
        return len(self._header)

    def take(self, data: memoryview) -> None:
        """Note bytes of the data set; they are written by `flush`, before the memory under them is used again."""
        self.size_bytes += len(data)
        if self._fault is not None:
            return
        if self.size_bytes > self._max_image_bytes:
            self._give_up(ImageFault(dimse.OUT_OF_RESOURCES, f"more than {self._max_image_bytes} bytes"))
            return
        self._pending.append(data)
        if len(self._pending) >= _MAX_PENDING:
            self.flush()

    def flush(self) -> None:
        """Write what was taken."""
        if not self._pending or self._temp is None:
            return
        pending, self._pending = self._pending, []
        try:
            write_all(self._temp.fd, pending)
        except OSError as error:
            self._give_up(fault_of(error))

    def finish(self) -> Elements:
        """All bytes are in: write the rest, and read what filing needs.

        Raises: ImageFault: it could not be written; it is not a whole data set; it is not the one that was announced.
        """
        self.flush()
        if self._fault is not None:
            raise self._fault
        try:
            values = self._scan()
        except Malformed as error:
            raise ImageFault(dimse.CANNOT_UNDERSTAND, str(error)) from error
        except OSError as error:
            raise fault_of(error) from error
        elements = self.elements = decode_elements(values)
        command = self._began.command
        if elements.sop_class_uid != command.sop_class:
            raise ImageFault(dimse.DATA_SET_DOES_NOT_MATCH, "SOPClassUID is another than in the command")
        if elements.sop_instance_uid != command.sop_instance:
            raise ImageFault(dimse.DATA_SET_DOES_NOT_MATCH, "SOPInstanceUID is another than in the command")
        return elements

    def place(self, directory_fd: int, name: str) -> bool:
        """Give the file its final name; False when there is one of that name.

        Raises: FileNotFoundError: the directory, or the spool file, has been removed. OSError.
        """
        try:
            self._spool.place(self.temp, directory_fd, name)
        except FileExistsError:
            return False
        self._is_placed = True
        return True

    def respool(self) -> None:
        """Copy the file to where the spool is now, which has moved to another file system since. Raises: OSError."""
        former, self._temp = self.temp, self._spool.open_temp()
        try:
            _copy(former, self.temp)
        finally:
            self._spool.discard(former)

    def copy_to(self, spool: Spool, name: str) -> None:
        """Give a copy, on disk, a name in the directory of another spool. Raises: OSError: there is none."""
        copy = spool.open_temp()
        try:
            _copy(self.temp, copy)
            os.fdatasync(copy.fd)
            spool.place(copy, spool.fd, name)
        finally:
            spool.discard(copy)

    def discard(self) -> None:
        """Let go of the file; remove it unless it has its final name."""
        self._pending.clear()
        if self._temp is not None:
            temp, self._temp = self._temp, None
            if self._is_placed:
                os.close(temp.fd)
            else:
                self._spool.discard(temp)

    def equals(self, other_fd: int) -> bool:
        """Whether the other file holds the same data set in the same transfer syntax."""
        header = part10.decode_header(os.pread(other_fd, part10.MAX_HEADER_BYTES, 0))
        if header is None or header.transfer_syntax != self.transfer_syntax:
            return False
        if os.fstat(other_fd).st_size - header.data_set_offset != self.size_bytes:
            return False
        theirs = _chunks(other_fd, header.data_set_offset)
        return all(mine == other for mine, other in zip(self._chunks(), theirs, strict=True))

    def digest(self) -> str:
        """SHA-256 of transfer syntax and data set, in hexadecimal."""
        digest = hashlib.sha256(self.transfer_syntax.encode())
        for chunk in self._chunks():
            digest.update(chunk)
        return digest.hexdigest()

    def _chunks(self) -> Iterator[bytes]:
        return _chunks(self.temp.fd, self.data_set_offset)

    def _scan(self) -> dict[int, bytes]:
        fd = self.temp.fd
        head = os.pread(fd, min(_HEAD_BYTES, self.size_bytes), self.data_set_offset)
        try:
            return scan(head, 0, self.size_bytes, self.transfer_syntax)
        except NeedMore:
            pass
        offset = self.data_set_offset
        with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as whole:
            return scan(whole, offset, offset + self.size_bytes, self.transfer_syntax)

    def _give_up(self, fault: ImageFault) -> None:
        """The file goes at once: what it took of the disk may be what others need."""
        self._fault = fault
        self.discard()


def _copy(source: TempFile, target: TempFile) -> None:
    for chunk in _chunks(source.fd, 0):
        write_all(target.fd, [chunk])


def _chunks(fd: int, offset: int) -> Iterator[bytes]:
    while chunk := os.pread(fd, _CHUNK_BYTES, offset):
        offset += len(chunk)
        yield chunk
