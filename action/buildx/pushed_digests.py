"""Confirm the digest of a pushed image if buildx got it by asking the registry for a tag.

With the classic image store the Docker Engine pushes the image, and buildx then asks the registry for the tag's digest
(docker/buildx 0.36, build/build.go, remoteDigestWithMoby). Another push can move the tag in between, so that digest
alone proves nothing. The engine itself keeps the digests by which it pushed an image (`RepoDigests`). If the engine
does not answer, the manifest with that digest must have the image's own config.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping

from action.buildx.local_state import BuildRef
from action.buildx.request import manifest_query
from action.documents.strict_json import parse_bytes
from action.errors import BuildDigestsError
from action.oci.image import Image
from action.oci.reference import check_digest, parse_reference
from action.process.program import capture_output

_ENGINE_SECONDS = 20.0
_REGISTRY_SECONDS = 60.0


def proved_digests(
    buildx: tuple[str, ...], environment: Mapping[str, str], ref: str | None, image: Image, repositories: frozenset[str]
) -> frozenset[str]:
    """Return `repository@digest` of each repository that certainly holds the image with that digest.

    Args:
        buildx: the command that runs buildx.
        environment: its whole environment.
        ref: the build's `builder/node/ref`, or None if it is not known.
        image: the image: the digest that a registry gave for a tag, and the digest of the image's config.
        repositories: the repositories that the image was pushed to.
    """
    digest, config = str(image.digest), str(image.imageid)
    if (pushed := _engine_digests(environment, ref, config)) is not None:
        return pushed
    wanted = (f"{repository}@{digest}" for repository in sorted(repositories))
    return frozenset(each for each in wanted if _has_config(buildx, environment, each, config))


def _engine_digests(environment: Mapping[str, str], ref: str | None, config: str) -> frozenset[str] | None:
    """Return `repository@digest` of each push and pull of an image that the engine knows; None if it does not answer.

    Args:
        environment: the environment variables of docker.
        ref: the build's `builder/node/ref`, or None to ask the engine of the current context.
        config: the digest of the image's config.
    """
    docker = shutil.which("docker", path=environment.get("PATH"))
    parsed = BuildRef.parse(ref) if ref else None
    if docker is None or (ref and parsed is None):
        return None
    # The builder of a Docker Engine has the name of its docker context.
    context = ("--context", parsed.builder) if parsed else ()
    command = (docker, *context, "image", "inspect", "--format", "{{json .RepoDigests}}", config)
    try:
        ended = capture_output(command, environment, seconds=_ENGINE_SECONDS)
        names = json.loads(ended.stdout) if ended.code == 0 else None
    except (BuildDigestsError, ValueError, RecursionError):
        return None
    if not isinstance(names, list):
        return None
    found = (parse_reference(name) for name in names if isinstance(name, str))
    return frozenset(f"{each.repository}@{each.digest}" for each in found if each and each.digest)


def _has_config(buildx: tuple[str, ...], environment: Mapping[str, str], reference: str, config: str) -> bool:
    """Return whether a registry serves, for `repository@digest`, a manifest with a given config."""
    try:
        ended = capture_output((*buildx, *manifest_query("", reference)), environment, seconds=_REGISTRY_SECONDS)
        if ended.code:
            return False
        data = ended.stdout.encode()
        check_digest(data, reference.rpartition("@")[2], reference)
    except BuildDigestsError:
        return False
    # Not the model of a manifest: a push to this store is the most common of all, and its digest needs no package.
    document = parse_bytes(data, reference).value
    described = document.get("config") if isinstance(document, dict) else None
    return isinstance(described, dict) and described.get("digest") == config
