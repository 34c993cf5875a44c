"""The summary of a run in Markdown: what was built, where it went, what it cost, and what failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from action.evidence.status_log import Step
from action.exporters.attributed import AttributedExporter
from action.oci.reference import parse_reference
from action.report.markdown import block, code, folded, one_line, seen, table
from action.report.model import Report, masked
from action.report.timeline import MOST, timeline

LIMIT = 1024 * 1024
"""Longest summary that GitHub takes, in bytes."""

_SPARE = 4096
_SHORT = 12
_MOST_EXCERPT = 16 * 1024
_KIBI = 1024
_NOTHING = "-"


def render(report: Report, limit: int = LIMIT) -> str:
    """The summary.

    Args:
        report: what is told.
        limit: the longest that it may be, in bytes; what does not fit is left out, the least needed first, and the
            summary says so.
    """
    report = masked(report)
    body = list(_head(report, limit // 2))
    rows = list(_rows(report))
    left = limit - _SPARE - _bytes(*body)
    shown, omitted = _fitting(rows, left * 3 // 4)
    if shown:
        body.append(table(_columns(report), shown))
        left -= _bytes(body[-1])
    gone = [f"{omitted} of {len(rows)} outputs"] if omitted else []
    for name, part in _optional(report):
        if _bytes(part) <= left:
            body.append(part)
            left -= _bytes(part)
        else:
            gone.append(name)
    if gone:
        body.append(f"Left out, since a summary may not be longer: {', '.join(gone)}.\n")
    return "\n".join(body) + "\n"


def outputs_table(report: Report, limit: int) -> str:
    """The table of outputs alone, under its heading, no longer than `limit` bytes."""
    report = masked(report)
    body = list(_head(report, limit // 2))
    rows = list(_rows(report))
    shown, omitted = _fitting(rows, limit - _SPARE - _bytes(*body))
    if shown:
        body.append(table(_columns(report), shown))
    if omitted:
        body.append(f"{omitted} of {len(rows)} outputs are left out.\n")
    return "\n".join(body) + "\n"


def shown_inputs(raw: Mapping[str, str], hidden: Sequence[str]) -> dict[str, str]:
    """The inputs that were given and may be shown.

    Args:
        raw: input name to its text.
        hidden: the names of those that hold secrets.
    """
    return {
        name: text.strip()
        for name, text in raw.items()
        if name not in hidden and text.strip() and text.strip().lower() != "false"
    }


def _head(report: Report, limit: int) -> Iterator[str]:
    """What is told first; of errors and warnings as many as fit into `limit` bytes."""
    yield f"### {'❌' if report.failed else '✅'} {report.title}{' failed' if report.failed else ''}\n"
    facts = list(_facts(report))
    if facts:
        yield " · ".join(facts) + "\n"
    for mark, what, texts, most in (
        ("❌", "errors", report.errors, len(report.errors)),
        ("⚠️", "warnings", report.warnings, _SHORT),
    ):
        lines = [f"{mark} {code(text)}\n" for text in texts[:most]]
        shown, _ = _fitting([[line] for line in lines], limit)
        limit -= _bytes(*lines[: len(shown)])
        yield from lines[: len(shown)]
        if len(shown) < len(texts):
            yield f"{mark} and {len(texts) - len(shown)} {what} more\n"


def _facts(report: Report) -> Iterator[str]:
    if report.targets and report.targets[0].name:
        yield _count(len(report.targets), "target")
    times = [each.progress for each in report.targets if each.progress]
    begun = [each.created for each in times if each.created is not None]
    ended = [each.completed for each in times if each.completed is not None]
    if begun and ended:
        yield _duration(max(ended) - min(begun))
    steps = [step for each in times for step in each.steps]
    if steps:
        cached = sum(1 for step in steps if step.cached)
        yield f"{_count(len(steps), 'step')}, {cached} from the cache"


def _columns(report: Report) -> list[str]:
    bake = any(target.name for target in report.targets)
    return [*(["Target"] if bake else []), "Output", "Type", "Went to", "Digest", "Image ID", "Platforms"]


def _rows(report: Report) -> Iterator[list[str]]:
    bake = any(target.name for target in report.targets)
    for target in report.targets:
        for exporter in target.results.exporters if target.results else ():
            cells = [
                code(exporter.key),
                code(exporter.type),
                _where(exporter, report.sizes),
                _short(exporter.digest),
                _short(exporter.imageid),
                " ".join(code(each.platform) for each in exporter.platforms if each.platform) or _NOTHING,
            ]
            yield [*([code(target.name)] if bake else []), *cells]


def _where(exporter: AttributedExporter, sizes: Mapping[str, int]) -> str:
    if exporter.dest is not None:
        size = sizes.get(exporter.dest)
        return code(exporter.dest) + (f" {_size(size)}" if size is not None else "")
    names = "<br>".join(code(name) for name in exporter.names)
    if not names:
        return _NOTHING
    return names if exporter.push else f"{names} (not pushed)"


def _short(digest: str | None) -> str:
    if digest is None:
        return _NOTHING
    algorithm, _, encoded = digest.partition(":")
    return code(f"{algorithm}:{encoded[:_SHORT]}", title=digest)


def _optional(report: Report) -> Iterator[tuple[str, str]]:
    """Parts by name, the most needed first."""
    if report.failure:
        yield "what failed", "#### What failed\n\n" + block(report.failure[-_MOST_EXCERPT:], "text")
    if lines := list(_copies(report)):
        yield "the digests in full", folded("Digests in full", block("\n".join(lines), "text"))
    steps = [(target.name, step) for target in report.targets if target.progress for step in target.progress.steps]
    if drawn := timeline(steps):
        yield "the steps over time", "#### Steps over time\n\n" + block(drawn, "mermaid") + _legend(steps)
    if slowest := _slowest(steps):
        yield "the slowest steps", folded("Slowest steps", slowest)
    if report.inputs:
        yield "the inputs", folded("Inputs", block("\n".join(_yaml(report.inputs)), "yaml"))


def _legend(steps: Sequence[tuple[str, Step]]) -> str:
    said = [
        *([f"The {MOST} longest of {len(steps)} steps."] if len(steps) > MOST else []),
        *(["Grey: from the cache."] if any(step.cached for _, step in steps) else []),
        *(["Red: failed."] if any(step.error for _, step in steps) else []),
    ]
    return f"\n{' '.join(said)}\n" if said else ""


def _copies(report: Report) -> Iterator[str]:
    for target in report.targets:
        for exporter in target.results.exporters if target.results else ():
            if exporter.digest is None:
                continue
            references = [reference for name in exporter.names if (reference := parse_reference(name))]
            named = list(dict.fromkeys(f"{each.repository}@{exporter.digest}" for each in references))
            label = " ".join(part for part in (one_line(target.name), exporter.key) if part)
            yield from (named if named and exporter.push else [f"{label} {exporter.digest}"])


def _slowest(steps: Sequence[tuple[str, Step]]) -> str:
    timed = sorted((each for each in steps if each[1].seconds > 0), key=lambda each: -each[1].seconds)[:MOST]
    bake = any(target for target, _ in steps)
    rows = [
        [
            *([code(target)] if bake else []),
            code(step.name),
            _duration(step.seconds),
            "cached" if step.cached else "failed" if step.error else "",
        ]
        for target, step in timed
    ]
    return table([*(["Target"] if bake else []), "Step", "Time", ""], rows) if rows else ""


def _yaml(inputs: Mapping[str, str]) -> Iterator[str]:
    for name, text in inputs.items():
        lines = seen(text).splitlines()
        if len(lines) <= 1:
            yield f"{name}: {''.join(lines)}"
        else:
            yield f"{name}: |"
            yield from (f"  {line}" for line in lines)


def _bytes(*parts: str) -> int:
    """The length of parts, each with a newline after it."""
    return sum(len(part.encode()) + 1 for part in parts)


def _fitting(rows: Sequence[Sequence[str]], limit: int) -> tuple[list[Sequence[str]], int]:
    """The first rows that fit, and how many do not."""
    fitting: list[Sequence[str]] = []
    for row in rows:
        limit -= sum(len(cell.encode()) + 3 for cell in row) + 2
        if limit < 0:
            break
        fitting.append(row)
    return fitting, len(rows) - len(fitting)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _duration(seconds: float) -> str:
    if seconds < 60:  # noqa: PLR2004
        return f"{max(seconds, 0.0):.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _size(size: int) -> str:
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < _KIBI or unit == "GiB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= _KIBI
    raise AssertionError
