"""The digest that docker/build-push-action has too, of a build with several outputs."""

from __future__ import annotations

from action.results.models import BuildResults, legacy_exporter


def other_pushed(results: BuildResults) -> str | None:
    """Return a notice if `digest` is of an image that was not pushed, and another image was."""
    first = legacy_exporter(results.exporters)
    pushed = [exporter for exporter in results.exporters if exporter.push]
    if first is None or first.push or not pushed:
        return None
    keys = " and ".join(exporter.key for exporter in pushed)
    kind = "exporters" if len(pushed) > 1 else "exporter"
    return (
        f"`digest` is that of exporter {first.key} ({first.type}), the first that makes an image, which was not "
        f"pushed; {kind} {keys} {'were' if len(pushed) > 1 else 'was'}: take `digests` at that key"
    )
