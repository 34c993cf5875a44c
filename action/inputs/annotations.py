"""Annotations of an index that joins images."""

from __future__ import annotations

import re

from action.errors import InputError

_LEVELS = re.compile(r"[a-z-]+(?:\[[^\]]*\])?(?:,[a-z-]+(?:\[[^\]]*\])?)*")
_INDEX = "index"
_DESCRIPTOR = "manifest-descriptor"
_DROPPED = ("manifest", "index-descriptor")


def index_annotation(name: str, text: str) -> str:
    """An annotation with its level, as `imagetools create` wants it: `index:key=value`.

    Without a level the index is meant. What is meant for manifests as well is kept for the index only: their own
    annotations were set when they were built (docker/buildx 0.36, util/imagetools/create.go, takes no others).

    Args:
        name: the input, for errors.
        text: the annotation, `key=value` or `level:key=value`.

    Raises:
        InputError: it has another form, or is meant for manifests only.
    """
    key, equals, value = text.partition("=")
    levels, colon, rest = key.partition(":")
    if not colon or not _LEVELS.fullmatch(levels):
        levels, rest = _INDEX, key
    if not equals or not rest:
        raise InputError(name, f"{text!r} is no annotation", "write key=value")
    kept = []
    for level in _split(levels):
        bare = level.partition("[")[0]
        if level == _INDEX or bare == _DESCRIPTOR:
            kept.append(level)
        elif bare not in _DROPPED:
            raise InputError(name, f"{level!r} in {text!r} is no level", "write index:key=value")
    if not kept:
        rule = (
            "an index that is made of images takes index:key=value only; with docker/metadata-action set "
            "DOCKER_METADATA_ANNOTATIONS_LEVELS to manifest,index"
        )
        raise InputError(name, f"{text!r} is for each image's own manifest", rule)
    return f"{','.join(kept)}:{rest}={value}"


def _split(levels: str) -> list[str]:
    return re.findall(r"[a-z-]+(?:\[[^\]]*\])?", levels)
