from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action.errors import InputError
from action.inputs.build import read_build_inputs
from action.inputs.secrets import Secrets, read_secrets, secret_values
from tests.work import growth, work


def read(host: str | None = None, **inputs: str) -> Secrets:
    return read_secrets(
        read_build_inputs({name.replace("_", "-"): text for name, text in inputs.items()}), lambda: host
    )


def test_the_value_of_a_secret_is_passed_in_a_generated_environment_variable() -> None:
    secrets = read(secrets='KEY=hunter2\n"PEM=one\ntwo, three"')
    assert secrets.late_arguments == ("id=KEY,env=BUILD_DIGESTS_SECRET_0", "id=PEM,env=BUILD_DIGESTS_SECRET_1")
    assert secrets.environment == {"BUILD_DIGESTS_SECRET_0": "hunter2", "BUILD_DIGESTS_SECRET_1": "one\ntwo, three"}
    assert "hunter2" not in repr(secrets)


def test_a_value_keeps_its_equals_signs_and_white_space() -> None:
    assert list(read(secrets="KEY= a=b ").environment.values()) == [" a=b "]


def test_a_secret_without_an_equals_sign_is_left_out_with_a_warning_that_names_its_place() -> None:
    secrets = read(secrets="hunter2\nKEY=value")
    assert secrets.late_arguments == ("id=KEY,env=BUILD_DIGESTS_SECRET_0",)
    (warning,) = secrets.warnings
    assert warning == (
        "secrets: entry 1 is not KEY=VALUE and not passed to the build; "
        "write KEY=VALUE, and put an entry of several lines in double quotes"
    )


def test_a_value_of_several_lines_without_quotes_gives_one_warning_that_names_its_key() -> None:
    secrets = read(secrets="PEM=-----BEGIN\nhunter2\nhunter3, x\n-----END\nOTHER=x")
    assert list(secrets.environment.values()) == ["-----BEGIN", "x"]
    (warning,) = secrets.warnings
    assert warning == (
        "secrets: entries 2 to 4 are not KEY=VALUE and not passed to the build; "
        "if that is a part of the value of PEM, put the whole entry in double quotes"
    )


PADDED = "aHVudGVyMiBodW50ZXIyIGh1bnRlcjIgaHVudGVyMiBodW50ZXIyIGh1bnRlcjIg"


@pytest.mark.parametrize("rest", ["aHVudGVyMg==", "aHVudGVyMjA=", f"{PADDED}\naHVudGVyMg=="])
def test_the_padding_of_base64_does_not_end_a_key(rest: str) -> None:
    secrets = read(secrets=f"KEY={PADDED}\n{rest}\nOTHER=")
    assert secrets.late_arguments == ("id=KEY,env=BUILD_DIGESTS_SECRET_0",)
    assert "aHV" not in " ".join(secrets.warnings)
    assert "KEY" in secrets.warnings[0]
    # What follows may be a line of the same value.
    assert "OTHER" not in secrets.warnings[1]


def test_an_empty_secret_after_a_long_token_is_named_by_its_key() -> None:
    warnings = read(secrets=f"TOKEN={PADDED}\nNPM_TOKEN=\nOTHER=\nTOKEN_3=").warnings
    assert [warning.partition(" has")[0] for warning in warnings] == [
        "secrets: NPM_TOKEN",
        "secrets: OTHER",
        "secrets: TOKEN_3",
    ]


def test_a_quoted_value_of_several_lines_without_a_key_is_not_shown() -> None:
    secrets = read(secrets='"-----BEGIN\naHVu=x\n"')
    assert secrets.late_arguments == ()
    assert "aHVu" not in secrets.warnings[0]


def test_a_secret_without_a_key_is_left_out_with_a_warning_that_names_its_place() -> None:
    secrets = read(secrets="=hunter2\nKEY=x")
    assert secrets.late_arguments == ("id=KEY,env=BUILD_DIGESTS_SECRET_0",)
    assert secrets.warnings[0].startswith("secrets: entry 1 has no key before its '=' and is left out; write KEY=VALUE")


def test_a_secret_without_a_value_is_left_out_with_a_warning() -> None:
    secrets = read(secrets="KEY=\nOTHER=x")
    assert secrets.late_arguments == ("id=OTHER,env=BUILD_DIGESTS_SECRET_0",)
    assert secrets.warnings == ("secrets: KEY has no value and is not passed to the build",)


def test_secret_envs_name_the_users_own_variables() -> None:
    assert read(secret_envs="KEY=MY_VAR,OTHER=TWO").arguments == ("id=KEY,env=MY_VAR", "id=OTHER,env=TWO")
    secrets = read(secret_envs="KEY,OTHER=TWO")
    assert secrets.arguments == ("id=OTHER,env=TWO",)
    assert secrets.warnings[0].startswith(
        "secret-envs: entry 1 is not KEY=VALUE and not passed to the build; write KEY="
    )


def test_a_secret_env_without_a_variable_is_left_out_with_a_warning() -> None:
    # buildx would take the variable KEY instead, or a file of that name (buildkit, secretsprovider.NewStore).
    secrets = read(secret_envs="KEY=,OTHER=TWO")
    assert secrets.arguments == ("id=OTHER,env=TWO",)
    assert secrets.warnings == ("secret-envs: KEY has no value and is not passed to the build",)


@pytest.mark.parametrize("path", ["x" * 300, "x/" * 5000, "/dev/null/x", ".", "nowhere.txt", "hunter2"])
def test_a_secret_file_that_does_not_exist_is_left_out_with_a_warning_that_shows_only_the_key(path: str) -> None:
    secrets = read(secret_files=f"KEY={path}")
    assert secrets.late_arguments == ()
    assert secrets.warnings == ("secret-files: the file of KEY does not exist and is not passed to the build",)


def test_a_secret_file_without_a_path_is_left_out_with_a_warning() -> None:
    assert read(secret_files="KEY=").warnings == ("secret-files: KEY has no value and is not passed to the build",)


def test_buildx_gets_the_path_of_a_secret_file_that_exists(tmp_path: Path) -> None:
    file = tmp_path / "a, file"
    file.write_text("x")
    os.mkfifo(tmp_path / "pipe")
    secrets = read(secret_files=f'"KEY={file}"\nPIPE={tmp_path}/pipe')
    assert secrets.late_arguments == (f'id=KEY,"src={file}"', f"id=PIPE,src={tmp_path}/pipe")
    assert secrets.warnings == ()


def test_the_token_is_a_secret_for_its_host_if_the_context_needs_it() -> None:
    secrets = read("ghe.corp:8443", github_token="ghs_x")
    assert secrets.late_arguments == ("id=GIT_AUTH_TOKEN.ghe.corp:8443,env=BUILD_DIGESTS_SECRET_0",)
    assert secrets.environment == {"BUILD_DIGESTS_SECRET_0": "ghs_x"}
    assert read(None, github_token="ghs_x").late_arguments == ()


@pytest.mark.parametrize("own", ["GIT_AUTH_TOKEN=mine", "GIT_AUTH_TOKEN.github.com=mine"])
def test_a_git_token_in_secrets_replaces_the_token(own: str) -> None:
    assert len(read("github.com", github_token="ghs_x", secrets=own).late_arguments) == 1


def test_a_git_token_in_any_secret_input_replaces_the_token(tmp_path: Path) -> None:
    # BuildKit takes the last of two secrets with one id.
    file = tmp_path / "token"
    file.touch()
    assert read("github.com", github_token="ghs_x", secret_envs="GIT_AUTH_TOKEN.github.com=MINE").environment == {}
    assert read("github.com", github_token="ghs_x", secret_files=f"GIT_AUTH_TOKEN.github.com={file}").environment == {}


def test_a_git_token_for_another_host_does_not_replace_the_token() -> None:
    secrets = read("github.com", github_token="ghs_x", secrets="GIT_AUTH_TOKEN.gitlab.com=mine")
    assert list(secrets.environment.values()) == ["mine", "ghs_x"]


def test_a_git_token_without_a_value_turns_the_token_off() -> None:
    assert read("github.com", github_token="ghs_x", secrets="GIT_AUTH_TOKEN=").environment == {}


def test_the_host_is_read_only_if_there_is_a_token_to_pass() -> None:
    def never() -> str | None:
        raise AssertionError

    assert read_secrets(read_build_inputs({"secrets": "K=v"}), never).environment == {"BUILD_DIGESTS_SECRET_0": "v"}
    own = read_build_inputs({"secrets": "GIT_AUTH_TOKEN=mine", "github-token": "ghs_x"})
    assert list(read_secrets(own, never).environment.values()) == ["mine"]


@pytest.mark.parametrize(
    "inputs",
    [
        {"secrets": "hunter2"},
        {"secrets": "K=v\n=hunter2"},
        {"secrets": "K=v\nhunter2\nhunter2=x\nhunter2="},
        {"secrets": "hunter2\n" * 100},
        {"secret_envs": "hunter2"},
        {"secret_envs": "=hunter2"},
        {"secret_files": "hunter2"},
        {"secret_files": "K=hunter2"},
        {"secret_files": "hunter2\nhunter2=x"},
    ],
)
def test_no_warning_shows_what_may_be_a_secret(inputs: dict[str, str]) -> None:
    warnings = read(**inputs).warnings
    assert warnings
    assert "hunter2" not in " ".join(warnings)


@pytest.mark.parametrize("text", ['"hunter2', 'K=v\n"X=hunter2\n'])
def test_no_error_shows_what_may_be_a_secret(text: str) -> None:
    with pytest.raises(InputError) as error:
        read(secrets=text)
    assert "hunter2" not in str(error.value)


@settings(deadline=None)
@given(st.lists(st.tuples(st.from_regex(r"[A-Z]+", fullmatch=True), st.text("hx,\"\n= '$;", min_size=1)), max_size=4))
def test_any_value_is_passed_unchanged_and_is_in_no_argument(pairs: list[tuple[str, str]]) -> None:
    lines = "\n".join('"' + f"{key}=<{value}>".replace('"', '""') + '"' for key, value in pairs)
    secrets = read(secrets=lines)
    assert list(secrets.environment.values()) == [f"<{value}>" for _, value in pairs]
    assert secrets.late_arguments == tuple(
        f"id={key},env=BUILD_DIGESTS_SECRET_{number}" for number, (key, _) in enumerate(pairs)
    )


def test_a_key_with_a_comma_stays_one_key() -> None:
    assert read(secrets='"a,b=x"').late_arguments == ('"id=a,b",env=BUILD_DIGESTS_SECRET_0',)


def masked(environment: dict[str, str] | None = None, **inputs: str) -> tuple[str, ...]:
    named = {name.replace("_", "-"): text for name, text in inputs.items()}
    return secret_values(read_build_inputs(named), environment or {})


def test_all_values_and_the_token_are_masked_also_those_of_secrets_that_are_left_out() -> None:
    assert masked(secrets="KEY=hunter2\n=nokey\nEMPTY=", github_token="ghs_x") == ("hunter2", "nokey", "ghs_x")


def test_every_line_of_a_value_without_quotes_is_masked_whatever_it_looks_like() -> None:
    secret = "first\n  line one\n{line}\nuser=hunter2\nYWJj/ZGVm==\nlast="
    assert {"line one", "{line}", "user=hunter2", "YWJj/ZGVm==", "last="} <= set(masked(secrets=f"KEY={secret}"))


def test_keys_are_not_masked_if_each_secret_has_its_own_line() -> None:
    assert masked(secrets="KEY=hunter2\nTOKEN=\nOTHER=x") == ("hunter2", "x")


def test_a_short_text_in_the_wrong_place_is_not_masked() -> None:
    # GitHub drops a job's output that holds a masked text, and every digest holds an "a".
    assert masked(secrets="KEY={\n}\na") == ("{", "KEY={")


def test_a_value_in_place_of_a_variable_or_a_path_is_masked(tmp_path: Path) -> None:
    assert masked(secret_envs="TOKEN=ghp_value,hunter2") == ("ghp_value", "hunter2")
    assert masked({"ghp_value": ""}, secret_envs="TOKEN=ghp_value,OTHER=NOT_SET,EMPTY=") == ()
    lines = {"//registry/:_authToken=x", "always=yes"}
    assert lines <= set(masked(secret_files='"NPMRC=//registry/:_authToken=x\nalways=yes"'))
    assert {"always=yes", "hunter2"} <= set(masked(secret_files="NPMRC=one\nhunter2\nalways=yes"))
    (tmp_path / "file").touch()
    assert masked(secret_files=f"NPMRC={tmp_path}/file") == ()


def test_a_name_of_a_variable_or_a_file_is_not_masked() -> None:
    assert masked(secret_envs="TOKEN=NOT_SET,OTHER") == ()
    assert masked({"hunter2": ""}, secret_envs="TOKEN=hunter2") == ()


def test_a_line_of_capital_letters_is_masked() -> None:
    assert "MFRGGZDFMY" in masked(secrets="KEY=x\nMFRGGZDFMY")


def test_the_time_for_lines_without_quotes_is_proportional_to_their_number() -> None:
    def read_lines(lines: int) -> None:
        inputs = read_build_inputs({"secrets": "KEY=x\n" + "a\nb=\n" * lines})
        assert len(read_secrets(inputs, lambda: None).warnings) > lines // 2

    assert work(lambda: read_lines(2000)) < 2.2 * work(lambda: read_lines(1000))
    assert growth(read_lines, 1000) < 1.5
