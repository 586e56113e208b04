"""Rows and records: the context of a request outlives the process, whatever a client put into it."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.delivery.durable.file.errors import StoreDamagedError
from pipeline.delivery.durable.file.store import Row
from pipeline.delivery.durable.record import Record, decode_context, encode_context
from pipeline.signals import Auth, Context, Signal
from pipeline.signals.context import NO_CONTEXT
from tests.unit.delivery.scripted import batch_of

# Headers may hold bytes that are no UTF-8; they are lone surrogates then.
TEXTS = st.text(st.characters(codec=None), max_size=8)


@given(
    receiver=TEXTS, transport=TEXTS, peer=TEXTS, metadata=st.dictionaries(TEXTS, st.lists(TEXTS, max_size=3).map(tuple))
)
def test_a_context_is_read_back(receiver: str, transport: str, peer: str, metadata: dict[str, tuple[str, ...]]) -> None:
    context = Context(receiver, transport, peer, metadata)

    text = encode_context(context)

    assert text.isascii()
    assert decode_context(text) == context


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"metadata":[]}', "nul", '{"metadata":{"a":1}}'])
def test_what_is_no_context_costs_the_context_alone(text: str) -> None:
    assert decode_context(text) == NO_CONTEXT


def test_who_sent_a_request_is_not_kept() -> None:
    batch = batch_of(1)
    batch.context = Context("otlp", auth=Auth("somebody"))

    assert Record.of_batch(batch, 1).context == Context("otlp")


def test_credentials_in_metadata_are_not_kept() -> None:
    metadata = {"authorization": ("Bearer x",), "cookie": ("a=b",), "x-scope-orgid": ("team",)}
    batch = batch_of(1)
    batch.context = Context(metadata=metadata)

    assert Record.of_batch(batch, 1).context.metadata == {"x-scope-orgid": ("team",)}


def test_a_row_that_is_not_as_it_was_written_is_damage() -> None:
    row = Record.of_batch(batch_of(1, size=100), 1).row().sealed()
    bad = row._replace(body=row.body[:50] + bytes([row.body[50] ^ 1]) + row.body[51:])

    assert Record.of_row(row, Signal.TRACES).row() == row._replace(checksum=None)
    with pytest.raises(StoreDamagedError):
        Record.of_row(bad, Signal.TRACES)


@given(st.binary(max_size=3000), st.text(max_size=50))
def test_checksums_are_those_that_any_version_writes(body: bytes, context: str) -> None:
    """Files outlive the library that computes them."""
    row = Row(1, 3, len(body), 17, context, body)
    assert row.sealed().checksum == zlib.crc32(b"3 17 " + context.encode() + body)
