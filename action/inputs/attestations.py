"""The attestations of a build: the inputs `provenance`, `sbom` and `attests`, and the default provenance.

The rules are those of docker/build-push-action 7 (src/context.ts, `getAttestArgs`) and docker/actions-toolkit 0.95
(src/buildx/build.ts, `resolveProvenanceAttrs` and `resolveAttestationAttrs`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from action.dataclass import dataclass
from action.github.context import WorkflowRun, counts_as_private
from action.inputs.build import BuildInputs
from action.inputs.values import csv_fields, csv_record, environment_boolean, go_boolean, yaml_boolean

_NO_DEFAULTS = "BUILDX_NO_DEFAULT_ATTESTATIONS"


@dataclass(frozen=True)
class Attestations:
    """Values for the `--attest` option of buildx.

    Attributes:
        default: the default provenance; empty if none is added.
        requested: the attestations that the inputs request, in the order of docker/build-push-action.
    """

    default: tuple[str, ...]
    requested: tuple[str, ...]


def attestations(
    inputs: BuildInputs,
    run: WorkflowRun,
    environment: Mapping[str, str],
    *,
    adds_default: bool,
    is_private: Callable[[WorkflowRun], bool] = counts_as_private,
) -> Attestations:
    """Return the attestations of a build.

    Args:
        inputs: the inputs.
        run: the workflow run, which provenance names as its builder.
        environment: environment variables; BUILDX_NO_DEFAULT_ATTESTATIONS is read.
        adds_default: whether the build can have the default provenance, see `can_add_default`.
        is_private: returns whether the repository is private. It is called only if the default provenance is added,
            since it may send a request to GitHub.

    Raises:
        InputError: an attestation is not CSV.
    """
    types = [_type("attests", attest) for attest in inputs.attests]
    default: tuple[str, ...] = ()
    result: list[str] = []
    if inputs.provenance:
        result.append(_with_disabled(f"type=provenance,{provenance_value(inputs.provenance, run)}"))
    elif "provenance" not in types and adds_default and not no_default_attestations(environment):
        default = (default_provenance(run, private=is_private(run)),)
    if inputs.sbom:
        result.append(_with_disabled(f"type=sbom,{inputs.sbom}"))
    # The inputs provenance and sbom override what `attests` has of their kind.
    for attest, kind in zip(inputs.attests, types, strict=True):
        if kind == "provenance":
            if not inputs.provenance:
                result.append(_with_builder(attest, run))
        elif kind == "sbom":
            if not inputs.sbom:
                result.append(attest)
        else:
            result.append(_with_disabled(attest))
    return Attestations(default, tuple(result))


def default_provenance(run: WorkflowRun, *, private: bool) -> str:
    """Return the provenance attestation that a build has by default.

    Args:
        run: the workflow run, which the provenance names as its builder.
        private: whether the repository is private.
    """
    # mode=max contains the values of build arguments, which a private repository may not want to publish.
    mode = "mode=min,inline-only=true" if private else "mode=max"
    return _with_builder(f"type=provenance,{mode}", run)


def can_add_default(driver: str | None, *, docker_exporter: bool) -> bool:
    """Return whether a build can have the default provenance.

    Args:
        driver: the driver of the builder, such as `docker-container`; None if it is not known.
        docker_exporter: whether an output or `load` requests the docker exporter, which accepts no attestations.
    """
    # docker/build-push-action 7.3 adds it on the docker driver only if the BuildKit version of the engine ends in
    # `-moby` (docker/actions-toolkit, src/buildkit/buildkit.ts). The version that buildx shows never does: it comes
    # from BuildKit's Info call (moby/buildkit, control/control.go), or buildx removes the suffix (docker/buildx,
    # driver/docker/driver.go). So that driver has only the default of buildx, which the classic image store omits.
    return driver != "docker" and not docker_exporter


def no_default_attestations(environment: Mapping[str, str]) -> bool:
    """Return whether BUILDX_NO_DEFAULT_ATTESTATIONS is true."""
    return environment_boolean(environment.get(_NO_DEFAULTS, ""))


def attestation_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that make buildx read BUILDX_NO_DEFAULT_ATTESTATIONS as this action does.

    Args:
        environment: environment variables; BUILDX_NO_DEFAULT_ATTESTATIONS is read.

    Returns:
        The variable set to `false` if its value is not a boolean, else nothing.
    """
    # buildx fails on a value that is not a boolean (docker/buildx 0.36, build/opt.go). This action takes it for false.
    text = environment.get(_NO_DEFAULTS)
    return {} if text is None or go_boolean(text) is not None else {_NO_DEFAULTS: "false"}


def provenance_value(text: str, run: WorkflowRun) -> str:
    """Return the `provenance` input as attributes that name the run as the builder, or as `true` or `false`.

    `provenance_value("mode=max", run)` is `"mode=max,builder-id=https://github.com/octo/app/actions/runs/42/attempts/1"`.

    Args:
        text: a boolean, or attributes such as `mode=max`.
        run: the workflow run.

    Raises:
        InputError: the text is not CSV.
    """
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
    """Return the `type` of an attestation, or None if it has none."""
    for field in csv_fields(name, attributes):
        key, _, value = field.partition("=")
        if key.strip() == "type":
            return value.strip()
    return None


def _with_disabled(attributes: str) -> str:
    """Replace a bare boolean among attributes with the attribute `disabled`, as in `type=sbom,true`."""
    # buildx reads a bare boolean only as the whole value of --sbom and --provenance (util/buildflags/attests.go).
    fields = []
    for field in csv_fields("attests", attributes):
        value = go_boolean(field.strip())
        fields.append(field.strip() if value is None else f"disabled={str(not value).lower()}")
    return csv_record(tuple(fields))
