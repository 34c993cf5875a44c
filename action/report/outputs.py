"""The digests of a run as variables: step outputs of a workflow, and lines of a dotenv file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from action.errors import InputError
from action.exporters.attributed import AttributedBuild, references
from action.github.workflow_commands import output_blocks

_NO_NAME = re.compile("[^A-Za-z0-9_]")


def digest_outputs(builds: Mapping[str, AttributedBuild] | None, *, bake: bool) -> Mapping[str, str]:
    """Return the step outputs with what exporters made: name to value.

    Args:
        builds: target name, empty for a build, to its exporters; None if nothing is known of them.
        bake: whether the builds are those of a bake; `digests` is then target to key to digest.
    """
    comparisons = [exporter.comparison for build in (builds or {}).values() for exporter in build.exporters]
    changed = {name: build.changed for name, build in (builds or {}).items()}
    compared = {"changed": compact(changed if bake else changed.get("", {}))} if any(comparisons) else {}
    if bake:
        targets = builds or {}
        return {
            **compared,
            "digests": compact({name: build.digests for name, build in targets.items()}),
            "imageids": compact({name: build.imageids for name, build in targets.items()}),
            "exporters": compact(
                {name: [exporter.document() for exporter in build.exporters] for name, build in targets.items()}
            ),
            "caches": compact({name: build.cache_digests for name, build in targets.items()}),
        }
    if builds is None:
        return {"digests": "{}", "imageids": "{}", "exporters": "[]", "caches": "{}"}
    build = builds.get("", AttributedBuild(None))
    return {
        "digest": build.digest or "",
        "imageid": build.imageid or "",
        "digests": compact(build.digests),
        "imageids": compact(build.imageids),
        "exporters": compact([exporter.document() for exporter in build.exporters]),
        "caches": compact(build.cache_digests),
        "ref": build.ref or "",
        **compared,
    }


def compact(value: object) -> str:
    """Return a value as JSON without white space, such as `{"0":"sha256:…"}`."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def github_text(builds: Mapping[str, AttributedBuild], more: Mapping[str, str | None], *, bake: bool) -> str:
    """Return the step outputs as the file of GITHUB_OUTPUT contains them.

    Args:
        builds: target name, empty for a build, to its exporters.
        more: more outputs; None for one without a value.
        bake: whether the builds are those of a bake.
    """
    exporters = [exporter for build in builds.values() for exporter in build.exporters]
    known = {name: value for name, value in more.items() if value}
    return output_blocks({**digest_outputs(builds, bake=bake), "refs": compact(references(exporters)), **known})


def dotenv_text(builds: Mapping[str, AttributedBuild], *, bake: bool) -> str:
    """Return a line `DIGEST_KEY=sha256:…` for each digest, and `DIGEST_TARGET_KEY=…` for a bake.

    A digest contains no character that a shell or a reader of such files treats specially. A name has only upper-case
    letters, digits and `_`.

    Args:
        builds: target name, empty for a build, to its exporters.
        bake: whether the builds are those of a bake.

    Raises:
        InputError: two exporters would have the same name.
    """
    check_variable_names({name: build.digests for name, build in builds.items()}, bake=bake)
    return "".join(
        f"{_variable_name(target, key, bake=bake)}={digest}\n"
        for target, build in builds.items()
        for key, digest in build.digests.items()
    )


def check_variable_names(keys: Mapping[str, Iterable[str]], *, bake: bool) -> None:
    """Check that each exporter has a variable of its own.

    Args:
        keys: target name, empty for a build, to the keys of its exporters.
        bake: whether the targets are those of a bake.

    Raises:
        InputError: two exporters would have the same name.
    """
    taken: dict[str, str] = {}
    for target, own in keys.items():
        for key in own:
            name = _variable_name(target, key, bake=bake)
            exporter = f"{key!r} of target {target!r}" if bake else repr(key)
            if name in taken:
                problem = f"{taken[name]} and {exporter} both become {name}"
                rule = "give the outputs ids that differ in letters and digits, or use --format json"
                raise InputError("--format dotenv", problem, rule)
            taken[name] = exporter


def _variable_name(target: str, key: str, *, bake: bool) -> str:
    # Replaced before upper(), which makes two letters of some characters outside ASCII.
    return _NO_NAME.sub("_", "_".join(("DIGEST", *((target,) if bake else ()), key))).upper()
