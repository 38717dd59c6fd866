"""What an examination found: step by step, each with what to change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How a step went; a warning is no fault, but worth knowing."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Fault(StrEnum):
    """What can be wrong, one word each, for programs; `advice` has it in sentences."""

    HOST_UNKNOWN = "host-unknown"
    NOT_REACHED = "not-reached"
    EXPECTS_TLS = "expects-tls"
    NO_TLS = "no-tls"
    NO_DICOM = "no-dicom"
    CALLED_AE = "called-ae"
    CALLING_AE = "calling-ae"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    NO_QUERY = "no-query"
    ECHO_REFUSED = "echo-refused"
    FIND_REFUSED = "find-refused"
    EMPTY = "empty"
    TEXT_GARBLED = "text-garbled"
    LISTENER_DOWN = "listener-down"
    MOVE_REFUSED = "move-refused"
    DESTINATION = "destination"
    DESTINATION_UNKNOWN = "destination-unknown"
    DESTINATION_UNREACHABLE = "destination-unreachable"
    REFUSED_HERE = "refused-here"
    NOT_ARRIVED = "not-arrived"
    MOVE_FAILED = "move-failed"


@dataclass(frozen=True)
class Finding:
    """What one step showed. advice: what to change, empty when nothing is to be."""

    outcome: Outcome
    found: str
    advice: str = ""
    fault: Fault | None = None


@dataclass(frozen=True)
class Step:
    """One step; seconds is None when it was not done."""

    name: str
    finding: Finding
    seconds: float | None


@dataclass(frozen=True)
class Report:
    """All steps, in their order."""

    pacs: str
    steps: tuple[Step, ...]

    @property
    def is_well(self) -> bool:
        """Whether no step has failed; a warning is no failure."""
        return not any(step.finding.outcome is Outcome.FAILED for step in self.steps)

    @property
    def conclusion(self) -> str:
        """One sentence: the first failure, or that there is none."""
        for step in self.steps:
            if step.finding.outcome is Outcome.FAILED:
                return f"{step.name}: {step.finding.found} {step.finding.advice}".strip()
        skipped = [step.name for step in self.steps if step.finding.outcome is Outcome.SKIPPED]
        if skipped:
            return f"{self.pacs} is well as far as could be seen; not examined: {', '.join(skipped)}."
        return f"{self.pacs} is well: it answers, it finds, and what it sends arrives."


def report_json(report: Report) -> dict[str, Any]:
    """The report as callers get it."""
    return {
        "pacs": report.pacs,
        "ok": report.is_well,
        "conclusion": report.conclusion,
        "steps": [
            {
                "name": step.name,
                "outcome": step.finding.outcome.value,
                "seconds": None if step.seconds is None else round(step.seconds, 3),
                "found": step.finding.found,
                "advice": step.finding.advice,
                "fault": None if step.finding.fault is None else step.finding.fault.value,
            }
            for step in report.steps
        ],
    }
