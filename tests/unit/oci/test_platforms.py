from __future__ import annotations

import pytest

from action.oci.image import normal_platform


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("linux/amd64", "linux/amd64"),
        (" Linux/x86_64 ", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/v9.0", "linux/arm64/v9"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/i386", "linux/386"),
        ("macos/arm64", "darwin/arm64"),
        ("windows/amd64", "windows/amd64"),
        ("linux/riscv64", "linux/riscv64"),
    ],
)
def test_a_platform_has_one_normal_form(text: str, normal: str) -> None:
    assert normal_platform(text) == normal


@pytest.mark.parametrize("text", ["", "amd64", "linux", "linux/", "linux/arm/v7/x", "linux amd64", "linux/amd64\n::x"])
def test_what_is_no_platform_is_none(text: str) -> None:
    assert normal_platform(text) is None
