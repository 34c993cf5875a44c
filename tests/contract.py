"""What users can rely on, as sorted lines of text: inputs, outputs, documents, commands, exit codes and the Python API.

The lines are read from what is shipped: the action.yml files, the JSON Schemas, click's commands, and the package's
signatures and models.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import yaml
from pydantic import BaseModel

import action
from action.cli import main
from action.errors import BAD_INPUT, FAILED, BuildDigestsError

ROOT = Path(__file__).resolve().parents[1]
_ACTIONS = ("action.yml", "*/action.yml", "bake/subaction/*/action.yml")
_KINDS = ("type", "const", "enum", "pattern", "$ref", "minimum", "minLength", "maxLength")


def contract() -> str:
    """Return the lines, a section for each kind."""
    sections = {
        "Actions": _actions(),
        "Documents": _documents(),
        "Commands": _commands(main, "build-digests"),
        "Exit codes": _exit_codes(),
        "Python": _python(),
    }
    return "\n".join(f"# {title}\n" + "".join(f"{line}\n" for line in lines) for title, lines in sections.items())


def _actions() -> Iterator[str]:
    for file in sorted({file for pattern in _ACTIONS for file in ROOT.glob(pattern)}):
        name = file.relative_to(ROOT)
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        yield f"{name}: runs using {document['runs']['using']}"
        for key, given in sorted(document["inputs"].items()):
            required = ", required" if given.get("required") else ""
            default = f", default {given['default']!r}" if given.get("default") else ""
            yield f"{name}: input {key}{required}{default}"
        yield from (f"{name}: output {key}" for key in sorted(document["outputs"]))


def _documents() -> Iterator[str]:
    for file in sorted((ROOT / "schemas").glob("*.schema.json")):
        schema = json.loads(file.read_text(encoding="utf-8"))
        yield f"{file.name}: {schema['$id']}"
        yield from _members(file.name, "", schema)
        for name, part in sorted(schema.get("$defs", {}).items()):
            yield from _members(file.name, f"{name} ", part)


def _members(file: str, place: str, schema: Mapping[str, Any]) -> Iterator[str]:
    if kind := _kind(schema):
        yield f"{file}: {place or 'document '}{kind}"
    required = schema.get("required", [])
    for key, value in sorted(schema.get("properties", {}).items()):
        yield f"{file}: {place}member {key}{', required' if key in required else ''} {_kind(value)}".rstrip()
    for key, value in sorted(schema.get("patternProperties", {}).items()):
        yield f"{file}: {place}members {key} {_kind(value)}".rstrip()


def _kind(schema: object) -> str:
    if not isinstance(schema, dict):
        return ""
    return json.dumps({key: schema[key] for key in _KINDS if key in schema}) if set(_KINDS) & set(schema) else ""


def _commands(command: click.Command, name: str) -> Iterator[str]:
    yield name
    for parameter in sorted(command.params, key=lambda each: (each.param_type_name, each.name or "")):
        if isinstance(parameter, click.Argument):
            yield f"{name}: argument {parameter.name}{' …' if parameter.nargs < 0 else ''}{_values(parameter)}"
        else:
            names = ", ".join(sorted([*parameter.opts, *parameter.secondary_opts]))
            shown = f"{', required' if parameter.required else ''}{', several' if parameter.multiple else ''}"
            yield f"{name}: option {names}{shown}{_values(parameter)}"
    if isinstance(command, click.Group):
        for key, each in sorted(command.commands.items()):
            yield from _commands(each, f"{name} {key}")


def _values(parameter: click.Parameter) -> str:
    values = f" {'|'.join(map(str, parameter.type.choices))}" if isinstance(parameter.type, click.Choice) else ""
    default = parameter.default
    # click has a value of its own for an option without a default.
    return f"{values}, default {default}" if default and isinstance(default, (str, int)) else values


def _exit_codes() -> Iterator[str]:
    yield "0: success"
    yield f"{FAILED}: a failed build, or a fault that was found"
    yield f"{BAD_INPUT}: wrong usage or invalid input"


def _python() -> Iterator[str]:
    for name in sorted(action.__all__):
        value = getattr(action, name)
        if isinstance(value, type) and issubclass(value, BuildDigestsError):
            base = value.__base__
            yield f"{name}({base.__name__ if base else ''}): exit_code {value.exit_code}"
        elif isinstance(value, type) and issubclass(value, BaseModel):
            # The schema of the document has the types.
            own = [key for key, member in vars(value).items() if isinstance(member, property)]
            yield from (f"{name}: attribute {key}" for key in sorted([*value.model_fields, *own]))
        elif callable(value):
            yield from (f"{name}: {_parameter(each)}" for each in inspect.signature(value).parameters.values())
        else:
            yield name


def _parameter(parameter: inspect.Parameter) -> str:
    kind = "keyword" if parameter.kind is parameter.KEYWORD_ONLY else "argument"
    default = "" if parameter.default is parameter.empty else f", default {parameter.default!r}"
    return f"{kind} {parameter.name}{default}"
