"""Convert a case to step inputs and to a plain buildx command, and write the files that both need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from soak.case import Case, Output, Target
from soak.definition import FILES, definition

CONTENT = "hello.txt"
LABEL = "org.example.nonce"


def fill(folder: Path, case: Case, nonce: str) -> None:
    """Write the files that a case builds from: a Dockerfile, a file with unique content, and a bake's definition."""
    copies = "".join(f"COPY {CONTENT} /{layer}/{CONTENT}\n" for layer in range(case.layers))
    (folder / "Dockerfile").write_text(
        f"FROM scratch\nARG WHO\nARG WHAT\nLABEL {LABEL}={nonce}\n{copies}", encoding="utf-8"
    )
    (folder / CONTENT).write_text(f"{case.name} {nonce}\n", encoding="utf-8")
    if case.kind == "bake":
        (folder / FILES[case.form]).write_text(definition(case), encoding="utf-8")


def step_inputs(case: Case) -> dict[str, str]:
    """Return the step's inputs, as a workflow writes them."""
    booleans = [name for name, value in (("push", case.push), ("load", case.load)) if value]
    inputs = dict.fromkeys((*booleans, *case.flags), "true") | {"provenance": case.provenance, "call": case.call}
    if case.kind == "bake":
        files = FILES[case.form] if case.form == "compose" else ""
        lists = {"files": (files,), "set": case.set}
        inputs["source"] = "."
    else:
        (target,) = case.targets
        inputs["context"] = "."
        lists = {
            "outputs": tuple(output.text for output in target.outputs),
            "tags": target.tags,
            "platforms": target.platforms,
            "annotations": tuple(map(_item, target.annotations)),
            "labels": tuple(map(_item, target.labels)),
            "build-args": tuple(map(_item, target.build_args)),
            "cache-to": target.cache_to,
            "cache-from": target.cache_from,
            "attests": target.attests,
        }
    inputs |= {name: "\n".join(items) for name, items in lists.items()}
    return {name: value for name, value in inputs.items() if value}


def _item(text: str) -> str:
    """Return a list item as a CSV field, quoted if it contains a comma or a quote."""
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"') else text


def bare_command(case: Case, file: Path) -> list[str]:
    """Return the arguments of `docker` that build a case without this project's action.

    Args:
        case: the case.
        file: the path that a bake's definition is written to.
    """
    flags = [f"--{name}" for name, value in (("push", case.push), ("load", case.load)) if value]
    flags += ["--no-cache"] * ("no-cache" in case.flags)
    flags += [f"--provenance={case.provenance}"] * bool(case.provenance) + [f"--call={case.call}"] * bool(case.call)
    if case.kind == "bake":
        file.write_text(definition(case), encoding="utf-8")
        return ["buildx", "bake", "--allow=fs=*", "--file", str(file), *_each("--set", case.set), *flags]
    (target,) = case.targets
    options = (
        ("--output", [output.text for output in target.outputs]),
        ("--tag", target.tags),
        ("--platform", target.platforms),
        ("--annotation", target.annotations),
        ("--label", target.labels),
        ("--build-arg", target.build_args),
        ("--cache-to", target.cache_to),
        ("--cache-from", target.cache_from),
        ("--attest", target.attests),
    )
    return ["buildx", "build", *(each for name, values in options for each in _each(name, values)), *flags, "."]


def _each(option: str, values: Iterable[str]) -> list[str]:
    return [f"{option}={value}" for value in values]


def alone(case: Case, target: Target, output: Output | None, name: str, *, attested: bool) -> Case:
    """Return a build of one image output alone, pushed with its own name, to compare the images with.

    Args:
        case: the case.
        target: the output's target, with its matrix expanded.
        output: the output, or None for an exporter that buildx adds.
        name: the image name.
        attested: whether the image has attestations; they change its media types.
    """
    written = output.attributes if output else ()
    unlike = ("name", "push", "push-by-digest", "name-canonical", "store", "unpack")
    attributes = [(key, value) for key, value in written if key not in unlike]
    only = Output("image", attributes=(*attributes, ("name", name), ("push", "true")))
    # An inline cache changes the image's config, and so its digest; other caches do not.
    caches = tuple(cache for cache in target.cache_to if cache == "type=inline")
    build = replace(target, outputs=(only,), tags=(), cache_to=caches, cache_from=(), attests=(), matrix=())
    provenance = "mode=max" if attested else "false"
    return replace(case, targets=(build,), push=False, load=False, provenance=provenance, flags=(), call="")
