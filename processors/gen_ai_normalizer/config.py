"""Configuration of the normaliser: the Collector's `sources`, and Penstock's own keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config import VERSION, ConfigModel, InvalidKey
from pipeline.config.suggest import hint
from processors.gen_ai_normalizer.knowledge.profiles import PROFILES
from processors.gen_ai_normalizer.knowledge.rules import BASE_DIALECT, load_rules

Version = Annotated[Literal["1.36", "1.41", "main"], VERSION]


_SOURCES = {
    "openinference": "openinference",
    "openllmetry": "openllmetry",
    "pydantic_ai": "pydanticai",
    "crewai": "crewai",
    "langchain": "langchain",
}
"""Dialects by our name, with the Collector's name of the source."""


class Source(ConfigModel):
    """How one kind of instrumentation is read."""

    remove_originals: bool = Field(default=False, description="Remove the attributes that were read.")
    overwrite: bool = Field(default=False, description="Let values of the source replace those already there.")
    custom_mappings: dict[str, str] = Field(
        default_factory=dict,
        description="Attributes to copy, from: to, on spans, span events and log records; they go before the rules of "
        "the source.",
    )

    @model_validator(mode="after")
    def _mappings_lead_somewhere(self) -> Source:
        for key, target in self.custom_mappings.items():
            if not key or not target:
                raise InvalidKey("both sides of a mapping must be names of attributes", "custom_mappings", key)
            if key == target:
                raise InvalidKey("this maps the attribute to itself; leave it out", "custom_mappings", key)
        return self


class Sources(ConfigModel):
    """Kinds of instrumentation that are read; an empty block reads all."""

    openinference: Source | None = Field(default=None, description="OpenInference (Arize).")
    openllmetry: Source | None = Field(default=None, description="OpenLLMetry (Traceloop).")
    pydanticai: Source | None = Field(default=None, description="pydantic-ai.")
    crewai: Source | None = Field(default=None, description="CrewAI's own spans.")
    langchain: Source | None = Field(default=None, description="Attributes of LangChain and LangGraph.")
    custom: Source | None = Field(
        default=None,
        description="Mappings for every record about generative AI; an attribute that is mapped to one of `gen_ai.` "
        "makes a record one.",
    )

    @model_validator(mode="after")
    def _custom_maps_something(self) -> Sources:
        if self.custom is not None and not self.custom.custom_mappings:
            raise InvalidKey("custom_mappings must name at least one attribute", "custom")
        return self


class GenAiNormalizerConfig(ConfigModel):
    """Configuration of `gen_ai_normalizer`."""

    sources: Sources | None = Field(
        default=None,
        description="As in the Collector: the kinds of instrumentation that are read, each with its options. "
        "Absent: every dialect of `dialects`.",
    )
    profile: Version = Field(
        default="1.41", description="Version of the OpenTelemetry GenAI conventions that records come out in."
    )
    dual_write: bool | list[Version] = Field(
        default=False,
        description="Whether the names that other versions of the conventions have are written too, deprecated ones "
        "included: all of them (true), or those of the versions that are listed.",
    )
    originals: Literal["keep", "drop", "move"] = Field(
        default="keep",
        description="What becomes of attributes that were read: stay, go, or move below `penstock.original.`.",
    )
    aggregates: Literal["never", "when_no_leaf_seen"] = Field(
        default="never",
        description="Whether a span that repeats the usage of the calls beneath it (an agent's) counts in their place "
        "when none of them was seen, because sampling or a filter took them: it is marked `leaf` then.",
    )
    infer_provider: bool = Field(
        default=False,
        description="Whether a call that names no provider gets the maker of its model (gpt-4o: openai): a guess, as "
        "others serve the same models. Hosts and ids that only one provider writes so are taken in any case.",
    )
    dialects: list[str] | None = Field(
        default=None,
        description="Dialects that are read (default: those of `sources`, or all); the conventions themselves always "
        "are. The names are in the table of dialects in docs/normalizer.md.",
    )

    @model_validator(mode="after")
    def _dialects_exist(self) -> GenAiNormalizerConfig:
        known = sorted(rule.dialect for rule in load_rules())
        for index, name in enumerate(self.dialects or ()):
            if name not in known:
                raise InvalidKey(
                    f"no such dialect{hint(name, known, all_of='there are', listed=len(known))}", "dialects", index
                )
        return self

    @model_validator(mode="after")
    def _sources_are_read(self) -> GenAiNormalizerConfig:
        if self.dialects is None:
            return self
        for dialect in self.options():
            if dialect not in self.dialects:
                reason = f"has no effect, as {dialect} is not among `dialects`: add it there, or leave this out"
                raise InvalidKey(reason, "sources", _SOURCES[dialect])
        return self

    def second_profiles(self) -> tuple[str, ...]:
        """The versions of the conventions that are written beside the chosen one."""
        if isinstance(self.dual_write, bool):
            return PROFILES if self.dual_write else ()
        return tuple(self.dual_write)

    def enabled(self) -> frozenset[str]:
        """The dialects that are read."""
        chosen = {rule.dialect for rule in load_rules()} if self.dialects is None else set(self.dialects)
        by_source = set(self.options())
        if by_source and self.dialects is None:
            chosen = by_source
        return frozenset({BASE_DIALECT, *chosen})

    def options(self) -> dict[str, Source]:
        """Options by dialect, for the sources that are named; `custom` is not among them."""
        if self.sources is None:
            return {}
        named = {dialect: getattr(self.sources, key) for dialect, key in _SOURCES.items()}
        return {dialect: source for dialect, source in named.items() if source is not None}
