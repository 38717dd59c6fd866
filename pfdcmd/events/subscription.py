"""Subscriptions as callers see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pfdcmd.errors import ParameterFault
from pfdcmd.events.hub import EventHub
from pfdcmd.events.stream import Place

ONLY_ON_A_WEBSOCKET = "Events are told over a WebSocket alone: connect to GET /rpc with Upgrade: websocket."


@dataclass(frozen=True)
class Subscription:
    """What a caller has subscribed to, and from which place on it is told."""

    id: str
    topic: str
    place: Place
    is_resumed: bool


class Unconnected:
    """The EventsPort of whoever has no WebSocket: pfdcm itself, and callers by POST."""

    def __init__(self, hub: EventHub) -> None:
        self._hub = hub

    def publish(self, topic: str, data: Mapping[str, Any]) -> None:
        """See EventsPort.publish."""
        self._hub.publish(topic, data)

    def subscribe(self, _topic: str, _since: Place | None) -> Subscription:
        """Raises: ParameterFault, always."""
        raise ParameterFault(ONLY_ON_A_WEBSOCKET)

    def unsubscribe(self, _subscription_id: str) -> None:
        """Raises: ParameterFault, always."""
        raise ParameterFault(ONLY_ON_A_WEBSOCKET)
