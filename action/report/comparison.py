"""The comparison of images for people: in the summary, in the comment and on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from action.dataclass import replace
from action.exporters.attributed import AttributedBuild, AttributedExporter
from action.oci.comparison import Comparison, Layer, PlatformComparison
from action.report.safe_text import code, details, log_line, one_line, table

_NOTHING = "-"
_KILO = 1000
_MAX_LAYERS = 20
_DIGEST_LENGTH = 19


def comparison_parts(builds: Mapping[str, AttributedBuild | None]) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each part of a summary about comparisons, in Markdown.

    Args:
        builds: target name, empty for a build, to its exporters.
    """
    compared = [(name, exporter, each) for name, exporter, each in _compared(builds)]
    if not compared:
        return
    target = ["Target"] if any(name for name, _, _ in compared) else []
    rows = [
        [*([code(name)] if target else []), code(exporter.key), code(comparison.image), *cells]
        for name, exporter, comparison in compared
        for cells in _cells(comparison)
    ]
    header = [*target, "Output", "Compared with", "Platform", "Size", "Difference", "Changed"]
    yield "the comparison", "#### What changed\n\n" + table(header, rows)
    layers = [
        (name, exporter, platform, sign, layer)
        for name, exporter, comparison in compared
        for platform in comparison.platforms
        for sign, found in (("+", platform.added), ("-", platform.removed))
        for layer in found
    ]
    if not layers:
        return
    layers.sort(key=lambda each: -each[4].size)
    lines = [
        [
            *([code(name)] if target else []),
            *(code(exporter.key), code(platform.platform or _NOTHING), code(sign), *layer_cells(layer)),
        ]
        for name, exporter, platform, sign, layer in layers[:_MAX_LAYERS]
    ]
    omitted = f" (the {_MAX_LAYERS} largest of {len(layers)})" if len(layers) > _MAX_LAYERS else ""
    header = [*target, "Output", "Platform", "", "Size", "Layer", "Instruction"]
    yield "the layers", details(f"Layers added and removed{omitted}", table(header, lines))


def comparison_lines(build: AttributedBuild) -> Iterator[str]:
    """Yield a line of plain text for each comparison of a build, and for each platform that it has.

    Args:
        build: the build.
    """
    for _, exporter, comparison in _compared({"": build}):
        if not comparison.platforms:
            state = "there was no such image" if comparison.changed else "it is not known whether it changed"
            yield log_line(f"{exporter.key}, against {comparison.image}: {state}")
        for platform in comparison.platforms:
            size, difference = _sizes(platform)
            change = _change(platform) if platform.changed else "no change"
            amount = "" if platform.size is None else f"; {size}"
            more = "" if difference == _NOTHING else f" ({difference})"
            name = f"{exporter.key} {platform.platform or ''}".strip()
            yield log_line(f"{name}, against {comparison.image}: {change}{amount}{more}")


def masked_comparison(comparison: Comparison, without: Callable[[str], str]) -> Comparison:
    """Return a comparison without secrets.

    Args:
        comparison: the comparison.
        without: returns a text without secrets.
    """

    def masked(layers: Iterable[Layer]) -> tuple[Layer, ...]:
        return tuple(replace(layer, created_by=without(layer.created_by)) for layer in layers)

    platforms = tuple(
        replace(each, added=masked(each.added), removed=masked(each.removed)) for each in comparison.platforms
    )
    return replace(comparison, image=without(comparison.image), platforms=platforms)


def size_text(size: int) -> str:
    """Return a size in bytes with a decimal unit, as registries and `docker image ls` show it, such as `28.7 MB`."""
    if size < _KILO:
        return f"{size} B"
    scale = _KILO
    for unit in ("kB", "MB"):
        # Whole numbers: a manifest may name a size that no float holds.
        tenths = (size * 10 + scale // 2) // scale
        if tenths < _KILO * 10:
            return f"{tenths // 10}.{tenths % 10} {unit}"
        scale *= _KILO
    tenths = (size * 10 + scale // 2) // scale
    return f"{tenths // 10}.{tenths % 10} GB"


def _compared(
    builds: Mapping[str, AttributedBuild | None],
) -> Iterator[tuple[str, AttributedExporter, Comparison]]:
    for name, build in builds.items():
        for exporter in build.exporters if build else ():
            if exporter.comparison is not None:
                yield name, exporter, exporter.comparison


def _cells(comparison: Comparison) -> Iterator[list[str]]:
    """Yield platform, size, difference and change of each platform of a comparison."""
    if not comparison.platforms:
        yield [_NOTHING, _NOTHING, _NOTHING, "there was no such image" if comparison.changed else "not known"]
    for each in comparison.platforms:
        yield [code(each.platform) if each.platform else _NOTHING, *_sizes(each), _change(each)]


def _sizes(platform: PlatformComparison) -> tuple[str, str]:
    """Return the size of a platform's image, and how much larger it is than the compared one."""
    if platform.size is None or platform.compared_size is None:
        return size_text(platform.size) if platform.size is not None else _NOTHING, _NOTHING
    difference = platform.size - platform.compared_size
    sign = "+" if difference > 0 else "-" if difference < 0 else "±"
    return size_text(platform.size), f"{sign}{size_text(abs(difference))}"


def _change(platform: PlatformComparison) -> str:
    if not platform.changed:
        return "no"
    if platform.compared_size is None or platform.size is None:
        return "new platform" if platform.compared_size is None else "platform is gone"
    counts = [
        f"{len(layers)} {'layer' if len(layers) == 1 else 'layers'} {what}"
        for layers, what in ((platform.added, "added"), (platform.removed, "removed"))
        if layers
    ]
    return ", ".join(counts) or "config"


def layer_cells(layer: Layer) -> tuple[str, str, str]:
    """Return the size, the short digest and the instruction of a layer as cells of a Markdown table."""
    short = code(layer.digest[:_DIGEST_LENGTH], title=layer.digest)
    return size_text(layer.size), short, code(one_line(layer.created_by, 120)) if layer.created_by else ""
