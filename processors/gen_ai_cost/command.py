"""`penstock price`: what a call costs, and why."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Final

from pipeline.arguments import Parser
from pipeline.config import load
from pipeline.errors import PenstockError
from processors.gen_ai_cost.book import Found, Unpriced
from processors.gen_ai_cost.config import GenAiCostConfig
from processors.gen_ai_cost.names import names, tier_of
from processors.gen_ai_cost.rates import Charge, Rates, Schedule, Usage, charges, cost_of
from processors.gen_ai_cost.tables import price_book
from processors.gen_ai_cost.usage import MOST_TOKENS

_SECOND_NS: Final = 10**9
_MILLION: Final = 10**6
_TYPE: Final = "gen_ai_cost"
_COUNTS: Final = {
    "input": "input tokens, all of them: cached, audio and image tokens, too",
    "output": "output tokens, all of them: reasoning, too",
    "cached": "of the input, those read from a cache",
    "cache-write": "of the input, those written to a cache",
    "cache-write-1h": "of these, those written for an hour",
    "audio-input": "of the input, those of audio",
    "audio-output": "of the output, those of audio",
    "image-input": "of the input, those of images",
    "image-output": "of the output, those of images",
}
_FIELDS: Final = {"cached": "cache_read"}
"""Options whose name is not that of the field of Usage."""


def price(argv: Sequence[str]) -> int:
    """Explain what a call costs: names, table, rule, interval, arithmetic."""
    options = _parser().parse_args(argv)
    moment: datetime = options.at or datetime.now(UTC)
    usage, book = _usage(options), price_book(_config(options))
    found, steps = book.explain(options.provider, options.model, options.tier)
    sys.stdout.writelines(f"{step}\n" for step in steps)
    if isinstance(found, Unpriced):
        sys.stderr.write(f"Error: no price: {found}{_hint(str(found), options)}\n")
        return 1
    return _explain(found, usage, moment, options.seconds)


def _hint(reason: str, options: argparse.Namespace) -> str:
    """What may have been meant, or where to read what helps."""
    tiers = sorted(set(names().tiers.values()) - {""})
    if reason == "no_price_for_tier" and tier_of(options.tier) not in tiers:
        return f"; nobody knows a tier {options.tier!r}: there are standard, {', '.join(tiers)}"
    close = get_close_matches(options.provider.lower(), names().providers, n=1) if reason == "unknown_provider" else []
    return f"; did you mean {close[0]}?" if close else "; what helps: docs/cost.md, Why a call has no price"


def _explain(found: Found, usage: Usage, moment: datetime, seconds: float) -> int:
    time_ns = int(moment.timestamp()) * _SECOND_NS
    rates = found.schedule.at(time_ns)
    lines = [
        f"at: {moment:%Y-%m-%d %H:%M:%S} UTC",
        *_interval(found.schedule, time_ns),
        f"price: {rates.price_id or found.schedule.price_id}",
    ]
    cost = cost_of(usage, rates, seconds)
    if cost is not None:
        lines += ["", *_arithmetic(usage, rates, seconds), *_total(cost.total, rates)]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    if cost is None:
        sys.stderr.write("Error: no price: no_rate (there are tokens of a kind that has no price at that time)\n")
        return 1
    return 0


def _total(usd: float, rates: Rates) -> Iterator[str]:
    yield _line("total", "", usd, "USD")
    if rates.currency != "USD":
        rate = f"1 {rates.currency} = {_money(rates.usd_per_unit)} USD"
        yield _line(rate, "", usd / rates.usd_per_unit, rates.currency)


def _line(name: str, factors: str, amount: float, currency: str) -> str:
    return f"{name:<24}{factors:<36} = {_money(amount)} {currency}"


def _interval(schedule: Schedule, time_ns: int) -> Iterator[str]:
    start_ns, end_ns = schedule.interval(time_ns)
    begins = f"since {_day(start_ns)}" if start_ns else "since ever"
    yield f"interval: {begins}, {f'to {_day(end_ns)}' if end_ns else 'with no end'}"
    if len(schedule.daily_ns) > 1:
        hours = ", ".join(_hour(moment_ns) for moment_ns in schedule.daily_ns)
        yield f"by the hour: prices change at {hours} UTC"


def _arithmetic(usage: Usage, rates: Rates, seconds: float) -> Iterator[str]:
    if rates.flat is None:
        yield f"size: prices of requests of {usage.input} input tokens"
    for charge in charges(usage, rates, seconds):
        yield _line(charge.name, _factors(charge), charge.usd, "USD")


def _factors(charge: Charge) -> str:
    if charge.name.endswith("tokens"):
        return f"{charge.quantity:>10.0f} x {_money(charge.usd_per_unit * _MILLION):>8} per million"
    return f"{charge.quantity:>10g} x {_money(charge.usd_per_unit):>8}"


def _money(usd: float) -> str:
    return f"{usd:.12f}".rstrip("0").rstrip(".")


def _day(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns / _SECOND_NS, UTC):%Y-%m-%d}"


def _hour(moment_ns: int) -> str:
    minutes = moment_ns // _SECOND_NS // 60
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _usage(options: argparse.Namespace) -> Usage:
    """The tokens asked for.

    Raises:
        PenstockError: parts that are larger than the whole.
    """
    counts = {name: getattr(options, name.replace("-", "_")) for name in _COUNTS}
    usage = Usage(**{_FIELDS.get(name, name.replace("-", "_")): count for name, count in counts.items()})
    parts_in = usage.cache_read + usage.cache_write + usage.audio_input + usage.image_input
    for whole, parts, name in (
        (usage.input, parts_in, "--input"),
        (usage.output, usage.audio_output + usage.image_output, "--output"),
        (usage.cache_write, usage.cache_write_1h, "--cache-write"),
    ):
        if parts > whole:
            raise PenstockError(f"{name} counts all tokens of its kind; {whole} cannot contain {parts}")
    return usage


def _config(options: argparse.Namespace) -> GenAiCostConfig:
    """The configuration of the processor.

    Raises:
        PenstockError: there is none, or there are several and none is named.
    """
    if not (options.config or options.sets):
        return GenAiCostConfig()
    settings = load(options.config, options.sets).processors
    ours = {str(name): entry.config for name, entry in settings.items() if isinstance(entry.config, GenAiCostConfig)}
    name = options.processor or (next(iter(ours)) if len(ours) == 1 else _TYPE)
    if name not in ours:
        known = f"there are {', '.join(sorted(ours))}; choose with --processor" if ours else "it has no gen_ai_cost"
        raise PenstockError(f'no processor "{name}" in the configuration: {known}')
    return ours[name]


def _parser() -> Parser:
    parser = Parser(prog="penstock price", description=price.__doc__, allow_abbrev=False)
    parser.add_argument("provider", metavar="PROVIDER", help='as telemetry spells it, e.g. openai; "" for unknown')
    parser.add_argument("model", metavar="MODEL", help="as telemetry spells it")
    for name, text in _COUNTS.items():
        parser.add_argument(f"--{name}", type=_count, default=0, metavar="N", help=text)
    parser.add_argument("--tier", default="", help="service tier of the response: batch, flex, priority, ...")
    parser.add_argument("--at", type=_moment, metavar="DATE", help="when the call started, ISO 8601, UTC; else now")
    parser.add_argument("--seconds", type=_seconds, default=0.0, metavar="S", help="how long it took, for GPU hours")
    parser.add_argument(
        "--config", action="append", default=[], metavar="URI", help="configuration with overrides and tables"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="sets", help="set one key over the files"
    )
    parser.add_argument("--processor", metavar="ID", help="which gen_ai_cost of the configuration, if it has several")
    return parser


def _count(text: str) -> int:
    digits = text.replace("_", "")
    if not (
        digits.isascii() and digits.isdigit() and len(digits) <= len(str(MOST_TOKENS)) and int(digits) <= MOST_TOKENS
    ):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of tokens: 0 to {MOST_TOKENS}")
    return int(digits)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no date; write for example 2026-07-01 or 2026-07-01T12:00"
        ) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
