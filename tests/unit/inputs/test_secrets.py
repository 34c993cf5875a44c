from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action.errors import InputError
from action.inputs.model import read_inputs
from action.inputs.secrets import Secrets, read_secrets, secret_values


def read(host: str | None = None, **inputs: str) -> Secrets:
    return read_secrets(read_inputs({name.replace("_", "-"): text for name, text in inputs.items()}), lambda: host)


def test_a_secrets_value_goes_by_the_environment_under_a_generated_name() -> None:
    secrets = read(secrets='KEY=hunter2\n"PEM=one\ntwo, three"')
    assert secrets.late_arguments == ("id=KEY,env=BUILD_DIGESTS_SECRET_0", "id=PEM,env=BUILD_DIGESTS_SECRET_1")
    assert secrets.environment == {"BUILD_DIGESTS_SECRET_0": "hunter2", "BUILD_DIGESTS_SECRET_1": "one\ntwo, three"}
    assert "hunter2" not in repr(secrets)


def test_an_equals_sign_in_a_value_belongs_to_it_and_white_space_does_too() -> None:
    assert list(read(secrets="KEY= a=b ").environment.values()) == [" a=b "]


def test_a_secret_without_an_equals_sign_is_named_by_its_place_and_its_value_never_shown() -> None:
    with pytest.raises(InputError, match=r"^secrets: entry 2 has no '='; write KEY=VALUE") as error:
        read(secrets="KEY=-----BEGIN\nhunter2\n")
    assert "hunter2" not in str(error.value)
    assert error.value.exit_code == 2


def test_a_secret_without_a_key_is_refused() -> None:
    with pytest.raises(InputError, match="entry 1 has no key"):
        read(secrets="=hunter2")


def test_a_secret_without_a_value_is_left_out_with_a_warning() -> None:
    secrets = read(secrets="KEY=\nOTHER=x")
    assert secrets.late_arguments == ("id=OTHER,env=BUILD_DIGESTS_SECRET_0",)
    assert secrets.warnings == ("secrets: KEY has no value and is not passed to the build",)


def test_secret_envs_name_the_users_own_variables() -> None:
    assert read(secret_envs="KEY=MY_VAR,OTHER=TWO").arguments == ("id=KEY,env=MY_VAR", "id=OTHER,env=TWO")
    with pytest.raises(InputError, match=r"^secret-envs: entry 1 has no '='"):
        read(secret_envs="KEY")


def test_a_secret_env_without_a_variable_is_left_out_with_a_warning() -> None:
    # buildx would take the variable KEY instead, or a file of that name (buildkit, secretsprovider.NewStore).
    secrets = read(secret_envs="KEY=,OTHER=TWO")
    assert secrets.arguments == ("id=OTHER,env=TWO",)
    assert secrets.warnings == ("secret-envs: KEY has no value and is not passed to the build",)


@pytest.mark.parametrize("path", ["", "x" * 300, "x/" * 5000, "/dev/null/x", "."])
def test_a_secret_file_that_cannot_be_a_file_is_a_plain_error(path: str) -> None:
    with pytest.raises(InputError, match=r"^secret-files: KEY: there is no file .*; name a file that the step can"):
        read(secret_files=f"KEY={path}")


def test_a_secret_file_must_be_there(tmp_path: Path) -> None:
    file = tmp_path / "a, file"
    file.write_text("x")
    assert read(secret_files=f'"KEY={file}"').late_arguments == (f'id=KEY,"src={file}"',)
    with pytest.raises(InputError, match=r"^secret-files: KEY: there is no file '.*missing'"):
        read(secret_files=f"KEY={tmp_path}/missing")


def test_the_token_is_a_secret_of_its_host_where_the_context_needs_it() -> None:
    secrets = read("ghe.corp:8443", github_token="ghs_x")
    assert secrets.late_arguments == ("id=GIT_AUTH_TOKEN.ghe.corp:8443,env=BUILD_DIGESTS_SECRET_0",)
    assert secrets.environment == {"BUILD_DIGESTS_SECRET_0": "ghs_x"}
    assert read(None, github_token="ghs_x").late_arguments == ()


@pytest.mark.parametrize("own", ["GIT_AUTH_TOKEN=mine", "GIT_AUTH_TOKEN.github.com=mine"])
def test_a_git_token_of_the_users_own_wins(own: str) -> None:
    assert len(read("github.com", github_token="ghs_x", secrets=own).late_arguments) == 1


def test_a_git_token_of_the_users_own_wins_however_it_is_given(tmp_path: Path) -> None:
    # BuildKit takes the last of two secrets with one id.
    file = tmp_path / "token"
    file.touch()
    assert read("github.com", github_token="ghs_x", secret_envs="GIT_AUTH_TOKEN.github.com=MINE").environment == {}
    assert read("github.com", github_token="ghs_x", secret_files=f"GIT_AUTH_TOKEN.github.com={file}").environment == {}


def test_a_git_token_of_another_host_is_none_of_this_one() -> None:
    secrets = read("github.com", github_token="ghs_x", secrets="GIT_AUTH_TOKEN.gitlab.com=mine")
    assert list(secrets.environment.values()) == ["mine", "ghs_x"]


def test_a_git_token_without_a_value_still_says_that_none_is_wanted() -> None:
    assert read("github.com", github_token="ghs_x", secrets="GIT_AUTH_TOKEN=").environment == {}


def test_the_host_is_asked_for_only_where_there_is_a_token_to_pass() -> None:
    def never() -> str | None:
        raise AssertionError

    assert read_secrets(read_inputs({"secrets": "K=v"}), never).environment == {"BUILD_DIGESTS_SECRET_0": "v"}
    own = read_inputs({"secrets": "GIT_AUTH_TOKEN=mine", "github-token": "ghs_x"})
    assert list(read_secrets(own, never).environment.values()) == ["mine"]


@pytest.mark.parametrize(
    "inputs",
    [
        {"secrets": "hunter2"},
        {"secrets": "K=v\n=hunter2"},
        {"secrets": '"hunter2'},
        {"secrets": 'K=v\n"X=hunter2\n'},
        {"secrets": "hunter2\n" * 100},
        {"secret_envs": "hunter2"},
        {"secret_envs": "=hunter2"},
        {"secret_files": "hunter2"},
    ],
)
def test_no_error_shows_what_may_be_a_secret(inputs: dict[str, str]) -> None:
    with pytest.raises(InputError) as error:
        read(**inputs)
    assert "hunter2" not in str(error.value)


@settings(deadline=None)
@given(st.lists(st.tuples(st.from_regex(r"[A-Z]+", fullmatch=True), st.text("hx,\"\n= '$;", min_size=1)), max_size=4))
def test_any_value_arrives_as_it_was_written_and_stands_in_no_argument(pairs: list[tuple[str, str]]) -> None:
    lines = "\n".join('"' + f"{key}=<{value}>".replace('"', '""') + '"' for key, value in pairs)
    secrets = read(secrets=lines)
    assert list(secrets.environment.values()) == [f"<{value}>" for _, value in pairs]
    assert secrets.late_arguments == tuple(
        f"id={key},env=BUILD_DIGESTS_SECRET_{number}" for number, (key, _) in enumerate(pairs)
    )


def test_a_key_with_a_comma_stays_one_key() -> None:
    assert read(secrets='"a,b=x"').late_arguments == ('"id=a,b",env=BUILD_DIGESTS_SECRET_0',)


def test_every_value_and_the_token_are_to_be_masked_even_of_a_secret_that_is_refused() -> None:
    inputs = read_inputs({"secrets": "KEY=hunter2\n=nokey\nEMPTY=", "github-token": "ghs_x"})
    assert secret_values(inputs) == ("hunter2", "nokey", "ghs_x")
