"""Free text: names, addresses and dates of birth, found by what stands beside them and nowhere else."""

from __future__ import annotations

import pytest

from processors.redaction.detection.detector import Detector
from processors.redaction.detection.loader import load_rules
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.texts.layers import Finder

FREE = frozenset({"PERSON", "ADDRESS", "DATE_OF_BIRTH"})
RULES = [rule for rule in load_rules() if rule.entity.name in FREE]
FINDER = Finder(Detector(RULES))


def found(text: str) -> list[str]:
    return [text[finding.start : finding.end] for finding in FINDER.find(text, Treatment(FREE))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My full name is Robert James Smith and I live", ["Robert James Smith"]),
        ("Sehr geehrte Frau Dr. Schneider,", ["Schneider"]),
        ("Je suis Marie Dupont, née le 4 mai 1990", ["Marie Dupont", "4 mai 1990"]),
        ("Vivo en Calle Mayor 5, 28013 Madrid", ["Calle Mayor 5, 28013 Madrid"]),
        ("株式会社サンプルの清水でございます", ["清水"]),
        ("担当は田中です。", ["田中"]),
        ("氏名,電話番号\n岡本 千代,1\n山田治,2", ["岡本 千代", "山田治"]),
        ("제 이름은 홍길동입니다", ["홍길동"]),
        ("姓名:欧阳雪\n", ["欧阳雪"]),
        ("東京都港区六本木6-10-1 六本木ヒルズ 森タワー52階です", ["東京都港区六本木6-10-1 六本木ヒルズ 森タワー52階"]),
    ],
)
def test_found_by_cue(text: str, expected: list[str]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Dear Customer, thank you.",
        "My name is Assistant.",
        "class Customer: name: str",
        '{"name": "get_weather", "email": "string"}',
        "お客様の仕様と同様の模様、彼氏と摂氏",
        "東京でございます",
        "千葉市の3-4社に聞いた",
        "東京都港区で3番目に大きい",
        "고객님, 선생님 안녕하세요",
        "我是程序员、喜欢手机",
        "各位女士、各位先生",
    ],
)
def test_words_that_only_look_like_names_or_addresses(text: str) -> None:
    assert found(text) == []


def test_a_second_date_is_no_date_of_birth() -> None:
    assert found("born on 1956-02-12, seen 2026-02-11") == ["1956-02-12"]
    assert found("born on <DATE_OF_BIRTH>, seen 2026-02-11") == []


def test_a_family_name_is_found_behind_other_words() -> None:
    assert found("本日担当山田太郎様") == ["山田太郎"]
