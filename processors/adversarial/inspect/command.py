"""`penstock inspect`: how a text is judged, and why."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pipeline.arguments import Parser
from pipeline.errors import PenstockError
from processors.adversarial.libraries import require_numpy
from processors.adversarial.verdict import Origin, Part

_INPUT: Final = "-"

# Bytes that are no UTF-8 are read as they come; they are no letters of anything.
_BYTES: Final = "surrogateescape"


def inspect(argv: Sequence[str]) -> int:
    """Show how the processor `adversarial` judges a text, and why: views, signs, segments, concepts, scores.

    Reads the text from standard input, or texts from files. What is printed contains the text; nothing is logged.
    """
    options = _parser().parse_args(argv)
    require_numpy("penstock inspect")
    from processors.adversarial.detector import Detector  # noqa: PLC0415 - NumPy and the model
    from processors.adversarial.inspect.explaining import explain  # noqa: PLC0415 - the same
    from processors.adversarial.inspect.rendering import as_json, lines  # noqa: PLC0415 - the same

    detector = Detector.load()
    for number, (name, text) in enumerate(_texts(options.files)):
        explanation = explain(detector, Part(text, Origin(options.origin)))
        if options.json:
            said = [json.dumps({"file": name, **as_json(explanation, options.origin)}, ensure_ascii=False)]
        else:
            said = [*([""] if number else []), *([f"{name}:"] if options.files else [])]
            said += lines(explanation, options.origin)
        _write("".join(f"{line}\n" for line in said))
    return 0


def _write(text: str) -> None:
    """To standard output in UTF-8, whatever the terminal is."""
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.flush()


def _texts(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names and texts.

    Raises:
        PenstockError: a file cannot be read.
    """
    for name in names or [_INPUT]:
        try:
            data = sys.stdin.buffer.read() if name == _INPUT else Path(name).read_bytes()
        except OSError as error:
            raise PenstockError(f"{name}: {error.strerror}") from None
        yield name, data.decode("utf-8", _BYTES)


def _parser() -> Parser:
    parser = Parser(
        prog="penstock inspect",
        description=inspect.__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="text files; - or none for standard input")
    parser.add_argument(
        "--origin", choices=[origin.value for origin in Origin], default=Origin.USER.value,
        help="who the text comes from; user if not given",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object a text, with the views in full")
    return parser
