"""Normalization of platforms, so that they can be compared: `linux/arm64/v8` and `linux/aarch64` are `linux/arm64`."""

from __future__ import annotations

import re

_FORM = re.compile(r"[a-z0-9_-]+/[a-z0-9_-]+(?:/[a-z0-9_.-]+)?")
_ARCHITECTURE = {
    "i386": "386",
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm",
    "armel": "arm",
}
_VARIANT = {"i386": "", "armhf": "v7", "armel": "v6"}
_VARIANTS = {
    "amd64": {"v1": ""},
    "arm64": {"8": "", "v8": "", "v8.0": "", "9": "v9", "9.0": "v9", "v9.0": "v9"},
    "arm": {"": "v7", "5": "v5", "6": "v6", "7": "v7", "8": "v8"},
}


def normal_platform(text: str) -> str | None:
    """Return the normal form of a platform, or None if the text is not a platform.

    The rules are those of github.com/containerd/platforms (v1.0, database.go): other names of architectures are
    replaced, and the default variant of an architecture is left out.
    """
    platform = text.strip().lower()
    if not _FORM.fullmatch(platform):
        return None
    system, given, *rest = platform.split("/")
    variant = _VARIANT.get(given, rest[0] if rest else "")
    architecture = _ARCHITECTURE.get(given, given)
    variant = _VARIANTS.get(architecture, {}).get(variant, variant)
    return "/".join(part for part in ("darwin" if system == "macos" else system, architecture, variant) if part)
