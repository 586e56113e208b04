"""The component: finds the program for each record's shape, runs it, counts what was done."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any, ClassVar, Final

from pipeline.component import Host, Processor
from pipeline.signals import Batch, Record, Signal
from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.config import GenAiNormalizerConfig, Source
from processors.gen_ai_normalizer.counting.calls import calls_of
from processors.gen_ai_normalizer.counting.roles import Roles
from processors.gen_ai_normalizer.knowledge.rules import load_rules
from processors.gen_ai_normalizer.programs.cache import ProgramCache
from processors.gen_ai_normalizer.programs.compilation import DialectOptions
from processors.gen_ai_normalizer.programs.compiler import Compiler
from processors.gen_ai_normalizer.programs.custom import CustomMapping
from processors.gen_ai_normalizer.programs.program import STREAM_KEY, Program
from processors.gen_ai_normalizer.programs.recognition import ScopeId
from processors.gen_ai_normalizer.reading.beside import Beside, of_fields, of_log, of_span
from processors.marks import DIALECT, ROLE

Tallies = defaultdict[str, Counter[str]]
Marks = dict[str, str]
_UNKNOWN: Final = "unknown"
_OTHERS: Final = "others"
_MAX_LABELS: Final = 256
"""Sets of dialects that are counted by their names; keys can be put together to any."""
_NO_NAMES: Final[frozenset[str]] = frozenset()
_DESCRIPTIONS: Final = {
    "records": "Records recognised.",
    "mended": "Values in the conventions' place that were of another type or spelling, and could be mended.",
    "unreadable": "Values that could not be read as the conventions' type; they stay as they are.",
    "invalid": "Values that cannot be: negative counts, frameworks as providers; they were taken out.",
    "unmapped": "Messages or tool definitions in a form that is not known; they stay where they are.",
    "inferred_provider": "Calls whose provider was inferred from host or model.",
    "failures": "Records that could not be worked on; they stay as they are.",
}


class GenAiNormalizer(Processor):
    """Brings spans and logs of every LLM instrumentation to the OpenTelemetry GenAI conventions.

    Recognises who recorded a span or log by its scope and by the keys it carries, fills the conventions' attributes
    from what is there (nothing is invented), counts tokens the conventions' way, rebuilds messages, and marks each
    model call so that it counts once. A record that has been through it is not touched again.
    """

    type: ClassVar[str] = "gen_ai_normalizer"
    aliases: ClassVar[tuple[str, ...]] = ("genainormalizer",)
    signals: ClassVar[frozenset[Signal]] = frozenset({Signal.TRACES, Signal.LOGS})
    Config = GenAiNormalizerConfig

    def __init__(self, config: GenAiNormalizerConfig, host: Host) -> None:
        """Load the dialects' rules."""
        super().__init__(config, host)
        compiler = _compiler(config)
        self._wanted = compiler.wanted
        self._programs = ProgramCache(compiler)
        self._labels: set[str] = set()
        self._roles = Roles(calls_of(host), host.clock, aggregates_count=config.aggregates != "never")

    def process(self, batch: Batch) -> Batch:
        """Normalise the records of a batch."""
        self._roles.begin()
        tallies: Tallies = defaultdict(Counter)
        done = self._records(batch.records(), batch.signal, tallies)
        if self._roles.holds:
            # Whether an aggregate counts hangs on the calls of its request, also where those come later.
            done += self._records(batch.behind(), batch.signal, tallies)
            for attributes, role in self._roles.settle():
                attributes[ROLE] = role
        for dialect, count in Counter(done).items():
            tallies[dialect]["records"] = count
        for dialect, tally in tallies.items():
            self._count(dialect, tally)
        return batch

    def _records(self, records: Iterable[Record], signal: Signal, tallies: Tallies) -> list[str]:
        """Normalise records, and give the dialect of each; those that were normalised before stay as they are."""
        done: list[str] = []
        work = self._log if signal is Signal.LOGS else self._span
        scope_view, scope = None, ScopeId("", "")
        for record in records:
            if record.scope is not scope_view:
                scope_view = record.scope
                scope = ScopeId(scope_view.name, scope_view.schema_url, scope_view.version)
            attributes = record.attributes
            if attributes.get(DIALECT).__class__ is str:
                continue
            try:
                marks = work(record, attributes, scope, tallies)
            except Exception:  # noqa: BLE001 - whatever a hostile attribute makes us do wrong, the record goes on
                tallies[_UNKNOWN]["failures"] += 1
                continue
            if marks is None:
                continue
            if ROLE in attributes or DIALECT in attributes:
                # Whoever wrote one was no normaliser: those write both, as texts.
                attributes.pop(ROLE)
                attributes.pop(DIALECT)
            attributes.add(marks)
            done.append(marks[DIALECT])
        return done

    def _span(self, span: Any, attributes: Attributes, scope: ScopeId, tallies: Tallies) -> Marks | None:
        """Normalise a span; the marks it gets, None where it has no dialect."""
        pb = span.pb
        events = pb.events
        beside = None
        names: AbstractSet[str] = _NO_NAMES
        if events:
            names = {event.name for event in events}
            if not names.isdisjoint(self._wanted.names):
                beside = of_span(span, self._wanted)
        else:
            span.no_events = True
            if not attributes:
                return None
        program = self._programs.find(scope, attributes, span, beside)
        if program is None:
            return None
        dialect, quick = program.dialect, program.quick
        if quick is None or not quick.sees(attributes):
            program.run(span, attributes, beside, tallies[dialect])
        if names and STREAM_KEY not in attributes and not names.isdisjoint(program.stream_events):
            attributes[STREAM_KEY] = True
        role = self._roles.of_span(program.role, span, attributes, yields_to=program.yields_to)
        return _marks(dialect, role)

    def _log(self, record: Any, attributes: Attributes, scope: ScopeId, tallies: Tallies) -> Marks | None:
        """Normalise a log record; the marks it gets, None where it has no dialect."""
        beside = of_log(record, attributes, self._wanted)
        program = self._programs.find(scope, attributes, None, beside)
        if self._body_speaks(record, scope, attributes, program):
            beside = beside or Beside()
            beside.add_body(record.body)
            program = self._programs.find(scope, attributes, None, beside)
        if program is None:
            return None
        dialect, quick = program.dialect, program.quick
        if quick is None or not quick.sees(attributes):
            program.run(record, attributes, beside, tallies[dialect])
        return _marks(dialect, self._roles.of_log(program.role, record, attributes))

    def _body_speaks(self, record: Any, scope: ScopeId, attributes: Attributes, program: Program | None) -> bool:
        """Whether a body is worth a look: any of a record about generative AI, or fields that say it is one."""
        body = record.pb.body
        kind = body.WhichOneof("value")
        if program is not None:
            return kind is not None
        if kind != "kvlist_value":
            return False
        fields = of_fields(pair.key for pair in body.kvlist_value.values)
        return self._programs.find(scope, attributes, None, fields) is not None

    def _count(self, dialect: str, tally: Counter[str]) -> None:
        labels = self._labels
        if len(labels) < _MAX_LABELS:
            labels.add(dialect)
        elif dialect not in labels:
            dialect = _OTHERS
        for what, count in tally.items():
            name = f"penstock_normalizer_{what}"
            self.host.meter.counter(name, _DESCRIPTIONS[what], dialect=dialect).inc(count)


@lru_cache(maxsize=1024)
def _marks(dialect: str, role: str | None) -> Marks:
    """What is written on every record that was recognised."""
    return {DIALECT: dialect} if role is None else {DIALECT: dialect, ROLE: role}


def _compiler(config: GenAiNormalizerConfig) -> Compiler:
    enabled = config.enabled()
    rules = [rule for rule in load_rules() if rule.dialect in enabled]
    custom = config.sources.custom if config.sources else None
    mappings = {} if custom is None else _mappings(custom, config.originals)
    default = DialectOptions(originals=config.originals, custom_mappings=mappings)
    options = {
        dialect: DialectOptions(
            overwrite=source.overwrite,
            originals="drop" if source.remove_originals else config.originals,
            custom_mappings={**mappings, **_mappings(source, config.originals)},
        )
        for dialect, source in config.options().items()
    }
    return Compiler(
        rules, config.profile, options, default, config.second_profiles(), infer_provider=config.infer_provider
    )


def _mappings(source: Source, originals: str) -> dict[str, CustomMapping]:
    left = "drop" if source.remove_originals else originals
    return {key: CustomMapping(target, source.overwrite, left) for key, target in source.custom_mappings.items()}
