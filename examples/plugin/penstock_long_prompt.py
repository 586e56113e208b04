"""Marks calls with long prompts, so that somebody looks at them."""

from pydantic import Field

from penstock import Batch, ConfigModel, Processor, Signal


class LongPrompt(Processor):
    """Set `app.long_prompt` on spans of calls with more input tokens than a limit."""

    type = "long_prompt"
    signals = frozenset({Signal.TRACES})

    class Config(ConfigModel):
        tokens: int = Field(1000, ge=1, description="Input tokens from which on a prompt counts as long.")

    def process(self, batch: Batch) -> Batch:
        for span in batch.records():
            tokens = span.attributes.get("gen_ai.usage.input_tokens")
            if isinstance(tokens, int) and tokens >= self.config.tokens:
                span.attributes["app.long_prompt"] = True
        return batch
