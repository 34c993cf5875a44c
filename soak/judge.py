"""Compare the result of a step with the truth; pure, and independent of the package `action`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from soak.exporters import Exporter
from soak.images import Image, full_name
from soak.step_result import TargetResult
from soak.truth import Truth


@dataclass(frozen=True)
class Fault:
    """A difference between a step's result and the truth.

    Attributes:
        kind: the kind of fault, such as `wrong digest`.
        text: what the step reports, and what was expected.
    """

    kind: str
    text: str


@dataclass
class Counts:
    """How many builds, digests and so on were compared, and how many were wrong or absent."""

    builds: int = 0
    refused: int = 0
    outputs: int = 0
    digests: int = 0
    imageids: int = 0
    refs: int = 0
    wrong: int = 0
    absent: int = 0

    def add(self, other: Counts) -> None:
        """Add other counts to these."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def paired(
    expected: Sequence[Exporter], result: TargetResult
) -> tuple[list[tuple[Exporter, Mapping[str, Any]]], list[Fault]]:
    """Pair each expected exporter with the one that the step reports.

    buildx applies `push` and `load` to a bake in no fixed order, so the exporters that it adds may come in any order.
    """
    keys = [each["key"] for each in result.exporters]
    if keys != [exporter.key for exporter in expected]:
        text = f"the exporters are {keys}, expected {[exporter.key for exporter in expected]}"
        return [], [Fault("exporters", text)]
    requested = [exporter for exporter in expected if exporter.output]
    added = [exporter for exporter in expected if not exporter.output]
    reported = result.exporters[len(requested) :]
    if len(added) > 1 and bool(reported[0]["push"]) != added[0].push:
        added.reverse()
    return list(zip((*requested, *added), result.exporters, strict=True)), []


def judge_exporter(exporter: Exporter, actual: Mapping[str, Any], truth: Truth) -> list[Fault]:
    """Compare an exporter of the step's result with the truth.

    Args:
        exporter: the expected exporter.
        actual: the exporter's object in the output `exporters`.
        truth: the truth about it.
    """
    faults = [*_judge_listed(exporter, actual), *_judge_digests(exporter, actual, truth)]
    if truth.image and truth.digests == {actual["digest"]}:
        faults += _judge_image(actual, truth.image)
    return faults


def _differs(kind: str, actual: Mapping[str, Any], what: str, right: object, source: str = "the case") -> Fault:
    return Fault(
        kind, f"exporter {actual['key']} ({actual['type']}): {what} is {actual[what]!r}, expected {right!r} ({source})"
    )


def _judge_listed(exporter: Exporter, actual: Mapping[str, Any]) -> Iterator[Fault]:
    """Compare the members that do not depend on the build: type, ID, dest, push and names."""
    if actual["type"] not in exporter.types:
        yield _differs("exporters", actual, "type", sorted(exporter.types))
    for member, right in (("id", exporter.id), ("dest", exporter.dest), ("push", exporter.push)):
        if actual[member] != right:
            yield _differs("exporters", actual, member, right)
    if exporter.is_image and set(map(full_name, actual["names"])) != set(map(full_name, exporter.names)):
        yield _differs("names", actual, "names", exporter.names)


def _judge_digests(exporter: Exporter, actual: Mapping[str, Any], truth: Truth) -> Iterator[Fault]:
    """Compare the digest, the image ID, and whether a registry serves the image."""
    source = truth.source or "the case"
    digest, imageid = actual["digest"], actual["imageid"]
    if exporter.push != bool(truth.pushed):
        yield _differs("push", actual, "push", bool(truth.pushed), source)
    if digest is None and truth.knowable:
        yield _differs("absent digest", actual, "digest", sorted(truth.digests) or "any", source)
    if digest is not None and truth.digests != {digest}:
        yield _differs("wrong digest", actual, "digest", sorted(truth.digests), source)
    if imageid is None and truth.imageids:
        yield _differs("absent image ID", actual, "imageid", sorted(truth.imageids), source)
    if imageid is not None and imageid not in truth.imageids:
        yield _differs("wrong image ID", actual, "imageid", sorted(truth.imageids), source)


def _judge_image(actual: Mapping[str, Any], image: Image) -> Iterator[Fault]:
    """Compare the descriptor and the platforms."""
    descriptor = actual["descriptor"]
    if descriptor:
        found = (descriptor["digest"], descriptor["size"], descriptor["mediaType"])
        # The OCI specification does not require a manifest to name its own media type.
        right = (image.digest, image.size, image.media_type or descriptor["mediaType"])
        if found != right:
            yield _differs("descriptor", actual, "descriptor", right)
    platforms = actual["platforms"]
    if platforms and {each["digest"] for each in platforms} != {child.digest for child in image.children}:
        yield _differs("platforms", actual, "platforms", image.children)
    children = {child.digest: child for child in image.children}
    for each in platforms:
        child = children.get(each["digest"])
        if child is None:
            continue
        if child.platform and each["platform"] and each["platform"] != child.platform:
            yield _differs("platforms", actual, "platforms", child)
        if child.config and each["imageid"] not in {None, child.config}:
            yield _differs("platforms", actual, "platforms", child)


_LATE = frozenset(("size", "platforms"))
"""Members of an exporter that the summary reads, and that are written to the results file after the output is set."""


def _agree(written: Any, output: Any) -> bool:  # noqa: ANN401  # JSON values
    """Return whether the results file has the exporters of the output, which may lack the members in `_LATE`."""
    if not isinstance(written, list) or not isinstance(output, list) or len(written) != len(output):
        return False
    return all(
        ours.keys() == theirs.keys()
        and all(ours[name] == theirs[name] or (name in _LATE and _lacks(theirs[name], ours[name])) for name in ours)
        for ours, theirs in zip(written, output, strict=True)
    )


def _lacks(output: Any, written: Any) -> bool:  # noqa: ANN401  # JSON values
    """Return whether a size or a list of platforms is a part of another one."""
    if not output:
        return output is None or output == []
    if not isinstance(output, list) or len(output) != len(written):
        return False
    return all(
        theirs[name] in {None, ours[name]} for ours, theirs in zip(written, output, strict=True) for name in ours
    )


def judge_target(
    pairs: Sequence[tuple[Exporter, Mapping[str, Any]]], result: TargetResult, truths: Sequence[Truth]
) -> list[Fault]:
    """Compare the result of one target: every exporter, then the outputs digests, imageids, digest and imageid."""
    faults = [
        fault
        for (exporter, actual), truth in zip(pairs, truths, strict=True)
        for fault in judge_exporter(exporter, actual, truth)
    ]
    for name, found in (("digest", result.digests), ("imageid", result.imageids)):
        right = {actual["key"]: actual[name] for _, actual in pairs if actual[name]}
        if found != right or list(found) != list(right):
            faults.append(Fault("outputs", f"{name}s is {found}, expected {right}"))
    first = next((actual for exporter, actual in pairs if exporter.is_image), None)
    for name in ("digest", "imageid"):
        right_one = first[name] if first else None
        if result.results.get(name) != right_one:
            faults.append(Fault("legacy", f"{name} is {result.results.get(name)}, expected {right_one}"))
    if not _agree(result.results.get("exporters"), result.exporters):
        faults.append(Fault("outputs", "the results file and the output exporters differ"))
    return faults


def judge_pushed(refs: Sequence[str], checksums: str, truths: Sequence[Truth]) -> list[Fault]:
    """Compare the output refs and the checksums file with what the registries serve."""
    pairs = {pair for truth in truths for pair in truth.pushed if pair[1] in truth.digests}
    faults = []
    references = {f"{repository}@{digest}" for repository, digest in pairs}
    if set(refs) != references or len(set(refs)) != len(refs):
        faults.append(Fault("refs", f"refs is {sorted(refs)}, expected {sorted(references)}"))
    lines = {f"{digest.partition(':')[2]}  {repository}" for repository, digest in pairs}
    if set(checksums.splitlines()) != lines:
        faults.append(Fault("checksums", f"checksums is {checksums!r}, expected {sorted(lines)}"))
    return faults
