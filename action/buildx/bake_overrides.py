"""The overrides of a bake, of which `--push` and `--load` are two: buildx applies them in a random order.

buildx keeps the overrides of a target in a Go map, whose order is random in each run: in the one that prints the
definition, and again in the build (docker/buildx 0.36 to 0.38, bake/bake.go, AddOverrides).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from action.buildx.options import read_options
from action.inputs.values import go_boolean

# What `--push` and `--load` add to a target without outputs, in the reverse of `buildx build`'s order: as objects since
# buildx 0.20, and as texts before.
_REVERSED_DEFAULTS: tuple[list[object], ...] = (
    [{"type": "docker"}, {"type": "image", "push": "true"}],
    ["type=docker", "type=image,push=true"],
)


def has_varying_outputs(arguments: Sequence[str]) -> bool:
    """Return whether each run of buildx may give the same targets other outputs.

    Args:
        arguments: `bake`, its options and its targets.
    """
    # `--set=*.output=…` undoes a push or a load that was applied before it. A push that is false removes outputs, and
    # so moves the one that a load appends.
    given = _overrides(arguments)
    if "output" in given:
        return "push" in given or "load" in given
    return "load" in given and go_boolean(given.get("push", "")) is False


def adds_push_and_load(arguments: Sequence[str]) -> bool:
    """Return whether a bake has both `--push` and `--load`, or overrides with the same effect.

    Args:
        arguments: `bake`, its options and its targets.
    """
    given = _overrides(arguments)
    return all(go_boolean(given.get(name, "")) is True for name in ("push", "load"))


def with_reversed_defaults(targets: Mapping[str, Mapping[str, object]]) -> frozenset[str]:
    """Return the names of the targets whose outputs are those that `--push` and `--load` add, in reverse order.

    Args:
        targets: target name to its definition, as buildx printed it.
    """
    return frozenset(name for name, target in targets.items() if target.get("output") in _REVERSED_DEFAULTS)


def without_push_and_load(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the arguments of a bake without `--push` and `--load`, and without the overrides of the same effect.

    Args:
        arguments: `bake`, its options and its targets.
    """
    kept: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        option, _, value = argument.partition("=")
        following = [next(rest, "")] if argument == "--set" else []
        override = "".join(following) or value
        name = "--" + override.partition("=")[0].partition(".")[2] if option == "--set" else option
        if name not in {"--push", "--load"}:
            kept += [argument, *following]
    return tuple(kept)


def _overrides(arguments: Sequence[str]) -> dict[str, str]:
    """Return the values of the overrides of a bake, such as `{"push": "true"}`, for whichever target they are."""
    # `read_options` knows the options of `build`, whose `--print` has a value; that of `bake` has none.
    given = read_options([argument for argument in arguments if argument != "--print"])
    pairs = (text.partition("=") for text in given.options.get("set", ()))
    values = {key.rstrip("+").partition(".")[2]: value for key, _, value in pairs}
    # buildx takes the options for overrides that follow those of `--set` (docker/buildx 0.38, commands/bake.go).
    return values | {name: given.last(name) for name in ("push", "load") if name in given.options}
