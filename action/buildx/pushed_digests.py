"""Proves that a digest is that of an image which was pushed, where buildx asked the registry for it by tag.

With the classic image store a Docker Engine pushes, and buildx then asks the registry what the tag names. Another push
may have moved the tag by then. The engine itself keeps the digests by which it pushed an image (`RepoDigests`). If it
cannot be asked, the manifest of that digest must have the image's own config.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping

from action.errors import BuildDigestsError
from action.oci.image import Image, parse
from action.oci.integrity import check_digest
from action.oci.models import Document
from action.oci.reference import parse_reference
from action.process.program import capture_output

_ENGINE_SECONDS = 20.0
_REGISTRY_SECONDS = 60.0


def proved_digests(
    buildx: tuple[str, ...], environment: Mapping[str, str], ref: str | None, image: Image, repositories: frozenset[str]
) -> frozenset[str]:
    """Return `repository@digest` of each repository that surely holds an image by a digest.

    Args:
        buildx: the command that runs buildx.
        environment: its whole environment.
        ref: the build's `builder/node/ref`, or None if that is not known.
        image: the image: the digest that a registry gave for a tag, and the digest of the image's config.
        repositories: the repositories that it was pushed to.
    """
    digest, config = str(image.digest), str(image.imageid)
    if (pushed := _pushed(environment, ref, config)) is not None:
        return pushed
    wanted = (f"{repository}@{digest}" for repository in sorted(repositories))
    return frozenset(each for each in wanted if _has_config(buildx, environment, each, config))


def _pushed(environment: Mapping[str, str], ref: str | None, config: str) -> frozenset[str] | None:
    """Return `repository@digest` of all that the engine pushed or pulled of an image; None if it does not say so."""
    docker = shutil.which("docker", path=environment.get("PATH"))
    if docker is None:
        return None
    # The builder of an engine has the name of its context.
    context = ("--context", ref.partition("/")[0]) if ref else ()
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
    """Tell whether a registry serves a manifest that has a config."""
    try:
        ended = capture_output(
            (*buildx, "imagetools", "inspect", "--raw", reference), environment, seconds=_REGISTRY_SECONDS
        )
        if ended.code:
            return False
        data = ended.stdout.encode()
        check_digest(data, reference.rpartition("@")[2], reference)
        manifest = parse(Document, data, reference)
    except BuildDigestsError:
        return False
    return manifest.config is not None and manifest.config.digest == config
