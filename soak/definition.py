"""A bake's definition as HCL, JSON or Compose file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from soak.case import Case, Output, Target

FILES: Mapping[str, str] = {"hcl": "docker-bake.hcl", "json": "docker-bake.json", "compose": "compose.yml"}
"""The file name of each form."""


def definition(case: Case) -> str:
    """Return the text of a bake's definition; its default group has all targets."""
    if case.form == "hcl":
        return _hcl(case.targets)
    if case.form == "json":
        targets = {target.name: _members(target) for target in case.targets}
        return json.dumps({"group": {"default": {"targets": list(targets)}}, "target": targets}, indent=1)
    # Every JSON document is a YAML document too, so no YAML writer is needed.
    return json.dumps({"services": {target.name: _service(target) for target in case.targets}}, indent=1)


def _hcl(targets: Iterable[Target]) -> str:
    blocks = []
    names = []
    for place, target in enumerate(targets):
        members: dict[str, object] = _members(target)
        label = target.name
        if target.matrix:
            label = f"matrix{place}"
            members |= {"name": target.name, "matrix": {"v": list(target.matrix)}}
        names.append(label)
        lines = "".join(f"  {name} = {_value(value)}\n" for name, value in members.items())
        blocks.append(f'target "{label}" {{\n{lines}}}\n')
    return f'group "default" {{ targets = {json.dumps(names)} }}\n' + "".join(blocks)


def _value(value: object) -> str:
    """Return an HCL expression: strings and lists are those of JSON, objects have `=` between name and value."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {_value(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _members(target: Target) -> dict[str, object]:
    members: dict[str, object] = {
        "tags": list(target.tags),
        "platforms": list(target.platforms),
        "annotations": list(target.annotations),
        "labels": _named(target.labels),
        "args": _named(target.build_args),
        "cache-to": list(target.cache_to),
        "cache-from": list(target.cache_from),
        "attest": list(target.attests),
        "output": [_output(output, as_object=target.objects) for output in target.outputs],
    }
    return {name: value for name, value in members.items() if value}


def _output(output: Output, *, as_object: bool) -> object:
    return dict(output.pairs) if as_object and output.type != "path" else output.text


def _service(target: Target) -> dict[str, object]:
    extension = {
        "tags": list(target.tags) if len(target.tags) > 1 else [],
        "platforms": list(target.platforms),
        "cache-to": list(target.cache_to),
        "cache-from": list(target.cache_from),
        "output": [output.text for output in target.outputs],
    }
    build = {
        "context": ".",
        "labels": _named(target.labels),
        "args": _named(target.build_args),
        "x-bake": {name: value for name, value in extension.items() if value},
    }
    return {"build": build} | ({"image": target.tags[0]} if len(target.tags) == 1 else {})


def _named(pairs: Iterable[str]) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in pairs)
