"""An excerpt of the labelled texts: the short form of `make eval-adversarial`."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from processors.adversarial.detector import Detector
from processors.adversarial.model.model import SUSPECT
from processors.adversarial.text.view import Sign
from processors.adversarial.verdict import Label, Origin, Part
from tests.evaluation import adversarial_tables as tables
from tests.evaluation.adversarial import ALL, main, measure, measure_left_out, put, texts_of
from tests.evaluation.adversarial_survival import (
    LISTED,
    SURVIVAL,
    Survival,
    joiners,
    judged,
    plain,
    raised,
    survivals,
    unraised,
)
from tests.unit.processors.adversarial.text import ways
from training.adversarial.judgements import Judgements

EXCERPT = Path(__file__).parents[1] / "data" / "adversarial"
ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "docs" / "adversarial-measured.md", ROOT / "processors" / "adversarial" / "MODEL_CARD.md")
FEWEST = 50
SENTENCES = [(language, number) for language, some in joiners().items() for number in range(len(some))]


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load()


@pytest.fixture(scope="module")
def judgements(detector: Detector) -> Judgements:
    return judged(detector, texts_of(EXCERPT))


@pytest.mark.parametrize(
    ("measured", "least"),
    [
        (Judgements.separation, 0.96),
        (lambda some: some.found_at(0.01), 0.75),
        (lambda some: some.attacks.flagged(SUSPECT), 0.7),
        (tables.natural_passed, 0.97),
        (tables.passed("over_defence"), 0.85),
        (tables.passed("security_doc"), 0.85),
        (tables.passed("encoded_benign"), 0.9),
        (tables.buried_found, 0.5),
    ],
    ids=["AUROC", "found at 1 %", "found", "natural", "over-defence", "security documents", "encoded", "buried"],
)
def test_floors(judgements: Judgements, measured: Callable[[Judgements], float], least: float) -> None:
    assert measured(judgements) >= least


@pytest.mark.parametrize("language", ["en", "ja"])
def test_floors_of_a_language(judgements: Judgements, language: str) -> None:
    some = judgements.where(lambda row: row.language == language)
    assert some.separation() >= 0.95
    assert some.attacks.flagged(SUSPECT) >= 0.7


@pytest.fixture(scope="module")
def hidden(detector: Detector, judgements: Judgements) -> dict[str, Survival]:
    attacks, natural = plain(judgements)
    assert len(attacks) >= FEWEST
    return {one.way: one for one in survivals(detector, attacks, natural[:8])}


@pytest.mark.parametrize("way", LISTED)
def test_hidden_attacks_are_found(hidden: dict[str, Survival], way: str) -> None:
    assert hidden[way].attacks >= FEWEST // 2
    assert hidden[way].share >= SURVIVAL


def test_other_ways_to_hide_help_little(hidden: dict[str, Survival]) -> None:
    assert {way: one.share for way, one in hidden.items() if one.share < 0.75} == {}


def test_tags_and_selectors_always_raise_their_sign(judgements: Judgements) -> None:
    texts = [row.text for row in judgements.rows if row.text.isascii() and len(row.text) >= 4]
    assert len(texts) >= 200
    assert unraised(texts) == {"tags": (0, len(texts)), "variation selectors": (0, len(texts))}


@pytest.mark.parametrize("text", ways.TEXTS.values(), ids=ways.TEXTS)
def test_text_in_selectors_is_an_attack(detector: Detector, text: str) -> None:
    (verdict,) = detector.judge([Part(f"Thanks!{ways.selectors(text)} Bye.", Origin.USER)])
    assert verdict.label is Label.ATTACK


@pytest.mark.parametrize(("language", "number"), SENTENCES)
def test_joiners_where_they_belong_raise_nothing(detector: Detector, language: str, number: int) -> None:
    text = joiners()[language][number]
    (verdict,) = detector.judge([Part(text, Origin.USER)])
    assert raised(text) == set()
    assert verdict.label is Label.PASS


def test_a_joiner_where_it_does_not_belong_raises_its_sign() -> None:
    assert raised("ig\u200dnore") == {Sign.INVISIBLE}


def test_pages_have_every_table_of_the_model_that_ships(detector: Detector, judgements: Judgements) -> None:
    few = [*judgements.attacks.rows[:20], *judgements.natural.rows[:20]]
    pieces = dict(measure(detector, few, []))
    families = {ALL: judgements, "some": judgements.attacks}
    pieces |= measure_left_out(families, [])
    page, card = (path.read_text("utf-8") for path in PAGES)
    for name, text in pieces.items():
        head = text.partition("\n")[0] if text.startswith("|") else ""
        assert f"<!-- measured: {name} -->\n{head}" in page + card, (
            "run `make eval-adversarial`, see docs/adversarial.md"
        )
    for text in (page, card):
        assert f"Model `{detector.model.weights.version}`" in text, "another model was measured"


def test_only_marked_pieces_that_were_measured_are_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- measured: one -->\nold\n<!-- end -->\nb\n<!-- measured: two -->\nkept\n<!-- end -->\n")
    put(page, {"one": "new", "three": "nowhere"})
    assert page.read_text() == (
        "a\n<!-- measured: one -->\nnew\n<!-- end -->\nb\n<!-- measured: two -->\nkept\n<!-- end -->\n"
    )


def test_tables_are_printed_and_put_into_pages(
    judgements: Judgements, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (EXCERPT / "dev.jsonl").read_bytes().split(b"\n")
    (tmp_path / "dev.jsonl").write_bytes(b"\n".join(lines[::40]))
    page = tmp_path / "page.md"
    page.write_text("<!-- measured: languages -->\n<!-- end -->\n")
    monkeypatch.setattr("sys.argv", ["adversarial", str(tmp_path), "--only", "model", "--write", str(page)])
    assert main() in {0, 1}
    assert "## hidden\n\n| hidden as |" in capsys.readouterr().out
    assert "| all |" in page.read_text()


def test_what_falls_short_is_named(judgements: Judgements) -> None:
    floor = tables.Floor("all", 0.5, "", lambda some: some.flagged(0.0) - 0.6)
    assert floor.falls_short(judgements) == "all 0.400 < 0.5"
    assert tables.Floor("all", 0.5, "", lambda _: math.nan).falls_short(judgements) is None
