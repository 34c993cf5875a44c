"""Report one digest for each exporter of a `docker buildx` build: a GitHub Action, a command, and this Python package.

The names in `__all__` are public and stable; everything else may change. docs/python.md shows how to use them.

    from action import build

    results = build(context=".", outputs=["type=image,name=ghcr.io/octo/app:1,push=true,id=release"])
    print(results.digests["release"])
"""

__version__ = "1.0.0"

_BUILDS = ("bake", "build")
_RESULTS = ("inspect", "merge", "validate")
_MODELS = (
    *("BakeResults", "BuildResults", "CacheResult", "ComparisonResult", "ExporterResult", "LayerResult"),
    *("PlatformComparisonResult", "PlatformResult", "ResultDescriptor"),
)
_ERRORS = (
    *("BuildDigestsError", "BuildFailedError", "DisagreementError", "DocumentError", "EvidenceError", "InputError"),
    *("MergeError", "MissingDigestError", "PackagesError", "ProgramError", "RegistryError", "VerificationError"),
)
_MODULES = {
    **dict.fromkeys(_BUILDS, "action.api.builds"),
    **dict.fromkeys(_RESULTS, "action.api.results"),
    **dict.fromkeys(_MODELS, "action.results"),
    **dict.fromkeys(_ERRORS, "action.errors"),
}

__all__ = ["__version__", *_MODULES]  # noqa: PLE0604  # the names are texts; __init__.pyi lists them for type checkers


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: a step imports this package too, and must not wait for libraries."""
    if name not in _MODULES:
        message = f"module 'action' has no attribute {name!r}"
        raise AttributeError(message)
    # Not importlib.import_module: importing importlib would delay the start of a step.
    value = getattr(__import__(_MODULES[name], fromlist=[name]), name)
    globals()[name] = value
    return value


# The quotes let Python 3.6 to 3.8 import this package: start.py then reports that a newer Python is needed.
def __dir__() -> "list[str]":
    """List the public names."""
    return sorted(__all__)
