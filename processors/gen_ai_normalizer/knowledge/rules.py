"""The form of a dialect's data file, and the loader. A mistake in a file is an error that names it."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

_PACKAGE: Final = "processors.gen_ai_normalizer"
SCOPE_KEY: Final = "opentelemetry.scope"
"""Stands in `when` for the name of the instrumentation scope."""
SCOPE_VERSION_KEY: Final = "opentelemetry.scope.version"
"""Stands in `when` for the version of the scope: `<0.55.0`, `>=3`, or an exact version."""
NAME_KEY: Final = "opentelemetry.span.name"
"""Stands in `when`, and as a source, for the name of the span."""
BASE_DIALECT: Final = "opentelemetry"
"""The dialect that is applied first to every record, and named where no other is recognised."""

RoleName = Literal["leaf", "aggregate", "duplicate", "none"]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScopeRule(_Data):
    """An instrumentation scope that speaks the dialect, by name or by the beginning of its name."""

    name: str = ""
    prefix: str = ""
    schema_url: bool | None = None
    """Where two projects share a scope name: whether the scope names a schema."""
    beside: str = ""
    """Where the scope records other things, too: the beginning of a key that the record must have."""


class Keys(_Data):
    """Attribute keys, whole and by their beginnings."""

    keys: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()


class AttributeRule(_Data):
    """Where the value of one target attribute comes from."""

    sources: tuple[str, ...] = Field(default=(), alias="from")
    """Places in order of preference: a key; `key#a.b.0`, inside JSON text; `event(name):key` and `event(name):key#a.b`,
    an attribute of the first span event of that name; `body:key`, `body:key#a.b` and `body:#a.b`, a field of a log
    record's body (map or JSON text). A plain key is looked for in the attributes, then among the body's fields."""
    map: dict[str, str | None] | None = None
    """Values with another name in the conventions; null: the target stays empty. `*` stands for all others."""
    wins: bool = False
    """Whether this goes before what the record itself says in the conventions' name."""
    misused: bool = False
    """Whether the library writes something else under the target's name (the id of a run as an agent's): what stands
    there is not taken, and does not stay."""
    kind: str = Field(default="", alias="as")
    """Reads the value as another kind than the target's own (`provider_of_model`)."""
    given: tuple[str, ...] = ()
    """Places of which one must have a value; they may be inside JSON, which a condition of a case cannot see."""
    unless_given: tuple[str, ...] = ()
    """Places of which none may have a value."""


class Compose(_Data):
    """An output message that a library spread over several attributes."""

    text: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    tool_calls: tuple[str, ...] = ()
    object: tuple[str, ...] = ()
    finish_reason: tuple[str, ...] = ()


class MessageSource(_Data):
    """Where messages (or tool definitions) come from: exactly one of the first four."""

    flattened: str = ""
    """Prefix of indexed keys (`gen_ai.prompt.` for `gen_ai.prompt.0.content`)."""
    json_text: str = Field(default="", alias="json")
    """Key, or `key#path`, of a value that holds messages as JSON."""
    compose: Compose | None = None
    items: str = ""
    """Key of an array of JSON texts."""
    unwrap: bool = False
    """Whether indexed keys repeat the kind of element (`...0.message.content`)."""
    nested_json: bool = False
    """Whether a content text may be JSON of content parts."""
    joined: bool = False
    """Whether the elements of indexed keys are parts of one message (calls of tools) rather than messages."""
    role: str = "user"
    """The role of a message that names none."""
    among_messages: bool = False
    """Whether definitions of tools stand among the messages, as what a tool says."""


class MessageRules(_Data):
    """Sources of messages, instructions and tool definitions, in order of preference."""

    input: tuple[MessageSource, ...] = ()
    output: tuple[MessageSource, ...] = ()
    tools: tuple[MessageSource, ...] = ()
    rewrite: bool = False
    """Whether what stands in the conventions' attributes is not in their form."""
    nested_json: bool = False
    """Whether a text in the conventions' attributes may be an item of content as JSON."""
    chunks: bool = False
    """Whether the messages of an answer are the pieces in which it was streamed."""


class DocumentSource(_Data):
    """Where the documents that a retriever or reranker found come from: exactly one of the first three."""

    flattened: str = ""
    """Prefix of indexed keys (`retrieval.documents.` for `retrieval.documents.0.document.id`)."""
    json_text: str = Field(default="", alias="json")
    """Key, or `key#path`, of a value that holds a list of documents as JSON."""
    events: tuple[str, ...] = ()
    """Names of span events, of which each is a document, with fields as attributes."""
    unwrap: bool = False
    """Whether indexed keys repeat the kind of element (`...0.document.id`)."""
    fields: dict[str, tuple[str, ...]] = {}
    """Fields of a document (`id`, `score`, `content`, ...) by the names, or dotted paths, that the source has."""


class VariableSource(_Data):
    """Where the variables of a prompt template come from: exactly one of both."""

    json_text: str = Field(default="", alias="json")
    """Key, or `key#path`, of a JSON object of variables by name."""
    prefix: str = ""
    """Beginning of keys whose rest is the name of a variable."""


class EvaluationSource(_Data):
    """Where the result of an evaluation, or a user's feedback, comes from; it becomes a span event."""

    flattened: str = ""
    """Prefix of indexed keys (`annotations.` for `annotations.0.name`); the fields below are then names beneath it."""
    json_text: str = Field(default="", alias="json")
    """Key, or `key#path`, of one result or a list of them as JSON; the fields below are then dotted paths in it."""
    name: tuple[str, ...] = ()
    score: tuple[str, ...] = ()
    """Places, as in `from`, where neither of the first two is given; `*key` is the attribute that `key` names."""
    label: tuple[str, ...] = ()
    explanation: tuple[str, ...] = ()
    feedback: bool = False
    """Whether a user said so: the name is `user_feedback` then."""


class UsageRules(_Data):
    """How the dialect counts tokens."""

    totals: tuple[str, ...] = ()
    """Where the sum of tokens stands: it proves what the input includes, and is no attribute of the conventions."""
    excludes_cache: tuple[str, ...] = ()
    """Providers whose input tokens come without what was read from or written to a cache."""
    excludes_reasoning: tuple[str, ...] = ()
    """Providers whose output tokens come without reasoning."""
    sum_holds_reasoning: tuple[str, ...] = ()
    """Providers whose sum includes reasoning that the library counts nowhere else: what is left of it is output."""
    zero_is_unknown: tuple[str, ...] = ()
    """Counts that are written as 0 when nobody knows them."""
    details_are_separate: bool = False
    """Whether details were subtracted from the sums."""


class ModelRules(_Data):
    """How model names are written."""

    routed: bool = False
    """Whether `provider/model` names a route rather than a model."""


class Condition(_Data):
    """What must hold of a record for a case or role: values of keys, keys that are there, keys that are not."""

    when: dict[str, str | tuple[str, ...]] = {}
    unless: dict[str, str | tuple[str, ...]] = {}
    """Values of keys, as in `when`; where all of them hold, the rules do not apply."""
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


class Section(_Data):
    """What rules say of records: of all of a dialect, or of some."""

    attributes: dict[str, AttributeRule] = {}
    messages: MessageRules = MessageRules()
    usage: UsageRules = UsageRules()
    documents: tuple[DocumentSource, ...] = ()
    prompt_variables: tuple[VariableSource, ...] = ()
    evaluations: tuple[EvaluationSource, ...] = ()

    @field_validator("attributes", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return _expand(value)


class Case(Condition, Section):
    """Rules for some records of the dialect."""

    echoes: dict[str, str] = {}
    """Targets into which the library copies another attribute when it knows nothing: a copy is taken out."""


class RoleRule(Condition):
    """The role of some records; the first rule that holds decides."""

    role: RoleName
    without_operation: bool = False
    """Whether it is for those alone of which no dialect knows the operation."""
    yields_to: str = ""
    """Scope of a library that says more of the same calls: where it was heard of in the same process lately, it is the
    one that counts."""


class Rules(Section):
    """One dialect."""

    dialect: str
    scopes: tuple[ScopeRule, ...] = ()
    markers: Keys = Keys()
    """Keys that no one else writes."""
    shapes: Keys = Keys()
    """Keys that several write: they decide where scope and markers say nothing."""
    models: ModelRules = ModelRules()
    stream_events: tuple[str, ...] = ()
    """Span events that only streamed calls have."""
    placeholders: tuple[str, ...] = ()
    """Words that the library writes into attributes of the conventions where it knows nothing (`unknown`)."""
    recorded: bool = True
    """Whether the rules were proved on telemetry of the real library; else they follow what is documented of it."""
    cases: tuple[Case, ...] = ()
    roles: tuple[RoleRule, ...] = ()


def _expand(attributes: Any) -> Any:
    if not isinstance(attributes, dict):
        return attributes
    return {target: {"from": rule} if isinstance(rule, list) else rule for target, rule in attributes.items()}


def parse_rules(text: str, name: str) -> Rules:
    """One dialect from YAML. Raises ValueError that names the file."""
    try:
        return Rules.model_validate(yaml.safe_load(text))
    except (ValidationError, yaml.YAMLError) as error:
        raise ValueError(f"dialect file {name}: {error}") from error


@cache
def load_rules() -> tuple[Rules, ...]:
    """All dialects that ship with Penstock, the conventions themselves first, the others by name."""
    folder = resources.files(_PACKAGE) / "dialects"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    rules = [parse_rules(file.read_text(encoding="utf-8"), file.name) for file in files]
    return tuple(sorted(rules, key=lambda rule: rule.dialect != BASE_DIALECT))


def load_table(name: str) -> Any:
    """A data file of the package, as YAML gives it."""
    return yaml.safe_load((resources.files(_PACKAGE) / "data" / f"{name}.yaml").read_text(encoding="utf-8"))
