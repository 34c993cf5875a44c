"""The attestations to ask for: `provenance`, `sbom`, `attests`, and the default provenance.

The rules are those of docker/build-push-action v7 (`getAttestArgs`) and docker/actions-toolkit (`Build`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from action.github.context import WorkflowRun, counts_as_private
from action.inputs.booleans import environment_boolean, go_boolean, yaml_boolean
from action.inputs.build import Inputs
from action.inputs.csv_lists import csv_fields, csv_record

_NO_DEFAULTS = "BUILDX_NO_DEFAULT_ATTESTATIONS"


@dataclass(frozen=True)
class Attestations:
    """The values of buildx's `--attest`.

    Attributes:
        default: the provenance that nobody asked for; empty where none is added.
        asked: those that the inputs ask for, in the peer's order.
    """

    default: tuple[str, ...]
    asked: tuple[str, ...]


def attestations(
    inputs: Inputs,
    run: WorkflowRun,
    environment: Mapping[str, str],
    *,
    adds_default: bool,
    is_private: Callable[[WorkflowRun], bool] = counts_as_private,
) -> Attestations:
    """Say which attestations to ask for.

    Args:
        inputs: the inputs.
        run: the workflow run, which the provenance names as its builder.
        environment: the environment variables; BUILDX_NO_DEFAULT_ATTESTATIONS is read.
        adds_default: whether the build can have the default provenance at all.
        is_private: tells whether the repository is private; asked only where it matters.

    Raises:
        InputError: an attestation that is no CSV.
    """
    types = [_type("attests", attest) for attest in inputs.attests]
    default: tuple[str, ...] = ()
    result: list[str] = []
    if inputs.provenance:
        result.append(_switched(f"type=provenance,{provenance_value(inputs.provenance, run)}"))
    elif "provenance" not in types and adds_default and not no_default_attestations(environment):
        default = (default_provenance(run, private=is_private(run)),)
    if inputs.sbom:
        result.append(_switched(f"type=sbom,{inputs.sbom}"))
    for attest, kind in zip(inputs.attests, types, strict=True):
        if kind == "provenance":
            if not inputs.provenance:
                result.append(_with_builder(attest, run))
        elif kind == "sbom":
            if not inputs.sbom:
                result.append(attest)
        else:
            result.append(_switched(attest))
    return Attestations(default, tuple(result))


def default_provenance(run: WorkflowRun, *, private: bool) -> str:
    """The attestation that is asked for where nobody asks for another: of a private repository it says less."""
    mode = "mode=min,inline-only=true" if private else "mode=max"
    return _with_builder(f"type=provenance,{mode}", run)


def can_add_default(driver: str | None, *, docker_exporter: bool) -> bool:
    """Return whether a build can have the default provenance.

    docker/build-push-action 7.3 adds it on the docker driver only if the engine's BuildKit version ends in `-moby`
    (docker/actions-toolkit, buildkit.ts). buildx asks BuildKit's Info call for that version, whose answer never does
    (moby/buildkit, control/control.go), or takes the suffix away (docker/buildx, driver/docker/driver.go). So on that
    driver there is only buildx's own default, which the classic image store leaves out.

    Args:
        driver: the builder's driver; None if it is not known.
        docker_exporter: whether an output, or `load`, asks for the docker exporter, which takes no attestations.
    """
    return driver != "docker" and not docker_exporter


def no_default_attestations(environment: Mapping[str, str]) -> bool:
    """Return whether BUILDX_NO_DEFAULT_ATTESTATIONS is true."""
    return environment_boolean(environment.get(_NO_DEFAULTS, ""))


def attestation_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what buildx's environment needs so that it reads BUILDX_NO_DEFAULT_ATTESTATIONS as this action does.

    buildx fails if the variable is set to something other than a boolean (build/opt.go).
    """
    text = environment.get(_NO_DEFAULTS)
    return {} if text is None or go_boolean(text) is not None else {_NO_DEFAULTS: "false"}


def provenance_value(text: str, run: WorkflowRun) -> str:
    """The `provenance` input as attributes, or `true` or `false`, with the run as its builder."""
    value = yaml_boolean(text)
    if value is None:
        return _with_builder(text, run)
    if not value:
        return "false"
    return f"builder-id={run.url}" if run.url else "true"


def _with_builder(attributes: str, run: WorkflowRun) -> str:
    names = {field.partition("=")[0].strip() for field in csv_fields("provenance", attributes)}
    if "builder-id" in names or not run.url:
        return attributes
    return f"{attributes},builder-id={run.url}"


def _type(name: str, attributes: str) -> str | None:
    """The `type` of an attestation, or None."""
    for field in csv_fields(name, attributes):
        key, _, value = field.partition("=")
        if key.strip() == "type":
            return value.strip()
    return None


def _switched(attributes: str) -> str:
    """Write a bare boolean among attributes as the `disabled` attribute that buildx understands."""
    fields = []
    for field in csv_fields("attests", attributes):
        value = go_boolean(field.strip())
        fields.append(field.strip() if value is None else f"disabled={str(not value).lower()}")
    return csv_record(tuple(fields))
