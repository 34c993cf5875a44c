"""Outputs are read as buildx reads them (docker/buildx 0.36, util/buildflags/export.go and its tests)."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from action.errors import InputError
from action.exporters.output import Output, output_of, parse_output, parse_outputs


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("type=image,name=a,push=true,id=x", Output(0, "image", "x", None, {"name": "a", "push": "true"})),
        ("type=oci,dest=a.tar", Output(0, "oci", None, "a.tar", {})),
        ("type=docker", Output(0, "docker", None, None, {})),
        ("TYPE=oci, DEST=a.tar", Output(0, "oci", None, "a.tar", {})),
        ('type=image,"name=a,b"', Output(0, "image", None, None, {"name": "a,b"})),
        ("type=local,dest=a=b", Output(0, "local", None, "a=b", {})),
        ("type=image,name=", Output(0, "image", None, None, {"name": ""})),
        ("out", Output(0, "local", None, "out", {})),
        ("./dest=x", Output(0, "local", None, "./dest=x", {})),
        ("-", Output(0, "tar", None, "-", {})),
        ("type=teleport,dest=x", Output(0, "teleport", None, "x", {})),
        ("type=image,name=a,name=b", Output(0, "image", None, None, {"name": "b"})),
        (
            "type=image,annotation-manifest[linux/amd64].a=b",
            Output(0, "image", None, None, {"annotation-manifest[linux/amd64].a": "b"}),
        ),
    ],
)
def test_an_output_is_attributes_or_a_folder(text: str, output: Output) -> None:
    assert parse_output(text, 0) == output


@pytest.mark.parametrize("identifier", ["release", "a", "1a", "a.b-c_d", "-", ".", "X" * 300])
def test_an_id_is_letters_digits_and_a_few_marks(identifier: str) -> None:
    assert parse_output(f"type=oci,id={identifier}", 0).id == identifier


@pytest.mark.parametrize("identifier", ["", " ", "a b", "a/b", "ä", "a\tb", "a:b", "$(x)", "a%0Ab", "\uff11\uff12"])
def test_an_id_with_anything_else_is_malformed(identifier: str) -> None:
    with pytest.raises(InputError, match=r"^outputs: id .* is malformed; use letters"):
        parse_output(f"type=oci,id={identifier}", 0)


@pytest.mark.parametrize("identifier", ["0", "12", "007"])
def test_an_id_of_digits_alone_would_be_an_index(identifier: str) -> None:
    with pytest.raises(InputError, match="is all digits; digits alone name an exporter by its place"):
        parse_output(f"type=oci,id={identifier}", 0)


def test_an_id_that_is_used_twice_is_named_with_both_places() -> None:
    rule = "give each an id of its own"
    with pytest.raises(InputError, match=f"^outputs: entries 0 and 2 have the same id 'x'; {rule}$"):
        parse_outputs(["type=oci,dest=a,id=x", "type=local,dest=b", "type=oci,dest=c,id=x"])


def test_attributes_without_a_type_are_refused() -> None:
    with pytest.raises(InputError, match=r"^outputs: 'dest=a' has no type"):
        output_of({"dest": "a"}, 0)


@pytest.mark.parametrize("text", ["dest=a.tar", "name=a,push=true", "type=,dest=a", "id=x"])
def test_an_output_without_type_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^outputs: .* has no type; write type=image") as error:
        parse_output(text, 0)
    assert repr(text) in str(error.value)


def test_an_attribute_without_a_value_is_refused() -> None:
    with pytest.raises(InputError, match="'push' has no value"):
        parse_output("type=image,push", 0)


@pytest.mark.parametrize("text", ["type=image,", ",type=image", "type=image,,push=true", '""', ",", "a,b"])
def test_a_field_that_is_no_attribute_is_refused(text: str) -> None:
    # buildx: invalid value
    with pytest.raises(
        InputError, match=r"^outputs: .* has no value; write attributes as key=value.*needs quotes: \"dest=a,b.tar\"$"
    ):
        parse_output(text, 0)


@pytest.mark.parametrize("text", ["type", "image", "C:\\out", "UPPER=x", "a b=c", "日本", "~/out", "dest", "=x", " "])
def test_one_field_that_is_the_whole_entry_is_a_folder(text: str) -> None:
    assert parse_output(text, 0) == Output(0, "local", None, text, {})


def test_one_field_in_quotes_is_no_folder() -> None:
    # buildx compares the field with the entry as written, quotes included.
    with pytest.raises(InputError, match="has no value"):
        parse_output('"out"', 0)
    assert parse_output('"type=oci"', 0) == Output(0, "oci", None, None, {})


@pytest.mark.parametrize("kind", ["Image", "IMAGE", "moby", "oci ", "t" * 1000, "../x", "::error::"])
def test_a_type_that_nobody_knows_passes_as_it_is(kind: str) -> None:
    assert parse_output(f"type={kind}", 0).type == kind


def test_the_names_of_an_output_are_split_at_commas() -> None:
    assert parse_output('type=image,"name=a:1, b:2,"', 0).names == ("a:1", "b:2")
    assert parse_output("type=image", 0).names == ()


def test_an_id_that_differs_in_case_is_another() -> None:
    assert [output.id for output in parse_outputs(["type=oci,id=A", "type=oci,id=a"])] == ["A", "a"]


def test_an_error_names_the_option_that_was_given() -> None:
    with pytest.raises(InputError, match=r"^--output: id '7' is all digits"):
        parse_outputs(["type=oci,id=7"], source="--output")


def test_an_output_that_is_no_csv_is_refused() -> None:
    with pytest.raises(InputError, match=r"^outputs: .*cannot be read as CSV"):
        parse_output('type=image,"name=a', 0)


def test_places_count_the_users_list_with_empty_lines_left_out() -> None:
    assert [output.index for output in parse_outputs(["", "out", "", "type=oci,dest=x"])] == [0, 1]


_KEYS = st.text("abcdefghijklmnopqrstuvwxyz-.", min_size=1).filter(lambda key: key not in {"type", "dest", "id"})
_VALUES = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]))


@settings(deadline=None)
@given(
    st.dictionaries(_KEYS, _VALUES),
    st.from_regex(r"[a-z]+", fullmatch=True),
    st.none() | _VALUES,
    st.none() | st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]*", fullmatch=True),
    st.randoms(),
)
def test_what_is_written_is_what_is_read_in_any_order(
    attributes: dict[str, str], kind: str, dest: str | None, identifier: str | None, random: st.DrawFn
) -> None:
    fields = [f"{key}={value}" for key, value in attributes.items()]
    fields += [f"type={kind}", *([f"dest={dest}"] if dest is not None else [])]
    fields += [f"id={identifier}"] if identifier is not None else []
    random.shuffle(fields)  # type: ignore[attr-defined]
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(fields)
    assert parse_output(written.getvalue(), 3) == Output(3, kind, identifier, dest or None, attributes)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_is_an_output_or_a_plain_error(text: str) -> None:
    try:
        output = parse_output(text, 0)
    except InputError:
        return
    assert output.type
