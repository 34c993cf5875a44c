"""Random builds and bakes, each digest compared with the registries, the tars and the engine."""

from __future__ import annotations

import os

import pytest

from soak.oracle import run_case
from soak.place import Names, Place, new_nonce
from soak.show import case_text, faults_text
from tests.soak_cases import NUMBERS, make


@pytest.mark.parametrize("number", NUMBERS)
def test_every_digest_of_a_random_build_is_that_of_the_other_end(
    number: int, registry: str, second_registry: str
) -> None:
    case = make(number, Names(registry, second_registry, new_nonce()))
    verdict = run_case(case, Place("containerd", os.environ, registry, second_registry))
    assert not verdict.faults, f"{faults_text(verdict.faults)}\n{case_text(case)}\n{verdict.log}"
    assert verdict.counts.builds
