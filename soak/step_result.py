"""The result of a step: its exit code, its log, and its outputs as GitHub's runner reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class StepResult:
    """The result of a step.

    Attributes:
        code: the exit code.
        log: everything that the step printed.
        outputs: output name to value.
        results: the results document, or None if there is no results file.
        checksums: the text of the checksums file, or empty.
    """

    code: int
    log: str
    outputs: Mapping[str, str]
    results: Mapping[str, Any] | None = None
    checksums: str = ""

    def of(self, target: str) -> TargetResult:
        """Return the part of one target; a build has one target with an empty name."""
        exporters, digests, imageids = (self._json(name) for name in ("exporters", "digests", "imageids"))
        whole = self.results or {}
        if target:
            found: Any = (exporters or {}).get(target, [])
            result = whole.get("targets", {}).get(target, {})
            return TargetResult(found, (digests or {}).get(target, {}), (imageids or {}).get(target, {}), result)
        return TargetResult(exporters or [], digests or {}, imageids or {}, whole)

    @property
    def refs(self) -> list[str]:
        """The output `refs`: `name@digest` of each pushed image."""
        return list(self._json("refs") or [])

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The output `metadata`: buildx's metadata file."""
        return dict(self._json("metadata") or {})

    def _json(self, name: str) -> Any:  # noqa: ANN401  # JSON
        return json.loads(self.outputs[name]) if self.outputs.get(name) else None


@dataclass(frozen=True)
class TargetResult:
    """One target's part of a step's result.

    Attributes:
        exporters: the objects of the output `exporters`.
        digests: key to digest.
        imageids: key to image ID.
        results: the target's part of the results document.
    """

    exporters: Sequence[Mapping[str, Any]]
    digests: Mapping[str, str]
    imageids: Mapping[str, str]
    results: Mapping[str, Any]


def read_file(path: str) -> str:
    """Return a file's text, or an empty text if there is no such file."""
    file = Path(path)
    return file.read_text(encoding="utf-8") if path and file.is_file() else ""
