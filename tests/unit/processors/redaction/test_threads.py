"""One detector, many threads: large values are worked on beside the event loop."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from processors.redaction.detection.detector import Detector
from processors.redaction.detection.loader import load_rules
from processors.redaction.knowledge.entities import load_types
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.texts.layers import Finder
from processors.redaction.texts.text import TextRedactor


def test_threads_share_a_redactor() -> None:
    redactor = TextRedactor(Finder(Detector(load_rules())))
    everything = Treatment(frozenset(load_types()))
    texts = [f"{'words and more words ' * 200} mail user{number}@example.com" for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda text: redactor.redact(text, everything), texts))
    assert [result.text.endswith("mail <EMAIL>") for result in results if result] == [True] * len(texts)
