"""Generates the JSON Schemas of this project's own documents from their models (`make schemas`).

Pydantic's own schema is valid, but a validator cannot explain a fault with it: an optional value becomes `anyOf`, and
for a fault inside it a validator reports only that no alternative matches. Here the faulty place itself is found, and
each place has a description, which is the text of the message.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import DefsRef, GenerateJsonSchema, JsonSchemaMode
from pydantic_core import core_schema

from action.results import BakeResults, BuildResults, Digests

_ADDRESS = "https://raw.githubusercontent.com/build-digests/build-digests/main/schemas"

_Schema = dict[str, Any]
_ORDER = ("description", "type", "required", "if", "then", "else", "properties")


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, with `if` and `else` in place of `anyOf`, and without titles and defaults."""

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
        return {"type": ["string", "object"], "if": {"type": "object"}, "then": other, "else": text}

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

    def sort(self, value: Any, parent_key: str | None = None) -> Any:  # noqa: ANN401  # JSON
        """Leave out titles, which repeat the names, and put first what is read first."""
        if not isinstance(value, dict):
            return [self.sort(item) for item in value] if isinstance(value, list) else value
        if parent_key != "properties":
            value = {name: value[name] for name in sorted(value, key=_position) if name != "title"}
        return {name: self.sort(member, name) for name, member in value.items()}


def results_schema() -> _Schema:
    """Return the schema of the results document: the results of one build or of a bake."""
    (build, bake), definitions = _generated(BuildResults, BakeResults)
    return {
        **_head("results", "Results of build-digests"),
        "description": "results: those of one build, or those of every target of a bake",
        "type": "object",
        "required": ["version"],
        "if": {"required": ["targets"]},
        "then": bake,
        "else": build,
        "$defs": definitions,
    }


def digests_schema() -> _Schema:
    """Return the schema of the step output `digests`."""
    (digests,), definitions = _generated(Digests)
    # `$id` and `$schema` belong to the document, so its own model stands there and not in a definition.
    name = digests["$ref"].rpartition("/")[2]
    others = {each: definition for each, definition in definitions.items() if each != name}
    return {
        **_head("digests", "The digests output of build-digests"),
        **definitions[DefsRef(name)],
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


def _position(name: str) -> int:
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


def _head(name: str, title: str) -> _Schema:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{_ADDRESS}/{name}.schema.json",
        "title": title,
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
