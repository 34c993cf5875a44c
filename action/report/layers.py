"""The largest layers of the images that a run built, for the summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from action.dataclass import dataclass, replace
from action.errors import EvidenceError, SlowEvidenceError
from action.exporters.attributed import AttributedBuild
from action.oci.comparison import Layer
from action.oci.content import read_contents
from action.pipeline.live_source import LiveSource
from action.report.comparison import layer_cells
from action.report.safe_text import code, details, table

MAX_LAYERS = 10
"""Number of layers that a summary shows."""

_MAX_IMAGES = 10
_SECONDS = 2.0
_NOTHING = "-"


@dataclass(frozen=True)
class BuiltLayer:
    """A layer of an image that was built.

    Attributes:
        target: the name of the bake target, or empty.
        key: the key of the exporter.
        platform: the platform of the image, or None if it is unknown.
        layer: the layer.
    """

    target: str
    key: str
    platform: str | None
    layer: Layer


def largest_layers(
    builds: Mapping[str, AttributedBuild], refs: Mapping[str, str], live: LiveSource
) -> tuple[BuiltLayer, ...]:
    """Return the largest layers of the first images of a run, each layer once; empty if BuildKit does not give them.

    Args:
        builds: target name, empty for a build, to its exporters.
        refs: target name to `builder/node/ref`.
        live: reads from BuildKit's API.
    """
    deadline = time.monotonic() + _SECONDS
    found: dict[tuple[str, str], BuiltLayer] = {}
    for target, key, digest in _images(builds):

        def blob(wanted: str, ref: str = refs.get(target, "")) -> bytes | None:
            return live.blobs(ref, (wanted,), seconds=deadline - time.monotonic()).get(wanted) if ref else None

        try:
            contents = read_contents(digest, blob, key)
        except SlowEvidenceError:
            break
        except EvidenceError:
            # Not the image of a container, or one that the engine no longer has.
            continue
        for platform, content in contents.items():
            for layer in content.layers:
                found.setdefault((target, layer.digest), BuiltLayer(target, key, platform, layer))
    return tuple(sorted(found.values(), key=lambda each: -each.layer.size)[:MAX_LAYERS])


def _images(builds: Mapping[str, AttributedBuild]) -> Iterator[tuple[str, str, str]]:
    """Yield target, key and digest of the first images, each digest once."""
    seen: set[str] = set()
    for target, build in builds.items():
        for exporter in build.exporters:
            if exporter.digest is None or exporter.digest in seen:
                continue
            if len(seen) == _MAX_IMAGES:
                return
            seen.add(exporter.digest)
            yield target, exporter.key, exporter.digest


def layers_part(layers: Sequence[BuiltLayer]) -> str:
    """Return the part of a summary with the largest layers, in Markdown, or empty if there are none."""
    if not layers:
        return ""
    bake = any(each.target for each in layers)
    rows = [
        [
            *([code(each.target)] if bake else []),
            code(each.key),
            code(each.platform or _NOTHING),
            *layer_cells(each.layer),
        ]
        for each in layers
    ]
    header = [*(["Target"] if bake else []), "Output", "Platform", "Size", "Layer", "Instruction"]
    return details("Largest layers", table(header, rows))


def masked_layers(layers: Sequence[BuiltLayer], without: Callable[[str], str]) -> tuple[BuiltLayer, ...]:
    """Return layers without secrets.

    Args:
        layers: the layers.
        without: returns a text without secrets.
    """
    return tuple(
        replace(
            each,
            target=without(each.target),
            layer=replace(each.layer, created_by=without(each.layer.created_by)),
        )
        for each in layers
    )
