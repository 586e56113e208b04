"""OTLP/JSON on orjson: lowerCamelCase keys, hex ids, 64-bit integers as strings, enums as numbers.

The rules are those of the OTLP specification ("JSON Protobuf Encoding"); where it leaves room, what is read and what is
refused is what the OpenTelemetry Collector v0.145 reads and refuses.
"""

from pipeline.signals.otlp_json.decode import decode, decode_counted, decode_response
from pipeline.signals.otlp_json.encode import encode
from pipeline.signals.otlp_json.status import decode_status, encode_status

__all__ = ["decode", "decode_counted", "decode_response", "decode_status", "encode", "encode_status"]
