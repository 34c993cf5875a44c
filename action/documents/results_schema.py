"""Generates the JSON Schemas of this project's own documents from their models (`make schemas`).

Pydantic's own schema is valid, but a validator cannot explain a fault with it: an optional value becomes `anyOf`, and
for a fault inside it a validator reports only that no alternative matches. Here the faulty place itself is found, and
each place has a description, which is the text of the message.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import DefsRef, GenerateJsonSchema, JsonSchemaMode
from pydantic_core import core_schema

from action.results import BakeResults, BuildResults, Digests

# The tag of the major version, as in `uses: build-digests/build-digests@v1`. Within it no member changes its meaning.
_ADDRESS = "https://raw.githubusercontent.com/build-digests/build-digests/v1/schemas"

_DIGEST = "sha256:b5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df78"
_BUILD = {
    "version": 1,
    "ref": "default/default/kjudg3h3b1u2l7i9m0v5xg4ts",
    "digest": _DIGEST,
    "imageid": _DIGEST,
    "exporters": [
        {
            "key": "release",
            "index": 0,
            "id": "release",
            "type": "image",
            "names": ["ghcr.io/octo/app:1"],
            "push": True,
            "dest": None,
            "digest": _DIGEST,
            "imageid": _DIGEST,
            "descriptor": {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": _DIGEST, "size": 855},
            "platforms": [],
            "evidence": "record",
        }
    ],
    "caches": [
        {
            "key": "0",
            "index": 0,
            "id": None,
            "type": "registry",
            "ref": "ghcr.io/octo/app:cache",
            "dest": None,
            "digest": _DIGEST,
            "evidence": "response",
        }
    ],
}

_Schema = dict[str, Any]
_ORDER = ("title", "description", "examples", "type", "required", "if", "then", "else", "properties")


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, with `if` and `else` in place of `anyOf`, and without defaults.

    The schemas compile in ajv's strict mode, which SchemaStore uses: a schema has one type, and null beside it at most,
    and `required` names properties that the same schema has.
    """

    def nullable_schema(self, schema: core_schema.NullableSchema) -> _Schema:
        """Generate a schema that accepts null as well."""
        inner = self.generate_inner(schema["schema"])
        if "$ref" in inner:
            return {"if": {"const": None}, "else": inner}
        if "enum" in inner:
            return {**inner, "enum": [*inner["enum"], None]}
        return {**inner, "type": [inner["type"], "null"]}

    def union_schema(self, schema: core_schema.UnionSchema) -> _Schema:
        """Generate a schema of a text or an object."""
        text, other = (self.generate_inner(choice) for choice in schema["choices"])  # type: ignore[arg-type]
        # The only union is that of `digests`. It has no type of its own, since that would be two.
        neither = {"description": f"a digest, or {other['description']}", "type": "string"}
        return {
            "if": {"type": "object"},
            "then": other,
            "else": {"if": {"type": "string"}, "then": text, "else": neither},
        }

    def field_title_should_be_set(self, schema: object) -> bool:
        """Leave out titles of members, which repeat their names."""
        del schema
        return False

    def str_schema(self, schema: core_schema.StringSchema) -> _Schema:
        """Generate a schema of a text."""
        found = super().str_schema(schema)
        if "pattern" in found:
            # In Python, unlike in JavaScript and in Rust, `$` also matches before a line break at the end.
            found["pattern"] += r"(?!\n)"
        return found

    def literal_schema(self, schema: core_schema.LiteralSchema) -> _Schema:
        """Generate a schema of constants, which need no type."""
        return {"enum": schema["expected"]}

    def dict_schema(self, schema: core_schema.DictSchema) -> _Schema:
        """Generate a schema of an object; a key that breaks its rule is a fault."""
        found: _Schema = {"type": "object", "additionalProperties": self.generate_inner(schema["values_schema"])}
        keys = self.generate_inner(schema["keys_schema"])
        return {**found, "propertyNames": keys} if keys != {"type": "string"} else found

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> _Schema:
        """Generate a schema without its default: a default is not a rule for documents."""
        return self.generate_inner(schema["schema"])

    def sort(self, value: _Schema, parent_key: str | None = None) -> _Schema:
        """Put first what is read first."""
        return {name: _sorted(value[name], name) for name in _in_order(value, parent_key)}


def results_schema() -> _Schema:
    """Return the schema of the results document: the results of one build or of a bake."""
    (build, bake), definitions = _generated(BuildResults, BakeResults)
    return {
        **_head("results", "Results of build-digests", _BUILD, {"version": 1, "targets": {"web": _BUILD}}),
        "description": "results of one build, or of each target of a bake",
        "type": "object",
        "required": ["version"],
        "properties": {"version": {"description": "the version of this format: 1"}},
        "if": {"required": ["targets"], "properties": {"targets": {}}},
        "then": bake,
        "else": build,
        "$defs": definitions,
    }


def digests_schema() -> _Schema:
    """Return the schema of the step output `digests`."""
    (digests,), definitions = _generated(Digests)
    head = _head(
        "digests", "Digests of build-digests", {"release": _DIGEST}, {"web": {"release": _DIGEST, "1": _DIGEST}}
    )
    # `$id` and `$schema` belong to the document, so its own model stands there and not in a definition.
    name = digests["$ref"].rpartition("/")[2]
    others = {each: definition for each, definition in definitions.items() if each != name}
    return {
        **head,
        **definitions[DefsRef(name)],
        **head,
        "$defs": others,
    }


GENERATED: dict[str, Callable[[], _Schema]] = {"digests": digests_schema, "results": results_schema}
"""Each generated schema by its name."""


def generated_text(name: str) -> str:
    """Return the text of a generated schema's file.

    Args:
        name: a key of GENERATED.
    """
    return json.dumps(GENERATED[name](), indent=2, ensure_ascii=False) + "\n"


def main(folder: Path) -> None:
    """Write the generated schemas into a folder."""
    for name in GENERATED:
        (folder / f"{name}.schema.json").write_text(generated_text(name), encoding="utf-8")


def _sorted(value: object, parent_key: str) -> object:
    if isinstance(value, list):
        return [_sorted(item, parent_key) for item in value]
    if not isinstance(value, dict) or parent_key in {"examples", "const", "enum"}:
        return value
    return {name: _sorted(value[name], name) for name in _in_order(value, parent_key)}


def _in_order(value: _Schema, parent_key: str | None) -> Iterable[str]:
    return value if parent_key == "properties" else sorted(value, key=_position)


def _position(name: str) -> int:
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


def _head(name: str, title: str, *examples: object) -> _Schema:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{_ADDRESS}/{name}.schema.json",
        "title": title,
        "examples": list(examples),
    }


def _generated(*models: type[BaseModel]) -> tuple[list[_Schema], Mapping[DefsRef, _Schema]]:
    """Return a reference to each model's schema, and the definitions."""
    mode: JsonSchemaMode = "validation"
    references, definitions = _Generator().generate_definitions(
        [(model, mode, model.__pydantic_core_schema__) for model in models]
    )
    return [references[model, mode] for model in models], definitions


if __name__ == "__main__":
    main(Path(sys.argv[1]))
