"""The build action's inputs as arguments of `docker buildx build`, in the order of docker/build-push-action v7."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from action.buildx.request import Request, flags, optional, repeated
from action.errors import InputError
from action.exporters.output import parse_caches, parse_outputs
from action.exporters.requested import requested_exporters
from action.github.context import WorkflowRun, counts_as_private, read_workflow_run
from action.inputs.attestations import attestation_variables, attestations, can_add_default
from action.inputs.build import BuildInputs
from action.inputs.git_context import GitContext
from action.inputs.secrets import Secrets, read_secrets

# Options that docker/build-push-action leaves out, with a warning, if buildx is too old for them: option to warning.
_DROPPABLE = {
    "--annotation": "annotations need buildx 0.12 or later; the input annotations is ignored",
    "--attest": "attestations need buildx 0.10 or later; the inputs attests, provenance and sbom are ignored",
    "--build-context": "build contexts need buildx 0.8 or later; the input build-contexts is ignored",
}

STDIN = "-"
"""The context that is read from standard input."""


def build_request(
    inputs: BuildInputs,
    environment: Mapping[str, str],
    sends_query: Callable[[], bool],
    is_private: Callable[[WorkflowRun], bool] = counts_as_private,
    driver: str | None = None,
) -> tuple[Request, tuple[str, ...]]:
    """Return the request for a build from the action's inputs.

    Args:
        inputs: the inputs.
        environment: the environment variables; nothing else of the system is read.
        sends_query: returns whether buildx accepts a Git URL with a query. It is called at most once, and only if a Git
            URL is used.
        is_private: returns whether the repository is private. It is called only if the default provenance is added.
        driver: the builder's driver, or None if it is not known.

    Returns:
        The request, and warnings about inputs that have no effect.

    Raises:
        InputError: an input breaks a rule.
    """
    run = read_workflow_run(environment)
    git = GitContext(run, environment, cache(sends_query))
    outputs = parse_outputs(inputs.outputs)
    requested = requested_exporters(
        outputs,
        tags=inputs.tags,
        push=inputs.push,
        load=inputs.load,
        call=inputs.call,
        annotations=inputs.annotations,
        caches=parse_caches(inputs.cache_to),
    )
    context = git.fill(inputs.context) or git.url()
    if context.startswith("-") and context != STDIN:
        # pflag reads options after other arguments too, so that the input could add any option to the command.
        rule = f"buildx would read it as an option; for a folder of that name write ./{context}"
        raise InputError("context", f"{context!r} starts with a hyphen", rule)

    def token_host() -> str | None:
        # The token is for the run's own repository, and no other host may receive it.
        return run.host if run.repository and context.startswith(git.url()) else None

    secrets = read_secrets(inputs, token_host)
    docker_exporter = inputs.load or any(output.type == "docker" for output in outputs)
    adds_default = can_add_default(driver, docker_exporter=docker_exporter)
    attests = attestations(inputs, run, environment, adds_default=adds_default, is_private=is_private)

    def arguments(*attestations: str) -> tuple[str, ...]:
        return ("build", *_build_arguments(inputs, git, attestations, secrets), *_common_arguments(inputs), context)

    request = Request(
        arguments=arguments(*attests.default, *attests.requested),
        targets={"": requested},
        environment={
            "BUILDX_METADATA_WARNINGS": "true",
            **attestation_variables(environment),
            **secrets.environment,
        },
        call=inputs.call,
        without_defaults=arguments(*attests.requested) if attests.default else None,
        droppable=_DROPPABLE,
        contexts={"": context},
    )
    return request, secrets.warnings


def _build_arguments(
    inputs: BuildInputs, git: GitContext, attests: tuple[str, ...], secrets: Secrets
) -> tuple[str, ...]:
    return (
        *repeated("--add-host", inputs.add_hosts),
        *repeated("--allow", inputs.allow),
        *repeated("--annotation", inputs.annotations),
        *repeated("--build-arg", inputs.build_args),
        *repeated("--build-context", map(git.fill, inputs.build_contexts)),
        *repeated("--cache-from", inputs.cache_from),
        *repeated("--cache-to", inputs.cache_to),
        *optional("--call", inputs.call),
        *optional("--cgroup-parent", inputs.cgroup_parent),
        *repeated("--secret", secrets.arguments),
        *optional("--file", inputs.file),
        *repeated("--label", inputs.labels),
        *repeated("--no-cache-filter", inputs.no_cache_filters),
        *repeated("--output", inputs.outputs),
        *optional("--platform", ",".join(inputs.platforms)),
        *repeated("--attest", attests),
        *repeated("--secret", secrets.late_arguments),
        *optional("--shm-size", inputs.shm_size),
        *repeated("--ssh", inputs.ssh),
        *repeated("--tag", inputs.tags),
        *optional("--target", inputs.target),
        *repeated("--ulimit", inputs.ulimit),
    )


def _common_arguments(inputs: BuildInputs) -> tuple[str, ...]:
    return (
        *optional("--builder", inputs.builder),
        *flags({"--load": inputs.load}),
        *optional("--network", inputs.network),
        *flags({"--no-cache": inputs.no_cache, "--pull": inputs.pull, "--push": inputs.push}),
    )
