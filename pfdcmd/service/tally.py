"""The counts of groups that are no more: what they had reported last, kept by the service's name."""

from __future__ import annotations

from collections.abc import Iterable

from pfdcmd.service.listing import Seen, Totals, totals_of
from pfdcmd.service.plan import name_of_group


class Tally:
    """Fed with what is seen of all workers, one look after the other."""

    def __init__(self) -> None:
        self._present: dict[tuple[str, str], Totals] = {}
        self._gone: dict[str, Totals] = {}

    def see(self, seen: Iterable[Seen]) -> None:
        """Note the reports; what was there at the last look and is no more is added to its service's past."""
        seen = list(seen)
        places = {(each.worker.group, each.worker.name) for each in seen}
        for place in self._present.keys() - places:
            name = name_of_group(place[0])
            self._gone[name] = self._gone.get(name, Totals()) + self._present.pop(place)
        for each in seen:
            if each.report is not None:
                self._present[each.worker.group, each.worker.name] = totals_of(each.report)

    def gone(self, name: str) -> Totals:
        """What the groups of this service had counted that are no more."""
        return self._gone.get(name, Totals())
