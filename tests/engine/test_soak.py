"""Random builds and bakes of one seed, each digest compared with the registries, the tars and the engine."""

from __future__ import annotations

import os

import pytest

from soak.generate import generate
from soak.oracle import run_case
from soak.place import ABILITIES, Names, Place, new_nonce
from soak.show import case_text, faults_text

SEED = "make test"
PARTS = 8


@pytest.mark.parametrize("part", range(PARTS))
def test_every_digest_of_a_random_build_is_that_of_the_other_end(
    part: int, registry: str, second_registry: str
) -> None:
    place = Place("containerd", os.environ, registry, second_registry)
    outputs = 0
    for number in range(part * 5, part * 5 + 5):
        names = Names(registry, second_registry, new_nonce())
        case = generate(SEED, number, ABILITIES["containerd"], names)
        verdict = run_case(case, place)
        assert not verdict.faults, f"{faults_text(verdict.faults)}\n{case_text(case)}\n{verdict.log}"
        outputs += verdict.counts.outputs
    assert outputs
