"""The summary of a run in Markdown: outputs with their digests, times, inputs, and what failed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from action.exporters.attributed import AttributedExporter
from action.oci.reference import parse_reference
from action.report.comparison import comparison_parts, size_text
from action.report.layers import layers_part
from action.report.model import Report, masked
from action.report.safe_text import block, code, details, digest_blocks, one_line, table, visible, wrapped
from action.report.timeline import duration, slowest_steps, timeline_part

# GitHub shows nothing of a larger summary: "upload aborted, supports content up to a size of 1024k".
LIMIT = 1024 * 1024
"""Largest size of a step's summary in bytes."""

# Bytes that are kept free for the header of the table and for the line that names what was left out.
_SPARE = 4096
_DIGEST_LENGTH = 12
_MAX_WARNINGS = 12
_MAX_EXCERPT = 16 * 1024
_MAX_EXCERPT_LINES = 100
_LAST_LINES = 20
_NOTHING = "-"
_RULE = re.compile(r"^-{5,}$")
_STEP = re.compile(r"^ > ")


def render(report: Report, limit: int = LIMIT) -> str:
    """Return the summary of a run in Markdown.

    Args:
        report: the content.
        limit: the largest size in bytes. Parts that do not fit are left out, the least important first, and the summary
            names them.
    """
    # Secrets are masked before any text is cut: a part of a secret would not be found.
    report = masked(report)
    # Thousands of errors must not crowd out the table, nor thousands of outputs the parts below it.
    body = list(_head(report, limit // 2))
    rows = list(_rows(report))
    left = limit - _SPARE - _bytes(*body)
    shown = _fitting(rows, left * 3 // 4)
    if shown:
        body.append(table(_columns(report), shown))
        left -= _bytes(body[-1])
    left_out = [f"{len(rows) - len(shown)} of {len(rows)} outputs"] if len(shown) < len(rows) else []
    for name, part in _optional(report):
        if _bytes(part) <= left:
            body.append(part)
            left -= _bytes(part)
        else:
            left_out.append(name)
    if left_out:
        body.append(f"Left out, because GitHub limits the size of a summary: {', '.join(left_out)}.\n")
    return "\n".join(body) + "\n"


def outputs_table(report: Report, limit: int) -> str:
    """Return the parts of a summary for a comment: heading, messages, table of outputs and comparison.

    Args:
        report: the content.
        limit: the largest size in bytes.
    """
    report = masked(report)
    body = list(_head(report, limit // 2))
    rows = list(_rows(report))
    shown = _fitting(rows, limit - _SPARE - _bytes(*body))
    if shown:
        body.append(table(_columns(report), shown))
    if len(shown) < len(rows):
        body.append(f"{len(rows) - len(shown)} of {len(rows)} outputs are left out.\n")
    for _, part in comparison_parts({target.name: target.results for target in report.targets}):
        if _bytes(*body, part) <= limit:
            body.append(part)
    return "\n".join(body) + "\n"


def shown_inputs(raw: Mapping[str, str], hidden: Sequence[str]) -> dict[str, str]:
    """Return the inputs that are set and may be shown, without those that are `false`.

    Args:
        raw: input name to its text.
        hidden: the names of inputs that are not shown, such as those that contain secrets.
    """
    return {
        name: text.strip()
        for name, text in raw.items()
        if name not in hidden and text.strip() and text.strip().lower() != "false"
    }


def failure_excerpt(log: str) -> str:
    """Return the part of buildx's log about the failed steps: their last log lines, and the lines of the Dockerfile.

    buildx prints it at the end of its log. A log without such a part gives its last lines.

    Args:
        log: the end of buildx's standard error, in plain progress.
    """
    lines = [line.rstrip() for line in visible(log).rstrip().split("\n")]
    begun = [place for place, line in enumerate(lines[:-1]) if _RULE.match(line) and _STEP.match(lines[place + 1])]
    # Each failed step has such a part, with its log between two rules (lines of dashes).
    excerpt = lines[begun[0] + 1 :] if begun else lines[-_LAST_LINES:]
    return "\n".join(line for line in excerpt[-_MAX_EXCERPT_LINES:] if not _RULE.match(line)).strip("\n")


def _head(report: Report, limit: int) -> Iterator[str]:
    """Yield the heading, the facts, and as many errors and warnings as fit into `limit` bytes."""
    yield f"### {'❌' if report.failed else '✅'} {report.title}{' failed' if report.failed else ''}\n"
    facts = list(_facts(report))
    if facts:
        yield " · ".join(facts) + "\n"
    for mark, kind, texts, max_count in (
        ("❌", "error", report.errors, len(report.errors)),
        ("⚠️", "warning", report.warnings, _MAX_WARNINGS),
    ):
        shown = [line for (line,) in _fitting(([f"{mark} {code(text)}\n"] for text in texts[:max_count]), limit)]
        limit -= _bytes(*shown)
        yield from shown
        if len(shown) < len(texts):
            yield f"{mark} and {_count(len(texts) - len(shown), f'more {kind}')}\n"


def _facts(report: Report) -> Iterator[str]:
    if report.targets and report.targets[0].name:
        yield _count(len(report.targets), "target")
    times = [each.progress for each in report.targets if each.progress]
    begun = [each.created for each in times if each.created is not None]
    ended = [each.completed for each in times if each.completed is not None]
    if begun and ended:
        yield duration(max(ended) - min(begun))
    steps = [step for each in times for step in each.steps]
    if steps:
        cached = sum(1 for step in steps if step.cached)
        yield f"{_count(len(steps), 'step')}, {cached} from the cache"


def _columns(report: Report) -> list[str]:
    bake = any(target.name for target in report.targets)
    return [
        *(["Target"] if bake else []),
        "Output",
        "Type",
        "Went to",
        "Digest",
        *_optional_columns(report),
        "Platforms",
    ]


def _optional_columns(report: Report) -> list[str]:
    """Return the columns that say something: many engines know an image by its digest, and a size may be unknown."""
    exporters = [exporter for target in report.targets if target.results for exporter in target.results.exporters]
    imageids = any(exporter.imageid not in {None, exporter.digest} for exporter in exporters)
    sizes = any(exporter.size is not None for exporter in exporters)
    return [*(["Image ID"] if imageids else []), *(["Size"] if sizes else [])]


def _rows(report: Report) -> Iterator[list[str]]:
    bake, optional = any(target.name for target in report.targets), _optional_columns(report)
    for target in report.targets:
        for exporter in target.results.exporters if target.results else ():
            cells = [
                code(exporter.key),
                code(exporter.type),
                _where(exporter, report.sizes),
                _short(exporter.digest),
                *([_short(exporter.imageid)] if "Image ID" in optional else []),
                *([_NOTHING if exporter.size is None else size_text(exporter.size)] if "Size" in optional else []),
                " ".join(code(each.platform) for each in exporter.platforms if each.platform) or _NOTHING,
            ]
            yield [*([code(target.name)] if bake else []), *cells]


def _where(exporter: AttributedExporter, sizes: Mapping[str, int]) -> str:
    if exporter.dest is not None:
        size = sizes.get(exporter.dest)
        return code(exporter.dest) + (f" {size_text(size)}" if size is not None else "")
    # A cell of a Markdown table is one line, so a line break in it must be HTML.
    names = "<br>".join(code(name) for name in exporter.names)
    if not names:
        return _NOTHING
    return names if exporter.push else f"{names} (not pushed)"


def _short(digest: str | None) -> str:
    if digest is None:
        return _NOTHING
    algorithm, _, encoded = digest.partition(":")
    return code(f"{algorithm}:{encoded[:_DIGEST_LENGTH]}", title=digest)


def _optional(report: Report) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each further part, the most important first."""
    if report.failure:
        yield "what failed", "#### What failed\n\n" + block(wrapped(report.failure[-_MAX_EXCERPT:]), "text")
    yield from comparison_parts({target.name: target.results for target in report.targets})
    yield from _caches(report)
    if lines := list(_full_digests(report)):
        yield "the digests in full", details("Digests in full", digest_blocks(lines))
    if largest := layers_part(report.layers):
        yield "the largest layers", largest
    steps = [(target.name, step) for target in report.targets if target.progress for step in target.progress.steps]
    if drawn := timeline_part(steps):
        yield "the steps over time", drawn
    if slowest := slowest_steps(steps):
        yield "the slowest steps", slowest
    if report.inputs:
        yield "the inputs", details("Inputs", block("\n".join(_yaml(report.inputs)), "yaml"))


def _caches(report: Report) -> Iterator[tuple[str, str]]:
    bake = any(target.name for target in report.targets)
    rows = [
        [
            *([code(target.name)] if bake else []),
            code(cache.key),
            code(cache.type),
            code(cache.ref or cache.dest or _NOTHING),
            _short(cache.digest),
        ]
        for target in report.targets
        for cache in (target.results.caches if target.results else ())
    ]
    if rows:
        header = [*(["Target"] if bake else []), "Cache", "Type", "Went to", "Digest"]
        yield "the caches", "#### Caches\n\n" + table(header, rows)


def _full_digests(report: Report) -> Iterator[tuple[str, str]]:
    """Yield the repository and digest of each pushed image, and key and digest of all other outputs and caches."""
    for target in report.targets:
        for exporter in target.results.exporters if target.results else ():
            if exporter.digest is None:
                continue
            # Two tags of one repository are one image.
            references = [reference for name in exporter.names if (reference := parse_reference(name))]
            named = list(dict.fromkeys(each.repository for each in references))
            label = " ".join(part for part in (one_line(target.name), exporter.key) if part)
            yield from ((name, exporter.digest) for name in (named if named and exporter.push else [label]))
        for key, digest in target.results.cache_digests.items() if target.results else ():
            yield " ".join(part for part in (one_line(target.name), "cache", key) if part), digest


def _yaml(inputs: Mapping[str, str]) -> Iterator[str]:
    for name, text in inputs.items():
        lines = visible(text).splitlines()
        if len(lines) <= 1:
            yield f"{name}: {''.join(lines)}"
        else:
            yield f"{name}: |"
            yield from (f"  {line}" for line in lines)


def _bytes(*parts: str) -> int:
    """Return the size of parts in bytes, each with a newline after it."""
    return sum(len(part.encode()) + 1 for part in parts)


def _fitting(rows: Iterable[Sequence[str]], limit: int) -> list[Sequence[str]]:
    """Return the first rows that fit into `limit` bytes of a Markdown table; those after them are not made."""
    fitting: list[Sequence[str]] = []
    for row in rows:
        # A row is `| cell | cell |` and a newline: three more characters for each cell, and two for the row.
        limit -= sum(len(cell.encode()) + 3 for cell in row) + 2
        if limit < 0:
            break
        fitting.append(row)
    return fitting


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
