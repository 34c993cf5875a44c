"""The package's data classes behave as those of the standard library."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import pickle
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import pytest

from action.dataclass import dataclass

OURS = importlib.import_module("action.dataclass")


def classes(module: ModuleType) -> dict[str, Any]:
    """Return classes with every feature that the package uses, made by the standard library or by the package."""

    @module.dataclass(frozen=True)
    class Plain:
        name: str
        size: int = 0

        @property
        def double(self) -> int:
            return 2 * self.size

    @module.dataclass(frozen=True)
    class Described:
        name: str = module.field(repr=False)
        names: tuple[str, ...] = module.field(default=("a",))
        sizes: dict[str, int] = module.field(default_factory=dict, repr=False)

    @module.dataclass(frozen=True, kw_only=True)
    class Named:
        size: int = 1
        name: str

    @module.dataclass
    class Mutable:
        name: str = ""

    @module.dataclass(frozen=True)
    class WithMethods:
        name: str

        def __repr__(self) -> str:
            return "its own"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

    @module.dataclass(frozen=True)
    class Empty:
        pass

    return {each.__name__: each for each in (Plain, Described, Named, Mutable, WithMethods, Empty)}


def outcome(call: Callable[[], object]) -> object:
    """Return what a call returns, or the kind of error that it raises."""
    try:
        return call()
    except (TypeError, AttributeError) as error:
        return TypeError if isinstance(error, TypeError) else AttributeError


CALLS: list[tuple[str, tuple[object, ...], dict[str, Any]]] = [
    ("Plain", ("a",), {}),
    ("Plain", ("a", 2), {}),
    ("Plain", (), {"size": 2, "name": "a"}),
    ("Plain", ("a",), {"size": 2}),
    ("Plain", ("a",), {"name": "a"}),
    ("Plain", ("a", 2, 3), {}),
    ("Plain", (), {}),
    ("Plain", (), {"size": 2}),
    ("Plain", ("a",), {"other": 1}),
    ("Plain", (), {"size": 2, "other": 1}),
    ("Plain", (), {"self": 2, "name": "a"}),
    ("Described", ("a",), {}),
    ("Described", ("a", ("b",), {"c": 1}), {}),
    ("Described", ("a",), {"sizes": {"c": 1}}),
    ("Described", (), {}),
    ("Named", (), {"name": "a"}),
    ("Named", (), {"name": "a", "size": 2}),
    ("Named", ("a",), {}),
    ("Named", (1, "a"), {}),
    ("Named", (), {}),
    ("Mutable", (), {}),
    ("Mutable", ("a",), {}),
    ("WithMethods", ("a",), {}),
    ("Empty", (), {}),
    ("Empty", ("a",), {}),
]


@pytest.mark.parametrize(("name", "arguments", "named"), CALLS)
def test_an_instance_is_made_and_shown_as_by_the_standard_library(
    name: str, arguments: tuple[object, ...], named: dict[str, Any]
) -> None:
    ours, theirs = (outcome(partial(classes(each)[name], *arguments, **named)) for each in (OURS, dataclasses))
    if isinstance(theirs, type):
        assert ours is theirs
        return
    assert vars(ours) == vars(theirs)
    assert repr(ours).rpartition(".")[2] == repr(theirs).rpartition(".")[2]


@pytest.mark.parametrize("module", [OURS, dataclasses])
def test_instances_are_compared_copied_and_protected(module: ModuleType) -> None:
    made = classes(module)
    plain, described, mutable = made["Plain"]("a", 2), made["Described"]("a"), made["Mutable"]("a")
    assert plain == made["Plain"]("a", 2) != made["Plain"]("a", 3)
    assert plain != classes(module)["Plain"]("a", 2)
    assert plain != ("a", 2)
    assert len({plain, made["Plain"]("a", 2), made["Plain"]("a", 3)}) == 2
    assert plain.double == 4
    assert made["WithMethods"]("a") == 1
    assert hash(made["WithMethods"]("a")) == 7
    assert outcome(lambda: hash(mutable)) is TypeError
    assert outcome(lambda: hash(described)) is TypeError
    assert described.sizes is not made["Described"]("a").sizes
    assert outcome(lambda: setattr(plain, "size", 1)) is AttributeError
    assert outcome(lambda: delattr(plain, "size")) is AttributeError
    mutable.name = "b"
    assert mutable == made["Mutable"]("b")
    assert module.replace(plain, size=3) == made["Plain"]("a", 3)
    assert outcome(lambda: module.replace(plain, other=3)) is TypeError
    assert copy.deepcopy(described) == copy.copy(described) == described
    assert (made["Plain"].size, made["Described"].names) == (0, ("a",))
    assert not hasattr(made["Described"], "sizes")


@dataclass(frozen=True)
class Pickled:
    name: str


def test_an_instance_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Pickled("a"))) == Pickled("a")


def test_an_error_names_what_is_wrong_with_the_arguments() -> None:
    made: Any = Pickled
    with pytest.raises(TypeError, match=r"Pickled: 1 of at most 1 .*; missing: \[\]; unknown or given twice: \['x'\]"):
        made("a", name="b", x=1)
