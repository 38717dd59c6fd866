"""A change of one service, from the tree to its file: prepared, checked as a whole, saved, and taken back. Blocking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pfdcmd.edge.atomicfile import replace_text
from pfdcmd.errors import ServiceFault, StorageFault
from pfdcmd.service.blocks import declare
from pfdcmd.service.catalogue import Catalogue, Reading
from pfdcmd.wire.serviceedit import edit_service, format_service
from pfdcmd.wire.xinetdconf import parse_service_file


@dataclass(frozen=True)
class ServiceText:
    """A file's text before (None: there was no file) and after, and the reading of all files as it would be then."""

    path: Path
    before: str | None
    after: str
    former: Reading
    reading: Reading

    @classmethod
    def prepare(
        cls, directory: Path, reading: Reading, name: str, changes: Mapping[str, Sequence[str] | None]
    ) -> ServiceText:
        """Raises: ServiceFault: the service cannot be changed so. StorageFault: its file cannot be read."""
        declaration = next((each for each in declare(reading.files).declarations if each.name == name), None)
        if declaration is None:
            return cls._create(directory, reading, name, changes)
        path = Path(declaration.file_name)
        try:
            before = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise StorageFault(f"{path} cannot be read.", cause=str(error)) from error
        after = edit_service(before, declaration.file_name, name, changes)
        parsed = parse_service_file(after, declaration.file_name)
        files = tuple(parsed if each.file_name == declaration.file_name else each for each in reading.files)
        return cls(path, before, after, reading, replace(reading, files=files))

    @classmethod
    def _create(
        cls, directory: Path, reading: Reading, name: str, changes: Mapping[str, Sequence[str] | None]
    ) -> ServiceText:
        path = directory / name
        if "/" in name or "." in name or name.endswith("~"):
            raise ServiceFault("A new service's name must hold no dot, slash or tilde: its file is called so.")
        if path.exists():
            raise ServiceFault(f"{path} is there, and declares no service {name!r} that is in force; correct it first.")
        after = format_service(name, {key: words for key, words in changes.items() if words is not None})
        files = (*reading.files, parse_service_file(after, str(path)))
        return cls(path, None, after, reading, replace(reading, files=files))

    def check(self, catalogue: Catalogue) -> None:
        """Raises: ServiceFault: what the whole set would have against the change."""
        fault = catalogue.faults.get(str(self.path))
        new = [text for name, text in catalogue.faults.items() if name not in self.former.faults]
        if fault or new:
            raise ServiceFault(f"Nothing is changed: {fault or new[0]}")

    def save(self) -> None:
        """Write the file. Raises: StorageFault."""
        replace_text(self.path, self.after)

    def restore(self) -> None:
        """Write the file as it was before. Raises: StorageFault."""
        if self.before is not None:
            replace_text(self.path, self.before)
            return
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageFault(f"{self.path} cannot be removed: {error.strerror}.") from error
