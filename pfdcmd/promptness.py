"""What keeps the event loop from answering for milliseconds, in the interpreter itself, put right once at the start."""

from __future__ import annotations

import gc
import sys

_SWITCH_SECONDS = 0.0005
"""How long a thread that computes may keep the loop from going on; CPython's own choice is ten times that. Threads here
mostly wait: the more frequent switches are paid for only while one of them computes."""


def favour_the_loop() -> None:
    """Have threads give way to the loop sooner, and the garbage collector leave alone what is there for good.

    The modules and tables that are loaded at the start are tens of thousands of objects: a collection that looked
    through them all stopped every caller for 10 ms and more. Call it once, when everything is loaded.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
