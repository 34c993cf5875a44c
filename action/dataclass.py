"""Data classes that are cheap to define: the part of the standard library's `dataclasses` that this package uses.

The standard library compiles methods for each class when it defines the class, and imports `inspect` for that: a third
of the instructions that a step took before its build. Here all classes share their methods, which read the names of the
fields from the class. Type checkers see the standard library (dataclass.pyi); tests compare the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

_MISSING = object()


class _Field:
    """The description of a field: its default, and whether `repr` shows it."""

    __slots__ = ("default", "default_factory", "repr")

    def __init__(self, default: object, default_factory: object, *, repr: bool) -> None:
        self.default = default
        self.default_factory = default_factory
        self.repr = repr


def field(*, default: object = _MISSING, default_factory: object = _MISSING, repr: bool = True) -> object:
    """Return the description of a field, as `dataclasses.field` does.

    Args:
        default: the default.
        default_factory: makes the default of each instance.
        repr: whether `repr` shows the field; False for a secret.
    """
    return _Field(default, default_factory, repr=repr)


def dataclass(cls: type | None = None, *, frozen: bool = False, kw_only: bool = False) -> type | Callable[[type], type]:
    """Make a class a data class, as `dataclasses.dataclass` does; it cannot inherit from another data class.

    Args:
        cls: the class.
        frozen: whether the fields of an instance cannot be assigned.
        kw_only: whether a call must name all fields.
    """
    if cls is None:
        return lambda decorated: dataclass(decorated, frozen=frozen, kw_only=kw_only)
    described = {name: _described(cls.__dict__.get(name, _MISSING)) for name in cls.__annotations__}
    defaults = {name: each.default for name, each in described.items() if each.default is not _MISSING}
    for name in described:
        # The class keeps a default as its attribute, and no description.
        if name in defaults:
            setattr(cls, name, defaults[name])
        elif name in cls.__dict__:
            delattr(cls, name)
    cls._fields = tuple(described)
    cls._shown_fields = tuple(name for name, each in described.items() if each.repr)
    methods = {
        "__init__": _init_of(described, defaults, () if kw_only else cls._fields),
        "__repr__": _repr,
        "__eq__": _eq,
        "__hash__": _hash if frozen else None,
    }
    if frozen:
        methods |= {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
    for name, method in methods.items():
        # Python gives a class that has `__eq__` a `__hash__` of None.
        if cls.__dict__.get(name) is None:
            setattr(cls, name, method)
    return cls


def replace(instance: object, /, **changes: object) -> object:
    """Return a copy of an instance of a data class with other values in some fields, as `dataclasses.replace` does.

    Args:
        instance: the instance.
        changes: name to new value.
    """
    return type(instance)(**{name: instance.__dict__[name] for name in instance._fields} | changes)


def _described(default: object) -> _Field:
    return default if isinstance(default, _Field) else _Field(default, _MISSING, repr=True)


def _init_of(
    described: Mapping[str, _Field], defaults: Mapping[str, object], unnamed: Sequence[str]
) -> Callable[..., None]:
    """Return the `__init__` of a class.

    Args:
        described: name to description of each field.
        defaults: name to default of each field that has one.
        unnamed: the names of the fields that a call need not name.
    """
    factories = {name: each.default_factory for name, each in described.items()}
    made = [(name, factory) for name, factory in factories.items() if factory is not _MISSING]
    fields, max_unnamed = len(described), len(unnamed)

    def init(self: object, /, *arguments: object, **named: object) -> None:
        # The dictionary itself is filled, since a frozen instance refuses assignments.
        values = self.__dict__
        values.update(defaults)
        if arguments:
            values.update(zip(unnamed, arguments, strict=False))
        if named:
            values.update(named)
        for name, factory in made:
            if name not in values:
                values[name] = factory()
        given = unnamed[: len(arguments)]
        unknown = named and (named.keys() - described.keys() or named.keys() & set(given))
        if unknown or len(values) != fields or len(arguments) > max_unnamed:
            raise TypeError(
                f"{type(self).__qualname__}: {len(arguments)} of at most {max_unnamed} arguments without a name; "
                f"missing: {list(described.keys() - values.keys())}; unknown or given twice: {sorted(unknown)}"
            )

    return init


def _values(instance: object) -> tuple[object, ...]:
    return tuple(map(instance.__dict__.__getitem__, instance._fields))


def _repr(self: object) -> str:
    shown = ", ".join(f"{name}={self.__dict__[name]!r}" for name in self._shown_fields)
    return f"{type(self).__qualname__}({shown})"


def _eq(self: object, other: object) -> bool:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: object) -> int:
    return hash(_values(self))


def _refuse_to_set(_: object, name: str, _value: object) -> None:
    raise AttributeError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_: object, name: str) -> None:
    raise AttributeError(f"cannot delete field {name!r}")
