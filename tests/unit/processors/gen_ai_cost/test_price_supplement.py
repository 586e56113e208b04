"""`scripts/price-supplement` keeps what the base table lacks and two tables agree on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[4] / "scripts" / "price-supplement"
LITELLM = {
    "together_ai/acme/New": {
        "litellm_provider": "together_ai",
        "input_cost_per_token": 3e-7,
        "output_cost_per_token": 1.2e-6,
        "cache_read_input_token_cost": 3e-8,
        "input_cost_per_token_batches": 1.5e-7,
        "output_cost_per_token_batches": 6e-7,
        "input_cost_per_token_above_200k_tokens": 6e-7,
    },
    "together_ai/acme/Disputed": {
        "litellm_provider": "together_ai",
        "input_cost_per_token": 1e-6,
        "output_cost_per_token": 1e-6,
    },
    "together_ai/acme/Alone": {
        "litellm_provider": "together_ai",
        "input_cost_per_token": 1e-6,
        "output_cost_per_token": 1e-6,
    },
    "gpt-4o": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-6, "output_cost_per_token": 1e-5},
}
MODELS_DEV = {
    "togetherai/models/acme/New": (0.3, 1.2),
    "togetherai/models/acme/Disputed": (1.1, 1.0),
    "openai/models/gpt-4o": (2.5, 10.0),
}


def test_only_what_two_tables_agree_on_and_the_base_table_lacks_is_kept(tmp_path: Path) -> None:
    litellm = tmp_path / "prices.json"
    litellm.write_text(json.dumps(LITELLM), encoding="utf-8")
    for place, (price_in, price_out) in MODELS_DEV.items():
        file = tmp_path / "models.dev" / "providers" / f"{place}.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"[cost]\ninput = {price_in}\noutput = {price_out}\n", encoding="utf-8")
    tables = ["--litellm", str(litellm), "--models-dev", str(tmp_path / "models.dev")]
    command = [sys.executable, str(SCRIPT), *tables, "--made", "2026-01-02"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert told["made"] == "2026-01-02"
    assert told["prices"] == {
        "together_ai": {
            "acme/new": {
                "input": 0.3,
                "output": 1.2,
                "cache_read": 0.03,
                "above": {"200000": {"input": 0.6}},
                "batch": {"input": 0.15, "output": 0.6, "cache_read": 0.03, "above": {"200000": {"input": 0.3}}},
            }
        }
    }
