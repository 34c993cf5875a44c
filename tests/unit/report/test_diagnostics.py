"""What diagnostics show of what docker and buildx print."""

from __future__ import annotations

import pytest

from action.report.diagnostics import print_group, without_secrets
from tests.work import growth


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" HTTP Proxy: http://octo:p@ss@proxy:3128", " HTTP Proxy: http://***@proxy:3128"),
        ('Endpoint: "tcp://token@build:2376"', 'Endpoint: "tcp://***@build:2376"'),
        ('env.A="it\'s \\"s e\\" cret" network="host"', 'env.A=*** network="host"'),
        ("env.TOKEN=secret image=moby/buildkit", "env.TOKEN=*** image=moby/buildkit"),
        ("Maintainer: octo@example.com", "Maintainer: octo@example.com"),
        ("https://docs.docker.com/go/x/\n  unix:///a", "https://docs.docker.com/go/x/\n  unix:///a"),
    ],
)
def test_users_passwords_and_variables_of_a_builder_are_left_out(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


@pytest.mark.parametrize("piece", ["http://", "a@", "env.", " env.", 'env.a="\\\\ ', 'env.a="', "://@"])
def test_the_time_for_a_long_text_is_proportional_to_its_length(piece: str) -> None:
    assert growth(lambda length: without_secrets(piece * (length // len(piece))), 125_000) < 1.5


def test_a_group_is_cut_at_256_kib_and_holds_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    print_group("Metadata", "::set-output name=digest::x\n\x1b[31m" + "x" * 300_000)
    printed = capsys.readouterr().out
    first, stop, *rest = printed.splitlines()
    assert first == "::group::Metadata"
    token = stop.removeprefix("::stop-commands::")
    assert rest[-2:] == [f"::{token}::", "::endgroup::"]
    assert rest[-3].endswith("more characters")
    assert "\x1b" not in printed
    assert len(printed) < 270_000


def test_a_group_without_text_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_group("Metadata", "\n")
    assert capsys.readouterr().out == ""
