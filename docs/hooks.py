"""Hooks of mkdocs: links that leave `docs/`, the security policy, and the JSON Schemas as pages of the site.

The pages are read on GitHub too, where a link to `../examples` works. On the site it leads to the repository.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_REPOSITORY = "https://github.com/build-digests/build-digests"
_OUTSIDE = re.compile(r"\]\((?:\.\./)((?!\.\.)[^)\s]+)\)")
_INSIDE = re.compile(r"\]\(docs/([^)\s]+)\)")
_RELATIVE = re.compile(r"\]\((?![a-z]+:|#|docs/)([^)\s]+)\)")
_SCHEMAS = ("results", "digests", "metadata", "bake")


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:  # noqa: ANN401  # mkdocs ships no types
    """Return the text of a page as it is on the site.

    Args:
        markdown: the text of the file.
        page: the page; its path decides what is added.
        config: the configuration of the site; not used.
        files: all files of the site; not used.
    """
    del config, files
    name = page.file.src_uri
    if name == "security.md":
        # SECURITY.md is at the top of the repository, where GitHub looks for it.
        markdown = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
        markdown = _RELATIVE.sub(lambda link: f"]({_in_repository(link[1])})", markdown)
        markdown = _INSIDE.sub(r"](\1)", markdown)
    if name == "schemas.md":
        markdown += "".join(_schema_section(schema) for schema in _SCHEMAS)
    return _OUTSIDE.sub(lambda link: f"]({_target(link[1])})", markdown)


def _target(path: str) -> str:
    """Return the page of the site for a file of the repository, or its address in the repository."""
    file, mark, anchor = path.partition("#")
    return f"security.md{mark}{anchor}" if file == "SECURITY.md" else _in_repository(path)


def _in_repository(path: str) -> str:
    kind = "tree" if (ROOT / path.partition("#")[0]).is_dir() else "blob"
    return f"{_REPOSITORY}/{kind}/main/{path}"


def _schema_section(name: str) -> str:
    """Return a section that lists the members of a schema, and has the whole schema folded."""
    text = (ROOT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    lines = [f"\n\n## {name}\n", schema.get("description", ""), "", f"`{schema['$id']}`", ""]
    for title, part in [("", schema), *schema.get("$defs", {}).items()]:
        if properties := part.get("properties"):
            if title:
                lines += [f"### {name}: {title}", "", part.get("description", ""), ""]
            required = part.get("required", [])
            lines += ["| member | type | meaning |", "|---|---|---|"]
            lines += [
                f"| `{key}`{'' if key in required else ' (optional)'} | {_type_of(value)} | {_cell(value)} |"
                for key, value in properties.items()
            ]
            lines.append("")
    body = "\n".join(f"    {line}" for line in ["```json", *text.splitlines(), "```"])
    return "\n".join([*lines, '??? note "The whole schema"', "", body, ""])


def _cell(value: dict[str, Any]) -> str:
    return " ".join(str(value.get("description", "")).split()).replace("|", "\\|")


def _type_of(value: dict[str, Any]) -> str:
    """Return the type of a member in a few words."""
    if "$ref" in value:
        return f"`{value['$ref'].rsplit('/', 1)[-1]}`"
    if parts := value.get("anyOf") or value.get("oneOf"):
        return " or ".join(dict.fromkeys(_type_of(part) for part in parts))
    if "enum" in value or "const" in value:
        return " or ".join(f"`{json.dumps(each)}`" for each in value.get("enum", [value.get("const")]))
    if value.get("type") == "array":
        return f"list of {_type_of(value.get('items', {}))}"
    kinds = value.get("type", "any")
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
