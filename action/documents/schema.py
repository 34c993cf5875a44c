"""The JSON Schemas (draft 2020-12) that this project publishes, and documents held against them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry, Resource

from action.documents.pointer import pointer
from action.documents.strict_json import parse_document
from action.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMAS = ("metadata", "bake", "results", "digests")
"""The names of the schemas."""

MAX_FAULTS = 100
"""Most faults of a document that are told."""

_MOST_FOUND = 1000
_LONGEST_VALUE = 120


def schema_text(name: str) -> str:
    """The text of a schema.

    Args:
        name: one of SCHEMAS.
    """
    package = Path(__file__).resolve().parents[1]
    # In a wheel the schemas are part of the package; in a checkout they stand beside it.
    for folder in (package / "schemas", package.parent / "schemas"):
        file = folder / f"{name}.schema.json"
        if file.is_file():
            return file.read_text(encoding="utf-8")
    message = f"schema {name} is missing from the installation at {package}"
    raise FileNotFoundError(message)


def faults(value: object, name: str, source: str) -> Iterator[DocumentError]:
    """The faults of a document, sorted by place: every one, or 100 of the first thousand that are found.

    Args:
        value: the document.
        name: the schema to hold it against, one of SCHEMAS.
        source: what to call the document.
    """
    # Each error takes kilobytes: a small document could have millions of them.
    found = islice(_validator(name).iter_errors(value), _MOST_FOUND)
    # What is in one place is all members, named by texts, or all items, by numbers: the paths can be compared.
    errors = sorted(found, key=lambda error: list(error.absolute_path))
    for error in errors[:MAX_FAULTS]:
        yield DocumentError(source, pointer(list(error.absolute_path)), _problem(error))


def guess_schema(value: object) -> str | None:  # noqa: PLR0911  # a list of cases
    """Which schema a document is meant for, or None where its form does not say."""
    if isinstance(value, list):
        return "metadata"
    if not isinstance(value, dict):
        return None
    if "version" in value and ("exporters" in value or "targets" in value):
        return "results"
    members = list(value.values())
    if any(_is_metadata_key(key) for key in value if key != "buildx.build.warnings"):
        return "metadata"
    if members and all(isinstance(member, str) for member in members):
        return "digests"
    targets = [member for key, member in value.items() if key != "buildx.build.warnings"]
    if targets and any(isinstance(member, list) for member in targets):
        return "bake" if all(isinstance(member, list | dict) for member in targets) else None
    if targets and all(isinstance(member, dict) for member in targets):
        texts = all(member and all(isinstance(item, str) for item in member.values()) for member in targets)
        known = any(_is_metadata_key(key) for member in targets for key in member)
        return "digests" if texts and not known else "bake"
    return "metadata" if "buildx.build.warnings" in value else None


def _is_metadata_key(key: str) -> bool:
    prefixes = ("buildx.build.", "containerimage.", "image.name", "cache.", "result.", "frontend.", "exporter")
    return key.lower().startswith(prefixes)


def _problem(error: ValidationError) -> str:
    expected = error.schema.get("description") if isinstance(error.schema, dict) else None
    if error.validator == "required":
        return f"{error.message}; expected {expected}" if expected else error.message
    found = json.dumps(error.instance, ensure_ascii=False)
    if len(found) > _LONGEST_VALUE:
        found = found[:_LONGEST_VALUE] + "…"
    return f"expected {expected or error.message}, found {found}"


@cache
def _validator(name: str) -> Any:  # noqa: ANN401  # jsonschema's validator classes have no type of their own
    resources = [Resource.from_contents(json.loads(schema_text(each))) for each in SCHEMAS]
    registry: Registry[Any] = Registry().with_resources([(resource.id() or "", resource) for resource in resources])
    # jsonschema has no types of its own.
    validator: Any = extend(Draft202012Validator, {"contentSchema": _check_content})  # type: ignore[no-untyped-call]
    return validator(json.loads(schema_text(name)), registry=registry)


def _check_content(
    validator: Any,  # noqa: ANN401  # the same
    content_schema: Mapping[str, Any],
    value: object,
    _: object,
) -> Iterator[ValidationError]:
    """Check JSON in a text. The specification leaves that to the application (JSON Schema Validation, section 8)."""
    if not isinstance(value, str):
        return
    try:
        content = parse_document(value, "text")
    except DocumentError as fault:
        yield ValidationError(fault.problem)
        return
    yield from validator.descend(content, content_schema)
