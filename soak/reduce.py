"""Reduce a failing case: remove targets, outputs and inputs one at a time as long as it still fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

from soak.case import Case, Target

_EMPTY_TARGET = Target()
_EMPTY_CASE = Case("", "build", ())
_KEPT = frozenset(("name", "kind", "form", "targets", "outputs", "nonce"))


def reduced(case: Case, fails: Callable[[Case], bool], max_tries: int = 40) -> Case:
    """Return the smallest case found that still fails.

    Args:
        case: a case that fails.
        fails: returns whether a smaller case fails in the same way.
        max_tries: the largest number of smaller cases to try.
    """
    tries = 0
    shrinks = True
    while shrinks:
        shrinks = False
        for smaller in _smaller(case):
            if tries == max_tries:
                return case
            tries += 1
            if fails(smaller):
                case, shrinks = smaller, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    """Yield each case that has one thing less."""
    if len(case.targets) > 1:
        for place in range(len(case.targets)):
            yield replace(case, targets=case.targets[:place] + case.targets[place + 1 :])
    for place, target in enumerate(case.targets):
        for smaller in _smaller_targets(target):
            yield replace(case, targets=(*case.targets[:place], smaller, *case.targets[place + 1 :]))
    for field in fields(Case):
        empty = getattr(_EMPTY_CASE, field.name)
        if field.name not in _KEPT and getattr(case, field.name) != empty:
            yield replace(case, **{field.name: empty})


def _smaller_targets(target: Target) -> Iterator[Target]:
    for place, output in enumerate(target.outputs):
        yield replace(target, outputs=target.outputs[:place] + target.outputs[place + 1 :])
        needed = tuple(pair for pair in output.attributes if pair[0] in {"name", "push", "tar"})
        if output.attributes != needed or output.style != "plain":
            plain = replace(output, attributes=needed, style="plain")
            yield replace(target, outputs=(*target.outputs[:place], plain, *target.outputs[place + 1 :]))
    for field in fields(Target):
        empty = getattr(_EMPTY_TARGET, field.name)
        value = getattr(target, field.name)
        if field.name in _KEPT or field.name == "matrix" or value == empty:
            continue
        values: list[Any] = [empty]
        if isinstance(value, tuple) and value[1:]:
            values.append(value[:1])
        for each in values:
            yield replace(target, **{field.name: each})
