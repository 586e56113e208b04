"""How values of YAML become values of a model."""

from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BeforeValidator, Field, model_validator

from pipeline.config import ANY_CASE, ComponentId, ConfigModel, Duration, Pattern, Secret, refused
from pipeline.config.compose import compose
from pipeline.config.decode import decode
from pipeline.config.expand import Expander
from pipeline.config.tree import Position
from tests.unit.config.fakes import ActionsConfig, ClientConfig, Latency, Server, Share

PLACE = Position("f.yaml", 1, 1)
ENVIRON = {"N": "12", "OCTAL": "0123", "BOOL": "true", "LIST": "[a, b]", "TIME": "10", "SECRET": "hunter2", "F": "1.5"}


def build(text: str, model: type[ConfigModel]) -> tuple[Any, list[str]]:
    node = compose(text, "f.yaml")
    assert node is not None
    instance, problems = decode(Expander(ENVIRON).expand(node), model, ("x",), PLACE)
    return instance, [str(problem).removeprefix("f.yaml:") for problem in problems]


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class All(ConfigModel):
    """A field of each type."""

    flag: bool = False
    whole: int = 1
    number: float = 1.0
    text: str = "t"
    texts: tuple[str, ...] = ()
    numbers: frozenset[int] = frozenset()
    ids: tuple[ComponentId, ...] = ()
    secret: Secret = Secret("")
    pattern: Pattern | None = None
    wait: Duration = 5.0
    waits: list[Duration] = Field([])
    by_name: dict[str, float] = Field({})
    free: Any = None
    color: Color = Color.RED
    choice: Literal["a", "bee"] = "a"
    count: Literal[1, 2] = 1
    level: Annotated[Literal["info", "warn"], ANY_CASE] = "info"
    own: Annotated[int, BeforeValidator(lambda value: 99 if value == "many" else value)] = 0
    either: int | float | str = 0
    sometimes: int | None = 3
    never: None = None


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("flag: true", "flag", True),
        ("flag: ${env:BOOL}", "flag", True),
        ("whole: 0123", "whole", 83),
        ("whole: 1.9", "whole", 1),
        ("whole: ${env:N}", "whole", 12),
        ("whole: ", "whole", 1),
        ("whole: ${env:NOPE}", "whole", 1),
        ("number: 2", "number", 2.0),
        ("number: ${env:F}", "number", 1.5),
        ("text: '12'", "text", "12"),
        ("text: ${env:OCTAL}", "text", "0123"),
        ("text: ${env:BOOL}", "text", "true"),
        ("text: ${env:LIST}", "text", "[a, b]"),
        ("text: ${env:NOPE}", "text", ""),
        ("text: x${env:N}", "text", "x12"),
        ("text: yes", "text", "yes"),
        ("text: ~", "text", "t"),
        ("texts: a,b", "texts", ("a", "b")),
        ("texts: ''", "texts", ()),
        ("texts: ${env:LIST}", "texts", ("a", "b")),
        ("texts: ['1', b]", "texts", ("1", "b")),
        ("texts: ", "texts", ()),
        ("numbers: [1, 2, 1]", "numbers", frozenset([1, 2])),
        ("ids: [a/b]", "ids", (ComponentId("a", "b"),)),
        ("secret: ${env:OCTAL}", "secret", Secret("0123")),
        ("pattern: ^a+$", "pattern", Pattern("^a+$")),
        ("pattern: ", "pattern", None),
        ("wait: 1m", "wait", 60.0),
        ("wait: 10", "wait", 1e-8),
        ("wait: 1500000000.5", "wait", 1.5000000005),
        ("wait: 0", "wait", 0.0),
        ("wait: ${env:TIME}", "wait", 1e-8),
        ("wait: ", "wait", 5.0),
        ("waits: [1s, 2000000000]", "waits", [1.0, 2.0]),
        ("by_name: {a: 1}", "by_name", {"a": 1.0}),
        ("free: ${env:OCTAL}", "free", 83),
        ("free: {a: [1, x]}", "free", {"a": [1, "x"]}),
        ("color: blue", "color", Color.BLUE),
        ("choice: bee", "choice", "bee"),
        ("choice: ", "choice", "a"),
        ("count: 2", "count", 2),
        ("level: WARN", "level", "warn"),
        ("own: many", "own", 99),
        ("either: 1.5", "either", 1.5),
        ("either: 3", "either", 3),
        ("either: x", "either", "x"),
        ("sometimes: ", "sometimes", None),
        ("never: ", "never", None),
    ],
)
def test_values(text: str, field: str, value: object) -> None:
    instance, problems = build(text, All)
    assert problems == []
    result = getattr(instance, field)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("whole: '12'", '1:8: x::whole: expected a whole number, got text "12"'),
        ("whole: true", "1:8: x::whole: expected a whole number, got true"),
        ("whole: .inf", "1:8: x::whole: expected a whole number, got the number inf"),
        ("whole: [1]", "1:8: x::whole: expected a whole number, got a list"),
        ("number: '1.5'", '1:9: x::number: expected a number, got text "1.5"'),
        ("number: .nan", "1:9: x::number: must be a finite number"),
        ("flag: 23", "1:7: x::flag: expected true or false, got the number 23"),
        ("flag: yes", '1:7: x::flag: expected true or false, got text "yes"'),
        ("flag: t", '1:7: x::flag: expected true or false, got text "t"'),
        ("text: 23", "1:7: x::text: expected text, got the number 23; put it in quotes"),
        ("text: [a]", "1:7: x::text: expected text, got a list"),
        ("texts: {a: 1}", "1:8: x::texts: expected a list, got a mapping"),
        ("texts: [a, 1]", "1:12: x::texts::1: expected text, got the number 1; put it in quotes"),
        ("numbers: 1", "1:10: x::numbers: expected a list, got the number 1"),
        ("ids: a", '1:6: x::ids: expected a list, got text "a"'),
        ("ids: [a/]", '1:7: x::ids::0: in "a/" id: the part after / should not be empty'),
        ("wait: '10'", '1:7: x::wait: missing unit in duration "10"; write for example 10s or 10ms'),
        ("wait: true", "1:7: x::wait: expected a duration such as 5s or 200ms, got true"),
        ("waits: [1s, x]", '1:13: x::waits::1: invalid duration "x"; write for example 200ms, 5s or 1h30m'),
        ("by_name: [1]", "1:10: x::by_name: expected a mapping, got a list"),
        ("by_name: {a: b}", '1:14: x::by_name::a: expected a number, got text "b"'),
        ("color: bleu", '1:8: x::color: expected one of red, blue, got text "bleu"; did you mean "blue"?'),
        ("choice: be", '1:9: x::choice: expected one of a, bee, got text "be"; did you mean "bee"?'),
        ("choice: 3", "1:9: x::choice: expected one of a, bee, got the number 3"),
        ("count: 3", "1:8: x::count: expected one of 1, 2, got the number 3"),
        ("level: worn", '1:8: x::level: expected one of info, warn, got text "worn"; did you mean "warn"?'),
        ("pattern: '('", "1:10: x::pattern: not a regular expression of RE2: missing ): ("),
        ("txt: a", '1:1: x::txt: unknown key "txt"; did you mean "text"?'),
        ("whole: ${env:SECRET}", "1:8: x::whole: expected a whole number, got text"),
        ("[a]", "1:1: x: expected a mapping, got a list"),
    ],
)
def test_problems(text: str, problem: str) -> None:
    instance, problems = build(text, All)
    assert problems == [problem]
    assert instance is None


def test_value_of_an_expansion_is_in_no_message() -> None:
    for field in ("whole", "flag", "number", "wait", "choice", "by_name", "numbers", "color"):
        _, problems = build(f"{field}: ${{env:SECRET}}", All)
        assert problems
        assert all("hunter2" not in problem for problem in problems)


def test_all_problems_of_a_block_come_together() -> None:
    _, problems = build("whole: a\nflag: b\nnothing: 1\nnumber: .nan\n", All)
    assert [problem.split(":")[0] for problem in problems] == ["1", "2", "3", "4"]


def test_optional_blocks() -> None:
    assert build("{}", Server)[0].keepalive is None
    assert build("keepalive:", Server)[0].keepalive.time == 20.0
    assert build("keepalive: {}", Server)[0].keepalive.time == 20.0
    assert build("tls:", Server)[0].tls is None
    assert build("tls: {}", Server)[0].tls is not None


def test_null_body_is_all_defaults() -> None:
    assert build("~", All)[0] == All()


def test_required_key_is_missed_at_the_key_of_its_block() -> None:
    assert build("ratio: 2", ClientConfig)[1] == ['1:1: x: "endpoint" is required']


def test_a_refused_key_gives_reason_and_place_and_harmless_values_pass() -> None:
    assert build("{endpoint: a, profiles: 1}", ClientConfig)[1] == [
        "1:15: x::profiles: not supported: no profiles in this release; remove the key"
    ]
    assert build("{endpoint: a, profiles: }", ClientConfig)[1] == []
    assert build("{tls: {min_version: '1.2'}}", Server)[1] == []
    assert build("{tls: {min_version: '1.3'}}", Server)[1] == [
        "1:8: x::tls::min_version: not supported: the library cannot"
    ]


class Closed(ConfigModel):
    wait: Duration = refused("no waiting", accept=(0,), default=0.0)
    size: int = refused("no size", accept=(0,), default=0)


def test_a_refused_key_of_the_wrong_type_is_refused_all_the_same() -> None:
    assert build("{wait: 0s, size: 0.0}", Closed) == (Closed(), [])
    assert build("{wait: soon, size: big}", Closed)[1] == [
        "1:2: x::wait: not supported: no waiting",
        "1:14: x::size: not supported: no size",
    ]


def test_validators_point_at_the_key() -> None:
    _, problems = build("endpoint: a\nqueue:\n  size: 5\n  min_size: 6\n", ClientConfig)
    assert problems == ["4:13: x::queue::min_size: `min_size` must be less than or equal to `size`"]


def test_members_of_a_union_are_told_apart_by_their_words() -> None:
    instance, problems = build("rules: [{type: share, percentage: 5}, {type: latency, threshold_ms: 3}]", ActionsConfig)
    assert problems == []
    assert instance.rules == [Share(type="share", percentage=5.0), Latency(type="latency", threshold_ms=3)]
    _, problems = build("rules: [{type: share, percentge: 5}]", ActionsConfig)
    assert '1:23: x::rules::0::percentge: unknown key "percentge"; did you mean "percentage"?' in problems


def test_a_duration_or_a_word() -> None:
    assert build("{endpoint: a, wait: never}", ClientConfig)[0].wait == "never"
    assert build("{endpoint: a, wait: 5s}", ClientConfig)[0].wait == 5.0


def test_fields_with_their_own_reader_get_what_is_written() -> None:
    assert build("mapped: [{name: a, value: 1}]", ActionsConfig)[0].mapped == {"a": 1}


def test_aliases_are_keys() -> None:
    assert build("from: x", ActionsConfig)[0].from_ == "x"
    assert build("from_: x", ActionsConfig)[1] == ['1:1: x::from_: unknown key "from_"; did you mean "from"?']


def test_models_that_read_themselves_get_what_is_written() -> None:
    class Flexible(ConfigModel):
        a: int = 0

        @model_validator(mode="before")
        @classmethod
        def _short(cls, value: Any) -> Any:
            return {"a": value} if isinstance(value, int) else value

    class Holder(ConfigModel):
        inner: Flexible = Flexible()

    assert build("inner: 5", Holder)[0].inner.a == 5
    assert build("inner: {b: 5}", Holder)[1] == ['1:9: x::inner::b: unknown key "b"']
