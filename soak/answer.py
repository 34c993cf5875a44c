"""What a step says: its outputs as GitHub's runner reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    """A step's exit code, its log and its outputs.

    Attributes:
        code: the exit code.
        log: all that it printed.
        outputs: its outputs.
        results: the results file, or None where there is none.
        checksums: the file of checksums, or nothing.
    """

    code: int
    log: str
    outputs: Mapping[str, str]
    results: Mapping[str, Any] | None = None
    checksums: str = ""

    def of(self, target: str) -> TargetAnswer:
        """What it says of one target; the name is empty in a build."""
        exporters, digests, imageids = (self._json(name) for name in ("exporters", "digests", "imageids"))
        whole = self.results or {}
        if target:
            found: Any = (exporters or {}).get(target, [])
            result = whole.get("targets", {}).get(target, {})
            return TargetAnswer(found, (digests or {}).get(target, {}), (imageids or {}).get(target, {}), result)
        return TargetAnswer(exporters or [], digests or {}, imageids or {}, whole)

    @property
    def refs(self) -> list[str]:
        """Everything that it says was pushed, `name@digest`."""
        return list(self._json("refs") or [])

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Buildx's metadata file."""
        return dict(self._json("metadata") or {})

    def _json(self, name: str) -> Any:  # noqa: ANN401  # JSON
        return json.loads(self.outputs[name]) if self.outputs.get(name) else None


@dataclass(frozen=True)
class TargetAnswer:
    """What a step says of one target: its exporters, the digests and image IDs by key, the target's results."""

    exporters: Sequence[Mapping[str, Any]]
    digests: Mapping[str, str]
    imageids: Mapping[str, str]
    results: Mapping[str, Any]


def read_file(path: str) -> str:
    """A file's text; nothing where there is no such file."""
    file = Path(path)
    return file.read_text(encoding="utf-8") if path and file.is_file() else ""
