"""The demo: one build into a registry, an OCI tar and a docker tar, and the digest of each.

Run it with `make demo`, which starts an engine and a registry on loopback.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

_ACCEPT = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"


def main() -> int:
    """Build, print the table, and compare the pushed digest with the registry's."""
    registry = os.environ.get("BUILD_DIGESTS_REGISTRY")
    if not registry:
        print("run this with: make demo", file=sys.stderr)
        return 2
    name = f"{registry}/demo:latest"
    with tempfile.TemporaryDirectory() as folder:
        metadata, results = Path(folder, "metadata.json"), Path(folder, "results.json")
        build = [
            *("--output", f"type=image,name={name},push=true,id=release"),
            *("--output", f"type=oci,dest={folder}/demo-oci.tar"),
            *("--output", f"type=docker,dest={folder}/demo-docker.tar"),
            *("--metadata-file", str(metadata)),
            str(Path(__file__).parent / "demo"),
        ]
        print("$ build-digests build --", " ".join(build), flush=True)
        command = [sys.executable, "-m", "action", "build", "--results", str(results), "--", *build]
        code = subprocess.run(command, check=False).returncode
        if code:
            return code
        merged = json.loads(metadata.read_text(encoding="utf-8"))["containerimage.digest"]
        digest = json.loads(results.read_text(encoding="utf-8"))["digest"]
    request = urllib.request.Request(  # the registry on loopback
        f"http://{registry}/v2/demo/manifests/latest", method="HEAD", headers={"Accept": _ACCEPT}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        served = answer.headers["Docker-Content-Digest"]
    print()
    print(f"The digest of {name}, from three sources:")
    print(f"  {served}  the registry itself")
    print(f"  {digest}  build-digests, key release")
    print(f"  {merged}  buildx and docker/build-push-action")
    if digest != served:
        print("build-digests is wrong: please report this")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
