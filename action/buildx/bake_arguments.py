"""The bake action's inputs as arguments of `docker buildx bake`, in the order of docker/bake-action v7."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from action.buildx.builder import ATTESTATIONS, BAKE_ENTITLEMENTS, FILE_ENTITLEMENT, Version, satisfies
from action.buildx.definition import Target
from action.buildx.request import Request, flags, optional, repeated
from action.dataclass import dataclass, field
from action.errors import InputError
from action.github.context import WorkflowRun, counts_as_private, read_workflow_run
from action.inputs.attestations import (
    attestation_variables,
    can_add_default,
    default_provenance,
    no_default_attestations,
    provenance_value,
)
from action.inputs.bake import BakeInputs
from action.inputs.git_context import GitContext

_REMOTE = ("git://", "github.com/", "git@", "https://", "http://", "ssh://", "docker-image://")


@dataclass(frozen=True)
class Bake:
    """A bake before its definition is known.

    Attributes:
        options: the arguments that the definition depends on.
        place: the number of options that come before the default provenance.
        targets: the targets and groups to bake, as the user named them.
        folder: the folder that buildx runs in.
        environment: environment variables for buildx only, because they contain the token.
        attests: whether buildx supports attestations.
        warnings: warnings about inputs that are left out because buildx is too old for them.
    """

    options: tuple[str, ...]
    place: int
    targets: tuple[str, ...]
    folder: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    attests: bool = True
    warnings: tuple[str, ...] = ()

    @property
    def print_arguments(self) -> tuple[str, ...]:
        """The arguments that print the definition."""
        return ("bake", *self.options, "--print", *self.targets)


def read_bake(
    inputs: BakeInputs, environment: Mapping[str, str], sends_query: Callable[[], bool], version: Version | None
) -> Bake:
    """Return a bake from the action's inputs.

    Args:
        inputs: the inputs.
        environment: the environment variables.
        sends_query: returns whether buildx accepts a Git URL with a query.
        version: buildx's version, or None if it is not known; it then counts as new, except for `fs` entitlements.

    Raises:
        InputError: an input breaks a rule.
    """
    run = read_workflow_run(environment)
    git = GitContext(run, environment, sends_query)
    source = git.fill(inputs.source)
    if not source and not inputs.workdir:
        source = git.url()
    remote = source.startswith(_REMOTE)
    folder = inputs.workdir or ("." if remote or not source else source)
    if not Path(folder).is_dir():
        name = "workdir" if inputs.workdir else "source"
        raise InputError(name, f"there is no folder {folder!r}", "name a folder, or the URL of a remote definition")
    options: list[str] = [source] if remote else []
    warnings: list[str] = []
    if version is None or version >= BAKE_ENTITLEMENTS:
        # docker/bake-action allows all files too. Without this, buildx 0.20 and later ask on a terminal for access
        # outside the current folder, and fail if there is no terminal (bake/entitlements.go).
        options += repeated("--allow", (*inputs.allow, *(("fs=*",) if satisfies(version, FILE_ENTITLEMENT) else ())))
    elif inputs.allow:
        warnings.append("a bake's entitlements need buildx 0.17 or later; the input allow is ignored")
    options += optional("--call", inputs.call)
    options += repeated("--file", inputs.files)
    options += repeated("--set", inputs.set)
    options += repeated("--var", inputs.vars)
    attests = version is None or version >= ATTESTATIONS
    if not attests and (inputs.provenance or inputs.sbom):
        warnings.append("attestations need buildx 0.10 or later; the inputs provenance and sbom are ignored")
    options += optional(
        "--provenance", provenance_value(inputs.provenance, run) if inputs.provenance and attests else ""
    )
    place = len(options)
    options += optional("--sbom", inputs.sbom if attests else "")
    options += flags({"--no-cache": inputs.no_cache})
    options += optional("--builder", inputs.builder)
    options += flags({"--pull": inputs.pull, "--load": inputs.load, "--push": inputs.push})
    variables = {"BUILDX_METADATA_WARNINGS": "true", **attestation_variables(environment)}
    if inputs.github_token and "BUILDX_BAKE_GIT_AUTH_TOKEN" not in environment:
        variables["BUILDX_BAKE_GIT_AUTH_TOKEN"] = inputs.github_token
    return Bake(tuple(options), place, inputs.targets, folder, variables, attests, tuple(warnings))


def bake_request(
    bake: Bake,
    inputs: BakeInputs,
    targets: Mapping[str, Target],
    environment: Mapping[str, str],
    is_private: Callable[[WorkflowRun], bool] = counts_as_private,
    *,
    driver: str | None = None,
) -> Request:
    """Return the request for a bake with its definition.

    Args:
        bake: the bake.
        inputs: the inputs.
        targets: the definition: target name to target.
        environment: the environment variables.
        is_private: returns whether the repository is private. It is called only if the default provenance is added.
        driver: the builder's driver, or None if it is not known.
    """
    default: list[str] = []
    docker_exporter = inputs.load or any(target.docker_exporter for target in targets.values())
    adds_default = bake.attests and can_add_default(driver, docker_exporter=docker_exporter)
    if not inputs.provenance and adds_default and not no_default_attestations(environment):
        run = read_workflow_run(environment)
        attest = default_provenance(run, private=is_private(run))
        # Not `--provenance`, which would replace the attestation that a target requests in its definition.
        default += repeated(
            "--set", tuple(f"{name}.attest={attest}" for name, target in targets.items() if not target.provenance)
        )

    def arguments(*more: str) -> tuple[str, ...]:
        return ("bake", *bake.options[: bake.place], *more, *bake.options[bake.place :], *bake.targets)

    return Request(
        bake=True,
        arguments=arguments(*default),
        environment=bake.environment,
        call=inputs.call,
        without_defaults=arguments() if default else None,
        folder=bake.folder,
        contexts={name: target.context for name, target in targets.items()},
        targets={name: target.requested for name, target in targets.items()},
    )
