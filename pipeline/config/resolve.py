"""Sources of the command line -> one merged and expanded tree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import TYPE_CHECKING

from pipeline.config.compose import compose
from pipeline.config.expand import Expander
from pipeline.config.sources import retrieve, split
from pipeline.config.tree import DELIMITER, Mapping, Node, Position, Scalar, Sequence, is_null, merge, nest
from pipeline.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping as Environ
    from collections.abc import Sequence as Uris


_EMPTY: Node = Mapping({}, {}, Position(""))


@dataclass(frozen=True, slots=True)
class Resolved:
    """The tree of all sources, and what is wrong or odd about its expansions."""

    root: Mapping
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def resolve(uris: Uris[str], sets: Uris[str], environ: Environ[str, str]) -> Resolved:
    """Read every URI, lay the later on the earlier, then `--set key.path=value`, then expand.

    Raises:
        ConfigError: a source cannot be read or is no YAML mapping.
    """
    if not uris:
        raise ConfigError(Problem("at least one config flag must be provided: --config FILE"))
    trees: list[Mapping | None] = []
    problems: list[Problem] = []
    for read in (*(partial(_source, uri, environ) for uri in uris), *(partial(_setting, text) for text in sets)):
        try:
            trees.append(read())
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(*problems)
    root = reduce(merge, (tree for tree in trees if tree is not None), _EMPTY)
    if not isinstance(root, Mapping) or not root.items:
        raise ConfigError(Position(split(uris[0], default_scheme="file")[1]).problem("empty configuration file"))
    expander = Expander(environ)
    expanded = expander.expand(root)
    items = {key: nest(node) for key, node in expanded.items.items()} if isinstance(expanded, Mapping) else {}
    return Resolved(replace(root, items=items), tuple(expander.problems), tuple(expander.warnings))


def _source(uri: str, environ: Environ[str, str]) -> Mapping | None:
    """The tree of one `--config`; None when it is empty."""
    retrieved = retrieve(*split(uri, default_scheme="file"), environ)
    node = retrieved.node
    if is_null(node):
        return None
    nested = nest(node)
    if not isinstance(nested, Mapping):
        kind = "a list" if isinstance(node, Sequence) else "a single value"
        raise ConfigError(node.position.problem(f"a configuration is a mapping of sections, this is {kind}"))
    return nested


def _setting(text: str) -> Mapping | None:
    """The tree of one `--set key.path=value`; the value is read as YAML."""
    key, equals, value = text.partition("=")
    source = f"--set {key.strip()}"
    if not equals or not key.strip():
        raise ConfigError(Problem(f'missing equal sign in --set "{text}"; write --set key.path=value'))
    node = compose(value.strip(), source)
    place = Position(source)
    leaf = Scalar(None, place) if node is None else node
    tree = nest(
        Mapping({key.strip().replace(".", DELIMITER): leaf}, {key.strip().replace(".", DELIMITER): place}, place)
    )
    return tree if isinstance(tree, Mapping) else None
