"""Secrets that stand in a configuration as they are, where whoever can read the file can read them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from pipeline.config.catalog import KINDS
from pipeline.config.tree import Path, Scalar, locate
from pipeline.config.types import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.config.examination import Examination
    from pipeline.errors import Problem

_PUBLIC: Final = frozenset({"ca_pem", "cert_pem"})
"""Certificates are shown to everybody who connects."""
_CREDENTIALS: Final = re.compile(r"auth|cookie|credential|key|passw|secret|signature|token", re.IGNORECASE)
"""Names of headers that hold what others must not know; most headers name tenants and versions."""
_ADVICE: Final = "write ${env:NAME} or ${file:/path}"
_IN_FILE: Final = f"a secret stands here as it is; {_ADVICE}"
_ON_COMMAND_LINE: Final = f"a secret on the command line shows in the list of processes; {_ADVICE}"


def written_out(result: Examination) -> Iterator[Problem]:
    """A warning for each secret that neither the environment nor a file of its own gives. Never says its value."""
    for kind in KINDS:
        for component in result.components[kind].values():
            yield from _written_out(component.config, component.path, result)
    if result.service is not None:
        yield from _written_out(result.service, ("service",), result)


def _written_out(config: BaseModel, at: Path, result: Examination) -> Iterator[Problem]:
    for below in _secrets(config, ()):
        path = (*at, *below)
        found, _, node = locate(result.root, path)
        if found != path or not isinstance(node, Scalar) or node.is_given or node.position.file.startswith("env:"):
            continue
        is_in_file = not node.position.file.startswith(("--set ", "yaml:"))
        yield node.position.problem(_IN_FILE if is_in_file else _ON_COMMAND_LINE, path)


def _secrets(value: Any, path: Path) -> Iterator[Path]:
    """Paths of secrets that are not empty."""
    if isinstance(value, Secret):
        if value.get_secret_value() and path[-1] not in _PUBLIC:
            yield path
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            key = field.alias or name
            if key != "value" or _CREDENTIALS.search(str(getattr(value, "name", "key"))):
                yield from _secrets(getattr(value, name), (*path, key))
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(item, Secret) or _CREDENTIALS.search(str(key)):
                yield from _secrets(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _secrets(item, (*path, index))
