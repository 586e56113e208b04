"""Which dialects a record speaks: by its scope, by keys no one else writes, by the shape of its keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from processors.gen_ai_normalizer.knowledge.rules import BASE_DIALECT, Keys, Rules
from processors.gen_ai_normalizer.reading.beside import name_of_key


class ScopeId(NamedTuple):
    """What is known of an instrumentation scope."""

    name: str
    schema_url: str
    version: str = ""


class _KeyTable:
    """Dialects by whole keys and by beginnings of keys."""

    def __init__(self, keys_of: dict[str, Keys]) -> None:
        self._whole: dict[str, set[str]] = {}
        self._prefixes: list[tuple[str, str]] = []
        for dialect, keys in keys_of.items():
            for key in keys.keys:
                self._whole.setdefault(key, set()).add(dialect)
            self._prefixes += [(prefix, dialect) for prefix in keys.prefixes]

    def find(self, keys: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for key in keys:
            found |= self._whole.get(key, set())
            found.update(dialect for prefix, dialect in self._prefixes if key.startswith(prefix))
        return found


class Recognition:
    """Finds the dialects of a record, in the order in which their rules apply.

    Scopes can be renamed by users and proxies re-emit under their own, so markers add to what the scope says; the
    shape of keys, which several libraries share, decides only where neither says anything.
    """

    def __init__(self, rules: Iterable[Rules], mapped: Iterable[str] = ()) -> None:
        """Look at the scopes, markers and shapes of these dialects.

        `mapped` are keys of the user's own that mean something to the conventions: a record with one of them is about
        generative AI.
        """
        self._rules = tuple(rules)
        self._mapped = frozenset(mapped)
        self._markers = _KeyTable({rule.dialect: rule.markers for rule in self._rules})
        self._shapes = _KeyTable({rule.dialect: rule.shapes for rule in self._rules})

    def dialects(self, scope: ScopeId, keys: Iterable[str]) -> tuple[str, ...]:
        """The dialects of a record with these keys; none for one that is not about generative AI."""
        keys = [name_of_key(key) for key in keys]
        by_scope = [rule.dialect for rule in self._rules if _speaks(rule, scope, keys)]
        by_marker = self._markers.find(keys)
        found = list(dict.fromkeys([*by_scope, *sorted(by_marker)]))
        if not found:
            found = sorted(self._shapes.find(keys), key=lambda dialect: dialect == BASE_DIALECT)
        if not found and not self._mapped.isdisjoint(keys):
            found = [BASE_DIALECT]
        return tuple(dialect for dialect in found if dialect != BASE_DIALECT or len(found) == 1)


def _speaks(rule: Rules, scope: ScopeId, keys: list[str]) -> bool:
    return any(
        (scope.name == known.name if known.name else scope.name.startswith(known.prefix))
        and (known.schema_url is None or known.schema_url == bool(scope.schema_url))
        and (not known.beside or any(key.startswith(known.beside) for key in keys))
        for known in rule.scopes
    )
