"""Values as YAML text for people."""

from __future__ import annotations

from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Lists are indented below their key, and no value is written as an alias of another."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def to_yaml(tree: dict[str, Any], *, sort_keys: bool) -> str:
    """The tree as YAML in block style."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=sort_keys, allow_unicode=True, width=120)
