"""Values as YAML text for people."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from pipeline.config.types import MASK

_USER_INFO: Final = re.compile(r"(?<=://)[^/@\s]*:[^/@\s]*(?=@)")
"""User and password of a URL (RFC 3986, section 3.2.1)."""


def without_password(text: str) -> str:
    """The same text; user and password of URLs are masked."""
    return _USER_INFO.sub(MASK, text)


class _Dumper(yaml.SafeDumper):
    """Lists are indented below their key, and no value is written as an alias of another."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def to_yaml(tree: dict[str, Any], *, sort_keys: bool) -> str:
    """The tree as YAML in block style."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=sort_keys, allow_unicode=True, width=120)
