"""The software bill of materials of a release, in CycloneDX 1.6: what the action installs from its locks.

The format: https://cyclonedx.org/docs/1.6/json/. The document contains no time and no random number, so that two builds
of a commit are equal.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

REPOSITORY = "https://github.com/build-digests/build-digests"

_ENTRY = re.compile(r"^([\w.-]+)==([^\s;]+)(?:\s*;\s*(.+?))?\s*\\\n((?:\s+--hash=.*\n?)+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def make_sbom(version: str, locks: list[Path]) -> dict[str, Any]:
    """Return the bill of materials.

    Args:
        version: the version of the release, without `v`.
        locks: the locks of the packages that the action installs, `requirements/NAME.txt`.
    """
    components: dict[str, dict[str, Any]] = {}
    for lock in sorted(locks):
        for name, locked, marker, hashes in _ENTRY.findall(lock.read_text(encoding="utf-8")):
            url = f"pkg:pypi/{name.lower().replace('_', '-')}@{locked}"
            component = components.setdefault(url, _component(name, locked, url, _HASH.findall(hashes)))
            component["properties"].append({"name": "build-digests:set", "value": lock.stem})
            if marker:
                component["properties"].append({"name": "build-digests:marker", "value": marker})
    root = f"pkg:github/build-digests/build-digests@v{version}"
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": "build-digests",
                "version": version,
                "purl": root,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "externalReferences": [{"type": "vcs", "url": REPOSITORY}],
            }
        },
        "components": [components[url] for url in sorted(components)],
        "dependencies": [{"ref": root, "dependsOn": sorted(components)}],
    }


def _component(name: str, version: str, url: str, hashes: list[str]) -> dict[str, Any]:
    # A version has a file for each platform, and each file a hash, so that hashes belong to distributions.
    files = [
        {
            "type": "distribution",
            "url": url,
            "hashes": [{"alg": "SHA-256", "content": each}],
        }
        for each in sorted(set(hashes))
    ]
    return {
        "type": "library",
        "bom-ref": url,
        "name": name,
        "version": version,
        "purl": url,
        "externalReferences": files,
        "properties": [],
    }
