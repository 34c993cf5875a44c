"""Groups of the log that help to find the cause of a failure, with the titles of docker/build-push-action 7."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from action.buildx.builder import Diagnostics
from action.github import workflow_commands
from action.report.safe_text import visible

_MAX_CHARACTERS = 256 * 1024

_WORD = re.compile(r"\S+")
# `buildx inspect` prints the options of a driver as `env.HTTP_PROXY="http://…"`; a variable can be a secret.
_VARIABLES = re.compile(r"(?P<before>(?<!\S)env\.[^=\s]+=)(?:\"(?:[^\"\\]|\\.)*\"|\S+)")
# The numbers are bits (actions/runner, the claim `ac` of ACTIONS_RUNTIME_TOKEN).
_PERMISSIONS = {1: "read", 2: "write", 3: "read/write"}


def print_diagnostics(diagnostics: Diagnostics, docker_folder: Path) -> None:
    """Print what docker and buildx have printed about themselves, the builder and the proxy; do not wait for more.

    Args:
        diagnostics: what docker and buildx printed until now.
        docker_folder: the folder of docker's configuration.
    """
    known = dict(diagnostics.texts)
    print_group("GitHub Actions runtime token ACs", _scopes(diagnostics.token))
    docker = "\n".join(known[name] for name in ("docker version", "docker info") if name in known)
    print_group("Docker info", without_secrets(docker))
    print_group("Proxy configuration", "\n".join(_proxies(docker_folder / "config.json")))
    print_group("Buildx version", known.get("buildx version", ""))
    driver = f"Driver: {diagnostics.driver}" if diagnostics.driver else ""
    print_group("Builder info", without_secrets(known.get("buildx inspect", driver)))


def print_group(title: str, text: str) -> None:
    """Print text in a group of the log, without what the runner or a terminal would take for a command.

    Args:
        title: the title of the group.
        text: the text. Without text no group is printed; a very long text is cut.
    """
    cut = text[:_MAX_CHARACTERS].strip("\n")
    if not cut:
        return
    more = f"\n… and {len(text) - _MAX_CHARACTERS} more characters" if len(text) > _MAX_CHARACTERS else ""
    with workflow_commands.group(title), workflow_commands.stopped():
        sys.stdout.write(visible(cut) + more)
        sys.stdout.flush()


def without_secrets(text: str) -> str:
    """Return text without the users and passwords of URLs, and without the values of a builder's variables."""
    named = _VARIABLES.sub(r"\g<before>***", text)
    return _WORD.sub(lambda match: _without_user(match[0]) if "://" in match[0] else match[0], named)


def _scopes(token: str) -> str:
    """Return the scopes of the cache service that a token may read or write; empty if it names none."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return "\n".join(_scope_lines(json.loads(claims["ac"])))
    except (IndexError, ValueError, KeyError, TypeError, RecursionError):
        return ""


def _scope_lines(scopes: Iterable[dict[str, object]]) -> Iterator[str]:
    for scope in scopes:
        permission = scope["Permission"]
        named = _PERMISSIONS.get(permission) if isinstance(permission, int) else None
        yield f"{scope['Scope']}: {named or permission}"


def _proxies(config: Path) -> Iterator[str]:
    """Yield the proxies in docker's configuration, without users and passwords."""
    try:
        proxies = json.loads(config.read_text(encoding="utf-8"))["proxies"]
        for host, settings in proxies.items():
            yield from (f"{host}: {name}: {_without_user(str(value))}" for name, value in settings.items())
    except (FileNotFoundError, KeyError):
        yield "No proxy configuration found"
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        yield f"{config} cannot be read: {error}"


def _without_user(url: str) -> str:
    """Return a URL, which may have no scheme, without the user and password in it."""
    begin = url.find("://") + len("://") if "://" in url else 0
    # A password may contain `@`, so it ends at the last one.
    end = url.rfind("@")
    return f"{url[:begin]}***{url[end:]}" if end >= begin else url
