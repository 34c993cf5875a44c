"""How the command is used: its help texts, and the messages for calls that are wrong.

click's own messages show a usage line, and not what to do. Those of this command are one line, like all its errors:
what was wrong, where, and what to write instead.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import click

from action.buildx.options import BUILDX_OPTIONS, option_names
from action.errors import InputError
from action.lazy import difflib

EXIT_CODES = (
    ("0", "success"),
    ("1", "the build failed, or a fault was found"),
    ("2", "wrong usage, or an input that cannot be used"),
)
"""The exit codes of every command, and what they mean."""

# Similarity from 0 to 1. After `--` an option may be one of a newer buildx, so that only a very similar one is a typo.
_CLOSE = 0.6
_VERY_CLOSE = 0.85


EXAMPLES = {
    "build": (
        "build-digests build -- --push --tag localhost:5000/app:1 .",
        "build-digests build --results results.json -- \\",
        "    --output type=image,name=localhost:5000/app,push=true,id=release \\",
        "    --output type=oci,dest=app.tar .",
        "build-digests build -- --help    # the options of docker buildx build",
    ),
    "bake": (
        "build-digests bake -- --push",
        "build-digests bake --format json -- --file docker-bake.hcl app",
        "build-digests bake -- --help    # the options of docker buildx bake",
    ),
    "merge": (
        "build-digests merge results --tag ghcr.io/octo/app:1 \\",
        "    --expect-platforms linux/amd64,linux/arm64",
    ),
    "promote": (
        "build-digests promote results.json --tag ghcr.io/octo/app:stable",
        "build-digests promote ghcr.io/octo/app@sha256:... --tag ghcr.io/octo/app:1",
    ),
    "inspect": (
        "build-digests inspect metadata.json --output type=image,name=app,push=true",
        "build-digests inspect build.dockerbuild",
    ),
    "validate": (
        "build-digests validate metadata.json",
        "build-digests validate --schema digests - < digests.json",
    ),
    "schema": ("build-digests schema results > results.schema.json",),
    "action": ('INPUTS=\'{"context": "."}\' build-digests action build --dry-run',),
}
"""Examples of each command: lines of a shell, at most 76 characters each. The first one is in its messages too."""


class Command(click.Command):
    """Command whose help has examples and exit codes, and whose errors say what to write."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; what click finds wrong with them becomes an error of this package."""
        # The context would report arguments that are left over, without an example.
        ctx.allow_extra_args = True
        with _explained(ctx):
            rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            raise InputError(rest[0], f"it is one argument too many for {ctx.command_path}", _example(ctx))
        return rest

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples and the exit codes."""
        super().format_epilog(ctx, formatter)
        lines = EXAMPLES[str(self.name)]
        with formatter.section("Examples" if len(_commands(lines)) > 1 else "Example"):
            formatter.write("".join(f"{'':>{formatter.current_indent}}{line}\n" for line in lines))
        _write_exit_codes(formatter)


class Group(click.Group):
    """Group of commands; its help has the exit codes."""

    command_class = Command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; what click finds wrong with them becomes an error of this package."""
        with _explained(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names."""
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        if ctx.resilient_parsing:
            return None, None, args[1:]
        rule = f"did you mean {near}?" if (near := _nearest(args[0], self.commands)) else f"write {_or(self.commands)}"
        raise InputError(args[0], f"{ctx.command_path} has no such command", rule)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the exit codes."""
        super().format_epilog(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text(f"{ctx.command_path} COMMAND --help shows the options of a command.")
        _write_exit_codes(formatter)


class BuildxCommand(Command):
    """Command that passes arguments on to the buildx command of the same name."""

    ignore_unknown_options = True
    allow_interspersed_args = False

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, and look for options on the wrong side of `--`.

        Raises:
            InputError: an option before `--` is unknown, or one after it is an option of this command.
        """
        place = args.index("--") if "--" in args else None
        valued = [name for each in self.params if _takes_value(each) for name in each.opts]
        if place and args[place - 1] in valued and not ctx.resilient_parsing:
            raise _without_value(args[place - 1], ctx)
        after = args[place + 1 :] if place is not None else None
        rest = super().parse_args(ctx, args)
        passed = ctx.params.get("arguments", ())
        if ctx.resilient_parsing:
            return rest
        own = [name for each in self.params if isinstance(each, click.Option) for name in each.opts]
        if after is not None:
            for name in option_names(passed[: len(passed) - len(after)]):
                _check_before(f"--{name}", own, ctx)
        for name in option_names(passed if after is None else after):
            _check_after(f"--{name}", own, ctx)
        return rest


class Choice(click.Choice[str]):
    """Choice of texts, with an error that names the option and all values."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the value if it is one of the choices.

        Raises:
            InputError: it is not.
        """
        if value not in self.choices:
            near = _nearest(value, self.choices)
            rule = f"did you mean {near}? The values are {_or(self.choices)}" if near else f"write {_or(self.choices)}"
            raise InputError(_shown(param), f"{value!r} is not one of its values", rule)
        return super().convert(value, param, ctx)


class NewFile(click.Path):
    """Path of a file that is going to be written."""

    def __init__(self) -> None:
        """Accept a path that does not exist yet."""
        super().__init__(path_type=Path)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path.

        Raises:
            InputError: it is a folder; after the build, that would be too late.
        """
        if Path(value).is_dir():
            raise InputError(_shown(param), f"{value} is a folder", f"name a file in it, such as {value}/results.json")
        return super().convert(value, param, ctx)


@contextlib.contextmanager
def as_options(names: Mapping[str, str]) -> Iterator[None]:
    """Name inputs of an action in errors as the command names them.

    Args:
        names: the name of an input to that of the option or argument.
    """
    try:
        yield
    except InputError as error:
        name, colon, text = str(error).partition(": ")
        if name in names:
            error.args = (f"{names[name]}{colon}{text}",)
        raise


def _write_exit_codes(formatter: click.HelpFormatter) -> None:
    with formatter.section("Exit codes"):
        formatter.write_dl(EXIT_CODES)


@contextlib.contextmanager
def _explained(ctx: click.Context) -> Iterator[None]:
    """Turn click's errors of usage into errors of this package."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        # Not a wrong call: click answers it with the help.
        raise
    except click.NoSuchOption as error:
        raise _no_such_option(error.option_name, ctx) from None
    except click.BadOptionUsage as error:
        raise _without_value(error.option_name, ctx) from None
    except click.MissingParameter as error:
        raise InputError(_shown(error.param), "it is missing", _example(ctx)) from None
    except click.BadParameter as error:
        raise InputError(_shown(error.param), error.message.rstrip("."), _example(ctx)) from None


def _no_such_option(name: str, ctx: click.Context) -> InputError:
    own = [each for parameter in ctx.command.params for each in parameter.opts]
    problem = f"{ctx.command_path} has no such option"
    if isinstance(ctx.command, click.Group):
        commands = ctx.command.commands
        having = {key: [each for one in value.params for each in one.opts] for key, value in commands.items()}
        near = _nearest(name, [*own, *(each for opts in having.values() for each in opts)])
        if near and near not in own:
            found = _or([key for key, opts in having.items() if near in opts])
            rule = "" if near == name else f"did you mean {near}? "
            return InputError(name, problem, f"{rule}{'W' if rule else 'w'}rite {near} after the command, {found}")
    near = _nearest(name, own)
    rule = f"did you mean {near}?" if near else f"{ctx.command_path} --help lists the options"
    return InputError(name, problem, rule)


def _without_value(name: str, ctx: click.Context) -> InputError:
    option = next((each for each in ctx.command.params if name in each.opts), None)
    if option is not None and not _takes_value(option):
        return InputError(name, "it takes no value", f"write {name} alone")
    kind = option.make_metavar(ctx) if option is not None else "VALUE"
    return InputError(name, "it has no value", f"write {name} {kind}")


def _check_before(name: str, own: Sequence[str], ctx: click.Context) -> None:
    """Check an option before `--` that this command does not have."""
    known = BUILDX_OPTIONS[str(ctx.command.name)]
    if name in known:
        return
    problem = f"{ctx.command_path} has no such option"
    near = _nearest(name, [*own, *known])
    rule = f"did you mean {near}?" if near else f"options of docker buildx {ctx.command.name} are written after --"
    raise InputError(name, problem, rule)


def _check_after(name: str, own: Sequence[str], ctx: click.Context) -> None:
    """Check an option that is passed on to buildx, unless buildx has it."""
    known = BUILDX_OPTIONS[str(ctx.command.name)]
    near = _nearest(name, [*own, *known], _VERY_CLOSE)
    if name in known or near not in own:
        return
    correct = f"write it before --: {ctx.command_path} {near} -- ..."
    buildx = f"docker buildx {ctx.command.name}"
    if near == name:
        raise InputError(name, f"it is an option of {ctx.command_path}, not of {buildx}", correct)
    raise InputError(name, f"{buildx} has no such option", f"did you mean {near}? W{correct[1:]}")


def _takes_value(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and not parameter.is_flag and not parameter.count


def _nearest(name: str, names: Iterable[str], cutoff: float = _CLOSE) -> str | None:
    return next(iter(difflib.get_close_matches(name, list(names), 1, cutoff)), None)


def _shown(parameter: click.Parameter | None) -> str:
    """Return a parameter as the user writes it: the long name of an option, the metavar of an argument."""
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    shown = (parameter and (parameter.metavar or parameter.name)) or "argument"
    return shown.partition("...")[0].upper()


def _example(ctx: click.Context) -> str:
    """Return the rule of an error that shows a correct call."""
    return f"write, for example: {_commands(EXAMPLES[str(ctx.command.name)])[0]}"


def _commands(lines: Sequence[str]) -> list[str]:
    """Return each command of some lines of a shell on one line."""
    joined = "\n".join(lines).replace("\\\n", " ")
    return [" ".join(line.split()) for line in joined.split("\n")]


def _or(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
