"""A checkout of a stranger, in which every name that a step could import, run or read as settings is a trap."""

from __future__ import annotations

from pathlib import Path

MODULES = (
    "pip",
    "token",
    "tokenize",
    "json",
    "re",
    "os",
    "typing",
    "enum",
    "sitecustomize",
    "usercustomize",
    "actions_toolkit",
    "msgspec",
    "pydantic",
    "typing_extensions",
    "google",
    "tenacity",
    "action",
    "encodings",
)
PROGRAMS = (
    *("python3", "python", "uv", "pip", "docker", "buildx", "docker-buildx", "docker-credential-desktop"),
    *("git", "sh", "bash", "gh", "keyring"),
)
NODE_MODULES = ("fs", "os", "path", "child_process", "main.js", "python.js")


def write_hostile_workspace(folder: Path, mark: Path) -> None:
    """Write the traps.

    Args:
        folder: the workspace.
        mark: the file to which a trap writes its own name.
    """
    (folder / "bin").mkdir(parents=True)
    for name in MODULES:
        (folder / f"{name}.py").write_text(_python(mark, f"{name}.py"))
    (folder / "action").mkdir()
    (folder / "action/__init__.py").write_text(_python(mark, "action/__init__.py"))
    (folder / "evil.pth").write_text(f"import os; {_python(mark, 'evil.pth')}")
    for name in PROGRAMS:
        for place in (folder, folder / "bin"):
            (place / name).write_text(f"#!/bin/sh\necho {place}/{name} ran >> {mark}\nexit 1\n")
            (place / name).chmod(0o755)
    (folder / "uv.toml").write_text('required-version = "==0.0.1"\n')
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\n[tool.uv]\nrequired-version = "==0.0.1"\n'
    )
    (folder / "pip.conf").write_text("[global]\nno-index = true\nno-binary = :all:\nfind-links =\n")
    _write_javascript(folder, mark)


def ran(mark: Path) -> str:
    """Return the names of the traps that something fell into."""
    return mark.read_text() if mark.exists() else ""


def _python(mark: Path, name: str) -> str:
    return f"open({str(mark)!r}, 'a').write('{name} imported\\n')\n"


def _write_javascript(folder: Path, mark: Path) -> None:
    # ES modules, as the package.json says; those in node_modules are taken for what their syntax shows (Node 22).
    write = f"appendFileSync({str(mark)!r}, `${{import.meta.url}} loaded\\n`);"
    script = f"import {{ appendFileSync }} from 'node:fs';\n{write}\n"
    for name in NODE_MODULES:
        for module in (folder / "node_modules" / name, folder / "node_modules" / f"node:{name}"):
            module.mkdir(parents=True)
            (module / "index.js").write_text(script)
        (folder / f"{name.removesuffix('.js')}.js").write_text(script)
    (folder / "package.json").write_text('{"type": "module", "main": "fs.js"}\n')
    (folder / ".npmrc").write_text("node-options=--require=./fs.js\nscript-shell=./sh\n")
    (folder / "bunfig.toml").write_text('preload = ["./fs.js"]\n')
