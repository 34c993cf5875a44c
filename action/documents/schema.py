"""The JSON Schemas (draft 2020-12) that this project publishes, and validation of documents against them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from action.documents.pointer import pointer
from action.documents.strict_json import parse_document
from action.errors import DocumentError

SCHEMAS = ("metadata", "bake", "results", "digests")
"""The names of the schemas."""

MAX_FAULTS = 100
"""Maximum number of faults of a document that are reported."""

_MAX_ERRORS = 1000
# Characters of a faulty value in a message.
_MAX_SHOWN = 120
_WARNINGS = "buildx.build.warnings"
_METADATA_KEYS = ("buildx.build.", "containerimage.", "image.name", "cache.", "result.", "frontend.", "exporter")
"""The beginnings of the keys that buildx and BuildKit write, in lower case."""


def schema_text(name: str) -> str:
    """Return the text of a schema.

    Args:
        name: one of SCHEMAS.

    Raises:
        FileNotFoundError: the schema is missing from this installation.
    """
    package = Path(__file__).resolve().parents[1]
    # A wheel contains the schemas inside the package; in a checkout they are beside it.
    for folder in (package / "schemas", package.parent / "schemas"):
        file = folder / f"{name}.schema.json"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    raise FileNotFoundError(f"schema {name} is missing from the installation at {package}")


def faults(value: object, name: str, source: str) -> Iterator[DocumentError]:
    """Yield the faults of a document in the order of their places.

    A document with more than MAX_FAULTS faults yields that many, out of the first thousand that are found.

    Args:
        value: the document, as `parse_document` returns it.
        name: the schema, one of SCHEMAS.
        source: the document's name in messages.
    """
    # Not all errors: each takes kilobytes of memory, and a document of a few megabytes can have a million of them.
    found = islice(_validator(name).iter_errors(value), _MAX_ERRORS)
    # Two paths can be compared: where they differ, both have an object's key or both have an array's index.
    errors = sorted(found, key=lambda error: list(error.absolute_path))
    for error in errors[:MAX_FAULTS]:
        yield DocumentError(source, pointer(list(error.absolute_path)), _problem(error))


def guess_schema(value: object) -> str | None:
    """Return the name of the schema that a document is meant for, or None if its form does not show it.

    Args:
        value: the document, as `parse_document` returns it.
    """
    if not isinstance(value, dict):
        return "metadata" if isinstance(value, list) else None
    if "version" in value and ("exporters" in value or "targets" in value):
        return "results"
    if any(_is_metadata_key(key) for key in value if key != _WARNINGS):
        return "metadata"
    if value and all(isinstance(member, str) for member in value.values()):
        return "digests"
    # The metadata files of a build and of a bake both have the build's warnings under this key.
    targets = [member for key, member in value.items() if key != _WARNINGS]
    if targets and all(isinstance(target, dict | list) for target in targets):
        return _guess_by_targets(targets)
    return "metadata" if _WARNINGS in value and not any(isinstance(target, list) for target in targets) else None


def _guess_by_targets(targets: Sequence[object]) -> str:
    objects = [target for target in targets if isinstance(target, dict)]
    if len(objects) < len(targets):
        return "bake"
    # `{"web": {"image": "sha256:…"}}`: the digests of a bake have text only, and no key that BuildKit writes.
    texts = all(target and all(isinstance(item, str) for item in target.values()) for target in objects)
    known = any(_is_metadata_key(key) for target in objects for key in target)
    return "digests" if texts and not known else "bake"


def _is_metadata_key(key: str) -> bool:
    return key.lower().startswith(_METADATA_KEYS)


def _problem(error: ValidationError) -> str:
    expected = error.schema.get("description") if isinstance(error.schema, dict) else None
    if error.validator == "required":
        return f"{error.message}; expected {expected}" if expected else error.message
    # Not jsonschema's message: it contains the whole value, which may be a document of megabytes.
    found = json.dumps(error.instance, ensure_ascii=False)
    if len(found) > _MAX_SHOWN:
        found = found[:_MAX_SHOWN] + "…"
    return f"expected {expected or error.message}, found {found}"


@cache
def _validator(name: str) -> Draft202012Validator:
    # `extend` has no types.
    validator: type[Draft202012Validator] = extend(Draft202012Validator, {"contentSchema": _check_content})  # type: ignore[no-untyped-call]
    return validator(json.loads(schema_text(name)))


def _check_content(
    validator: Draft202012Validator, content_schema: Mapping[str, Any], value: object, _: object
) -> Iterator[ValidationError]:
    """Check JSON in a string: the specification leaves that to applications (JSON Schema Validation, section 8)."""
    if not isinstance(value, str):
        return
    try:
        content = parse_document(value, "text")
    except DocumentError as fault:
        yield ValidationError(fault.problem)
        return
    yield from validator.descend(content, content_schema)
