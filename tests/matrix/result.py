"""The result of a step in a few words, after a comparison with the truth."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.engine.conftest import Step
from tests.matrix.scenarios import Truths

_FILES = ("local", "tar")

REASONS: Mapping[str, str] = {
    "one output at a time": "multiple outputs currently unsupported by the current BuildKit daemon, please upgrade",
    "not with this image store": "the docker driver with this image store cannot make this output: use a builder",
    "not on several nodes": "a builder of several nodes cannot write such a file: push the image instead",
    "this store gives an image ID": "the engine's image store gives an image ID and no digest; push the image",
    "buildx too old for the record": "this buildx cannot export build records: install buildx 0.23 or later",
    "BuildKit too old for the record": "update BuildKit to 0.14 or later",
    "several nodes, no push": "several nodes built it, and buildx reports the image of only one of them",
}
"""A short name for each reason why a step may report no digest, and a part of the step's message."""


def describe_result(step: Step, truths: Callable[[], Truths]) -> str:
    """Return a step's result in a few words: `right (record)`, `absent: REASON` or `refused: REASON`.

    Args:
        step: the step.
        truths: returns the true digests; is not called if the build failed.

    Raises:
        AssertionError: a digest is wrong, or a message is not one of the known ones.
    """
    assert "Traceback" not in step.log, step.log
    errors = [line for line in step.log.splitlines() if line.startswith("::error::")]
    digests = _flat(json.loads(step.outputs.get("digests", "{}")))
    if step.code:
        assert len(errors) == 1, step.log
        assert not digests
        assert not step.outputs.get("digest")
        return f"refused: {_reason(errors[0])}"
    assert not errors, step.log
    truth = truths()
    for key, digest in digests.items():
        assert digest == truth.get(key), f"{key}: {digest} is WRONG, expected {truth.get(key)}\n{step.log}"
    assert step.outputs.get("digest") in {None, "", *truth.values()}
    texts = {key: f"right ({evidence})" for key, evidence in _evidence(step).items() if key in digests}
    for key in _evidence(step).keys() - digests.keys():
        target, _, exporter = key.rpartition("/")
        prefix = f"::warning::target {target}: " if target else "::warning::"
        (warning,) = [each for each in step.log.splitlines() if each.startswith(f"{prefix}exporter {exporter} has no")]
        texts[key] = f"absent: {_reason(warning)}"
    return _grouped(texts) if texts else "nothing exported"


def _evidence(step: Step) -> dict[str, str | None]:
    """Return key to evidence of each exporter that makes an image."""
    exporters = json.loads(step.outputs["exporters"])
    targets: dict[str, list[dict[str, Any]]] = {"": exporters} if isinstance(exporters, list) else exporters
    return {
        f"{target}/{each['key']}".lstrip("/"): each["evidence"]
        for target, listed in targets.items()
        for each in listed
        if each["type"] not in _FILES
    }


def _flat(digests: Mapping[str, Any]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in digests.items():
        if isinstance(value, dict):
            flat |= {f"{key}/{inner}": digest for inner, digest in value.items()}
        else:
            flat[key] = value
    return flat


def _grouped(texts: Mapping[str, str]) -> str:
    """Return each text once; if there are several texts, with the keys that it applies to."""
    keys: dict[str, list[str]] = {}
    for key, text in sorted(texts.items()):
        keys.setdefault(text, []).append(key)
    if len(keys) == 1:
        return next(iter(keys))
    return "; ".join(f"{', '.join(each)} {text}" for text, each in sorted(keys.items(), key=lambda item: item[1]))


def _reason(message: str) -> str:
    found = [reason for reason, says in REASONS.items() if says in message]
    assert len(found) == 1, f"expected exactly one known reason, found {found}: {message}"
    return found[0]
