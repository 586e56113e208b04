"""What follows from the rest of a call where nobody says it: the provider, and the model that answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass
from typing import Any, Final

from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.knowledge.vocabulary import providers

_REQUEST_MODEL: Final = "gen_ai.request.model"
_RESPONSE_MODEL: Final = "gen_ai.response.model"
_ANSWER: Final = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.input_tokens",
    "gen_ai.response.finish_reasons",
    "gen_ai.response.id",
    "gen_ai.output.messages",
    "gen_ai.embeddings.dimension.count",
)
"""One of these is there when a call was answered, or a status says it."""
_STATUS: Final = ("http.response.status_code", "http.status_code")
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Derivation:
    """Fills the provider and the model of the response of a call.

    The provider follows from the host that was called and from ids that only one provider writes so. That a family of
    models belongs to its maker is a guess, since others serve it, too; it is made when asked for. The model that
    answered is the one asked for where the API names no other, and where its id is no alias (`data/providers.yaml`).
    """

    provider: str
    guess: bool

    def run(self, attributes: Attributes, tally: Counter[str]) -> None:
        """Write what follows, and count the providers."""
        if self.provider not in attributes:
            found = self._provider(attributes)
            if found is not None:
                tally["inferred_provider"] += 1
                attributes[self.provider] = found
        if _RESPONSE_MODEL not in attributes and _was_answered(attributes):
            model = attributes.get(_REQUEST_MODEL)
            if isinstance(model, str) and providers().answers_as_asked(attributes.get(self.provider), model):
                attributes[_RESPONSE_MODEL] = model

    def _provider(self, attributes: Attributes) -> str | None:
        table = providers()
        host: Any = attributes.get("server.address")
        found = table.of_host(host) if isinstance(host, str) else None
        for key in (_RESPONSE_MODEL, _REQUEST_MODEL):
            model = attributes.get(key)
            if found is None and isinstance(model, str):
                found = table.of_model(model) or (table.of_family(model) if self.guess else None)
        return found

    def is_done(self, keys: Container[str]) -> bool:
        """Whether nothing is left to say of a call with these attributes; asked of every call."""
        return self.provider in keys and _RESPONSE_MODEL in keys


def _was_answered(attributes: Attributes) -> bool:
    return any(key in attributes for key in _ANSWER) or any(attributes.get(key) == _OK for key in _STATUS)
