"""What can go wrong, by who is at fault: the peer's bytes, one image, or the way that the listener is set up."""

from __future__ import annotations


class PeerError(Exception):
    """The peer's bytes break the protocol; the association cannot go on.

    `abort_reason` is the A-ABORT reason to tell the peer (PS3.8 Table 9-26).
    """

    def __init__(self, message: str, abort_reason: int = 0) -> None:
        super().__init__(message)
        self.abort_reason = abort_reason


IMAGES = "images"
SPACE = "space"
QUARANTINED = "quarantined"
"""Words that refused images are counted under: what is no use, what there is no room for, what is kept aside."""


class ImageFault(Exception):
    """One image cannot be filed; `status` answers its C-STORE (PS3.4 Table B.2-1), the association goes on.

    The message is for the log and so never holds patients' data. `word`: what it is counted under.
    """

    def __init__(self, status: int, message: str, word: str = IMAGES) -> None:
        super().__init__(message)
        self.status = status
        self.word = word


class Shortage(ImageFault):
    """There is no room for images, which has been logged; it need not be for each."""


class ConfigurationFault(Exception):
    """The configuration cannot be used; the message names the key."""
