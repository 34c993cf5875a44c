"""Attestations have the rules of docker/build-push-action v7 (src/context.ts and its tests)."""

from __future__ import annotations

import pytest

from action.dataclass import replace
from action.errors import InputError
from action.github.context import WorkflowRun
from action.inputs.attestations import Attestations, attestation_variables, attestations, can_add_default
from action.inputs.build import read_build_inputs

RUN = WorkflowRun("https://github.com", "o/app", "42", "1", "refs/heads/main", "c0ffee", False, "")  # noqa: FBT003
PRIVATE = replace(RUN, private=True)
NO_RUN = replace(RUN, repository="", run_id="")
URL = "builder-id=https://github.com/o/app/actions/runs/42/attempts/1"


def read(
    *, run: WorkflowRun = RUN, docker: bool = False, environment: dict[str, str] | None = None, **inputs: str
) -> Attestations:
    return attestations(
        read_build_inputs(inputs),
        run,
        environment or {},
        adds_default=can_add_default("remote", docker_exporter=docker),
    )


def test_a_public_repository_gets_full_provenance_by_default() -> None:
    assert read() == Attestations((f"type=provenance,mode=max,{URL}",), ())


def test_a_private_repository_gets_little_provenance_by_default() -> None:
    assert read(run=PRIVATE).default == (f"type=provenance,mode=min,inline-only=true,{URL}",)


def test_outside_a_run_provenance_names_no_builder() -> None:
    assert read(run=NO_RUN).default == ("type=provenance,mode=max",)
    assert read(run=NO_RUN, provenance="true").requested == ("type=provenance,disabled=false",)


@pytest.mark.parametrize("text", ["1", "true", "T"])
def test_the_environment_turns_the_default_off(text: str) -> None:
    assert read(environment={"BUILDX_NO_DEFAULT_ATTESTATIONS": text}) == Attestations((), ())
    assert read(environment={"BUILDX_NO_DEFAULT_ATTESTATIONS": "false"}).default


def test_there_is_no_default_beside_a_docker_exporter() -> None:
    assert read(docker=True) == Attestations((), ())


@pytest.mark.parametrize(
    ("provenance", "value"),
    [
        ("true", f"type=provenance,{URL}"),
        ("false", "type=provenance,disabled=true"),
        ("mode=min", f"type=provenance,mode=min,{URL}"),
        ("mode=max,builder-id=me", "type=provenance,mode=max,builder-id=me"),
    ],
)
def test_provenance_is_a_boolean_or_attributes(provenance: str, value: str) -> None:
    assert read(provenance=provenance) == Attestations((), (value,))


@pytest.mark.parametrize(
    ("sbom", "value"),
    [
        ("true", "type=sbom,disabled=false"),
        ("false", "type=sbom,disabled=true"),
        ("generator=image", "type=sbom,generator=image"),
    ],
)
def test_sbom_is_a_boolean_or_attributes(sbom: str, value: str) -> None:
    assert read(sbom=sbom).requested == (value,)


def test_provenance_and_sbom_win_over_the_same_type_in_attests() -> None:
    attests = read(
        provenance="mode=max", sbom="true", attests="type=provenance,mode=min\ntype=sbom,generator=x\ntype=other,a=1"
    )
    assert attests.requested == (f"type=provenance,mode=max,{URL}", "type=sbom,disabled=false", "type=other,a=1")


@pytest.mark.parametrize(
    ("provenance", "sbom", "attests", "requested"),
    [
        # docker/build-push-action, __tests__/context.test.ts: its attestation cases, for our run.
        ("", "", "type=provenance,mode=max,builder-id=me", ("type=provenance,mode=max,builder-id=me",)),
        ("builder-id=foo", "", "", ("type=provenance,builder-id=foo",)),
        ("mode=min,inline-only=true", "", "", (f"type=provenance,mode=min,inline-only=true,{URL}",)),
        ("false", "false", "", ("type=provenance,disabled=true", "type=sbom,disabled=true")),
        ("false", "", "type=provenance,mode=max", ("type=provenance,disabled=true",)),
        ("false", "", "type=custom,true", ("type=provenance,disabled=true", "type=custom,disabled=false")),
        ("1", "", "", (f"type=provenance,disabled=false,{URL}",)),
    ],
)
def test_attestations_have_the_order_of_the_peer(
    provenance: str, sbom: str, attests: str, requested: tuple[str, ...]
) -> None:
    assert read(provenance=provenance, sbom=sbom, attests=attests) == Attestations((), requested)


def test_a_generator_with_a_comma_stays_one_attribute() -> None:
    assert read(sbom='"generator=a,b"').requested == ('type=sbom,"generator=a,b"',)
    assert read(attests='"type=custom,""x=a,b"""').requested == ('type=custom,"x=a,b"',)


def test_provenance_that_an_input_requests_stays_beside_a_docker_exporter() -> None:
    assert read(docker=True, provenance="mode=max").requested == (f"type=provenance,mode=max,{URL}",)
    assert read(docker=True, attests="type=sbom").requested == ("type=sbom",)


def test_an_environment_variable_that_is_not_a_boolean_is_false_for_buildx_too() -> None:
    name = "BUILDX_NO_DEFAULT_ATTESTATIONS"
    assert read(environment={name: "yes"}).default
    assert attestation_variables({name: "yes"}) == attestation_variables({name: ""}) == {name: "false"}
    assert attestation_variables({}) == attestation_variables({name: "1"}) == {}


@pytest.mark.parametrize(
    ("driver", "adds"), [("docker", False), ("docker-container", True), ("remote", True), (None, True)]
)
def test_the_docker_driver_has_only_the_default_of_buildx(driver: str | None, *, adds: bool) -> None:
    assert can_add_default(driver, docker_exporter=False) is adds
    assert can_add_default(driver, docker_exporter=True) is False


def test_attests_alone_replace_the_default_and_name_the_builder() -> None:
    assert read(attests="type=provenance,mode=min\ntype=sbom,generator=x") == Attestations(
        (), (f"type=provenance,mode=min,{URL}", "type=sbom,generator=x")
    )


def test_an_sbom_in_attests_keeps_the_default_provenance() -> None:
    assert read(attests="type=sbom").default == (f"type=provenance,mode=max,{URL}",)


def test_an_attestation_that_is_not_csv_is_an_error_that_names_the_input() -> None:
    with pytest.raises(InputError, match=r"^attests: "):
        attestations(replace(read_build_inputs({}), attests=('type=sbom,"x',)), RUN, {}, adds_default=True)
