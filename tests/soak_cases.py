"""The random cases that `make test` runs: few, and with every feature that the first forty have."""

from __future__ import annotations

from collections.abc import Iterator

from soak.case import Case, Output, Target
from soak.generate import generate
from soak.place import ABILITIES, Names

SEED = "make test"
NUMBERS = (3, 8, 23, 38, 91, 99, 119, 264, 278, 336, 421, 445, 447, 474, 552, 566)
"""The numbers that `choose` chooses; tests/unit/test_soak.py says if others are needed."""

_PERSONAL = {"name", "dest"}
"""Attributes whose values differ in each case."""


def make(number: int, names: Names | None = None) -> Case:
    """Return the case of a number."""
    return generate(SEED, number, ABILITIES["containerd"], names or Names())


def features(case: Case) -> set[str]:
    """Return what a case tests: its inputs, and the kind and form of each output."""
    kind = case.kind
    found = {f"{kind} push {case.push} load {case.load}", f"{kind} provenance {case.provenance}", f"call {case.call}"}
    found |= {f"layers {case.layers}", f"set {bool(case.set)}", *case.flags}
    if kind == "bake":
        found |= {f"form {case.form}", f"targets {len(case.targets)}"}
    return found.union(*(_of_target(kind, target) for target in case.targets))


def choose(first: int = 40, among: int = 600) -> list[int]:
    """Return the numbers of cheap cases that together have every feature of the first ones."""
    cases = [make(number) for number in range(among)]
    left = set[str]().union(*map(features, cases[:first]))
    chosen: list[int] = []
    while left:
        best = max(range(among), key=lambda number: len(features(cases[number]) & left) / _cost(cases[number]))
        chosen.append(best)
        left -= features(cases[best])
    for number in list(chosen):
        others = set[str]().union(*(features(cases[each]) for each in chosen if each != number))
        if features(cases[number]) & set[str]().union(*map(features, cases[:first])) <= others:
            chosen.remove(number)
    return sorted(chosen)


def _of_target(kind: str, target: Target) -> Iterator[str]:
    yield from (f"{kind} outputs {len(target.outputs)}", f"{kind} platforms {len(target.platforms) > 1}")
    yield from (f"{kind} tags {min(len(target.tags), 2)}", f"objects {target.objects}", f"matrix {bool(target.matrix)}")
    yield from (f"annotations {bool(target.annotations)}", f"labels {bool(target.labels)}")
    yield f"arguments {bool(target.build_args)}"
    for name, texts in {"to": target.cache_to, "from": target.cache_from, "attest": target.attests}.items():
        yield from (f"{name} {text.partition(',')[0]}" for text in texts)
    for output in target.outputs:
        yield f"{kind} {output.type}"
        yield from _of_output(output)


def _of_output(output: Output) -> Iterator[str]:
    yield from (f"{output.type} style {output.style}", f"{output.type} id {output.id is not None}")
    for name, value in output.attributes:
        is_choice = name not in _PERSONAL and not name.startswith("annotation")
        yield f"{output.type} {name} {value if is_choice else ''}"


def _cost(case: Case) -> float:
    """Return about how many seconds of processor time a case takes."""
    return 1 + sum(0.4 + 0.15 * len(each.outputs) + 0.3 * len(each.platforms) for each in case.builds)
