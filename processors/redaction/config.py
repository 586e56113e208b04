"""Configuration of the processor `redaction`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config import InvalidKey, Pattern, Secret, refused
from processors.redaction.knowledge.entities import Selection
from processors.redaction.policy_config import Allowed, Choice, FixedText, Policy, UserRule

HashFunction = Literal["", "md5", "sha1", "sha3", "hmac-sha256", "hmac-sha512"]

_CHOOSING: Final = {"entities", "action", "actions", "mask", "policies", "rules"}
_OWN_KEYS: Final = _CHOOSING | {"allow", "dry_run", "hash_digits", "max_value_bytes", "max_value_hits"}
_IDLE_ALONE: Final = {"allow", "hash_digits"}
_COMMON_KEYS: Final = {"hmac_key", "summary"}
_MIN_KEY_BYTES: Final = {"hmac-sha256": 32, "hmac-sha512": 64}


class RedactionConfig(Choice):
    """What is taken out, in one of two languages: entity types, or the Collector's keys.

    Without any key the default policy holds. With only Collector keys the processor does what the Collector's does.
    With both, the Collector's rules are applied first. `hmac_key` and `summary` belong to both: alone they are the
    Collector's, beside a key of our own they serve the entities.
    """

    policies: tuple[Policy, ...] = Field((), description="Other choices for some places; the first that holds decides.")
    rules: tuple[UserRule, ...] = Field((), description="Rules of your own.")
    allow: Allowed = Field(default_factory=Allowed, description="Values that are never redacted.")
    dry_run: bool = Field(False, description="Count and annotate what would be redacted; change nothing.")
    hash_digits: int = Field(
        6, ge=6, le=64, description="Hexadecimal digits of a pseudonym; more make equal ones of two values rarer."
    )
    max_value_bytes: int = Field(
        16 << 20, ge=1, description="A larger value with a candidate in it becomes `<REDACTED>`."
    )
    max_value_hits: int = Field(50_000, ge=1, description="A value with more candidates becomes `<REDACTED>`.")

    allow_all_keys: bool = Field(False, description="Keep attributes whatever their key; else `allowed_keys` decides.")
    allowed_keys: tuple[str, ...] = Field((), description="Attribute keys that are kept; all others are deleted.")
    ignored_keys: tuple[str, ...] = Field((), description="Attribute keys that pass untouched.")
    ignored_key_patterns: tuple[Pattern, ...] = Field((), description="RE2 expressions for `ignored_keys`.")
    blocked_key_patterns: tuple[Pattern, ...] = Field((), description="Keys (RE2) whose whole value is masked.")
    blocked_values: tuple[Pattern, ...] = Field((), description="RE2 expressions; each match in a value is masked.")
    allowed_values: tuple[Pattern, ...] = Field((), description="RE2 expressions; a value with a match is left alone.")
    redact_all_types: bool = Field(False, description="Look at values other than strings too, as their text.")
    hash_function: HashFunction = Field("", description="Put the hex digest of the match in its place, not `****`.")
    hmac_key: Secret | None = Field(None, description="Key of the hmac functions; at least as long as their digest.")
    summary: str = Field("", description="Attributes about what was done: `info` counts, `debug` names, else none.")
    url_sanitizer: Any = refused(
        "the Collector classifies path segments with a trained model that exists for Go only; "
        "mask variable segments with blocked_values",
        while_off=True,
    )
    db_sanitizer: Any = refused(
        "the Collector uses a query obfuscator that exists for Go only; mask literals with blocked_values",
        while_off=True,
    )

    @property
    def has_collector_keys(self) -> bool:
        """Whether the Collector's rules hold."""
        keys = self.model_fields_set
        return bool(keys - _OWN_KEYS - _COMMON_KEYS) or (bool(keys) and keys <= _COMMON_KEYS)

    @property
    def has_entities(self) -> bool:
        """Whether entities are looked for; not where only the Collector's rules hold."""
        return not self.has_collector_keys or bool(self.model_fields_set & _CHOOSING)

    def unprinted_keys(self) -> frozenset[str]:
        """Keys of the language that is not spoken: a key that is there chooses its language, whatever it says."""
        keys = frozenset(type(self).model_fields)
        spoken = self.model_fields_set | _COMMON_KEYS
        if self.has_entities:
            spoken |= _OWN_KEYS
        if self.has_collector_keys:
            spoken |= keys - _OWN_KEYS
        return keys - spoken

    @property
    def deletes_all(self) -> bool:
        """Whether no attribute is kept: the Collector's default."""
        kept = self.allow_all_keys or self.allowed_keys or self.ignored_keys or self.ignored_key_patterns
        return self.has_collector_keys and not kept

    @property
    def selection(self) -> Selection:
        """What the words of `entities` stand for."""
        return Selection(rule.type for rule in self.rules)

    @property
    def entity_types(self) -> frozenset[str]:
        """The entity types to redact where no policy holds; empty where only the Collector's rules hold."""
        if not self.has_entities:
            return frozenset()
        return self.selection.types("default" if self.entities is None else self.entities)

    def types_of(self, policy: Policy) -> frozenset[str]:
        """The entity types to redact where a policy holds."""
        common = self.entity_types
        return common if policy.entities is None else self.selection.types(policy.entities, common)

    @field_validator("hash_function", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _is_consistent(self) -> RedactionConfig:
        self._check_key()
        self._check_modes()
        self._check_choices()
        return self

    def _check_key(self) -> None:
        needed = _MIN_KEY_BYTES.get(self.hash_function, 0)
        if self.hmac_key is not None and self.has_entities:
            needed = max(needed, _MIN_KEY_BYTES["hmac-sha256"])
        elif not needed:
            return
        size = len(self.hmac_key.get_secret_value().encode()) if self.hmac_key else 0
        if size < needed:
            what = self.hash_function or "the pseudonym of an entity"
            raise InvalidKey(f"{what} needs a key of at least {needed} bytes", "hmac_key")

    def _check_modes(self) -> None:
        if not self.has_collector_keys:
            return
        if self.dry_run:
            raise InvalidKey(
                "the Collector's rules know no dry run: use entities without the Collector's keys", "dry_run"
            )
        idle = sorted(self.model_fields_set & _IDLE_ALONE)
        if idle and not self.has_entities:
            raise InvalidKey("is about entities: say which ones with entities", idle[0])
        if self.has_entities and not (self.allow_all_keys or self.allowed_keys):
            raise InvalidKey(
                "beside the Collector's keys say which attributes are kept: allow_all_keys: true, or allowed_keys",
                next(key for key in type(self).model_fields if key in self.model_fields_set & _CHOOSING),
            )

    def _check_choices(self) -> None:
        """Every type is known, every rule is used, no fixed text is found by a rule."""
        for choice, path in self._choices():
            self._check_names(choice, path)
        looked_for = self.entity_types.union(*map(self.types_of, self.policies))
        for index, rule in enumerate(self.rules):
            if rule.type not in looked_for:
                raise InvalidKey(f"nothing looks for {rule.type}: name it in entities", "rules", index, "type")
        self._check_rule_actions()
        self._check_fixed_texts()

    def _choices(self) -> Iterator[tuple[Choice, tuple[str | int, ...]]]:
        yield self, ()
        for index, policy in enumerate(self.policies):
            yield policy, ("policies", index)

    def _check_names(self, choice: Choice, path: tuple[str | int, ...]) -> None:
        wanted = () if choice.entities is None else choice.entities
        if isinstance(wanted, str):
            self._known(wanted.removeprefix("-"), *path, "entities")
        else:
            for index, item in enumerate(wanted):
                self._known(item.removeprefix("-"), *path, "entities", index)
        for name in choice.actions:
            self._known(name, *path, "actions", name)

    def _known(self, name: str, *path: str | int) -> None:
        try:
            self.selection.named(name)
        except ValueError as error:
            raise InvalidKey(str(error), *path) from error

    def _check_rule_actions(self) -> None:
        said: dict[str, str] = {}
        for index, rule in enumerate(self.rules):
            if rule.action is not None and said.setdefault(rule.type, rule.action) != rule.action:
                raise InvalidKey(
                    f"another rule for {rule.type} says {said[rule.type]}: a type has one action",
                    "rules",
                    index,
                    "action",
                )

    def _check_fixed_texts(self) -> None:
        texts = [(choice.mask, path) for choice, path in self._choices() if isinstance(choice.mask, FixedText)]
        if not texts:
            return
        from processors.redaction.treatments.fixed_texts import finding_rule  # noqa: PLC0415 - all rules are compiled

        for mask, path in texts:
            if (name := finding_rule(mask.text, self.rules)) is not None:
                raise InvalidKey(f"the rule {name} would find this text again; choose another", *path, "mask", "text")
