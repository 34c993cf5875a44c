"""Checks what buildx wrote against the published schemas, with a plain validator: none of it uses the package."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

_FOLDER = Path(__file__).resolve().parents[2] / "schemas"
_WARNINGS = "buildx.build.warnings"
_CACHE = "cache.manifest"


def check_metadata(text: str, schema: str) -> None:
    """Check a metadata file.

    Args:
        text: the file's text.
        schema: `metadata`, or `bake` for that of a bake.

    Raises:
        AssertionError: it deviates from the schema, or it is empty.
    """
    value = json.loads(text)
    problems = [f"{error.json_path}: {error.message}" for error in _validator(schema).iter_errors(value)]
    assert not problems, f"the {schema} schema does not take what buildx wrote: {problems}\n{text}"
    builds = [value] if schema == "metadata" else [each for key, each in value.items() if key != _WARNINGS]
    for build in builds:
        # A plain validator does not look into a text.
        cached = build.get(_CACHE) if isinstance(build, dict) else None
        if isinstance(cached, str):
            descriptor = json.loads(cached)
            problems = [error.message for error in _validator("metadata", "descriptor").iter_errors(descriptor)]
            assert not problems, f"{_CACHE} is no descriptor: {problems}\n{cached}"


@cache
def _validator(schema: str, part: str | None = None) -> Any:  # noqa: ANN401  # jsonschema has no types of its own
    documents = [json.loads((_FOLDER / f"{name}.schema.json").read_text()) for name in ("metadata", "bake")]
    registry: Registry[Any] = Registry().with_resources(
        (document["$id"], Resource.from_contents(document)) for document in documents
    )
    reference = f"{_id(documents, schema)}{f'#/$defs/{part}' if part else ''}"
    return Draft202012Validator({"$ref": reference}, registry=registry)


def _id(documents: list[dict[str, Any]], schema: str) -> str:
    (found,) = [str(each["$id"]) for each in documents if each["$id"].endswith(f"/{schema}.schema.json")]
    return found
