"""Changes of what is live of the listeners as events, for those who follow them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pfdcmd.events.hub import EventHub
from pfdcmd.events.topic import LISTENERS

_NOT_A_SERVICE = "."


class ListenerEvents:
    """Compares each listing with the former one."""

    def __init__(self, hub: EventHub) -> None:
        self._hub = hub
        self._before: Mapping[str, Any] = {}

    def see(self, listing: Mapping[str, Any]) -> None:
        """Publish every service that is new, other than it was, or gone (then its listing is null)."""
        before, self._before = self._before, listing
        if not self._hub.is_followed(LISTENERS):
            return
        for name in {**before, **listing}:
            if not name.startswith(_NOT_A_SERVICE) and listing.get(name) != before.get(name):
                data = {"service": name, "listing": listing.get(name)}
                self._hub.publish(f"{LISTENERS}/{name}", data)
