// Codex CLI: logs, and with tools its hundreds of spans, too, from a run without a terminal.
//
// /// script
// dependencies = ["@openai/codex@0.169.0"]
// [tool.recording]
// scenarios = ["chat_en", "shell_codex", "pii_prompt"]
// folder = "codex"
// ///
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const scenario = JSON.parse(process.env.RECORDING_SCENARIO);
const home = mkdtempSync(join(tmpdir(), "codex-"));
mkdirSync(join(home, ".codex"));
const otlp = (signal) =>
  `{ otlp-http = { endpoint = "${process.env.RECORDING_OTLP_HTTP}/v1/${signal}", protocol = "binary" } }`;
writeFileSync(
  join(home, ".codex", "config.toml"),
  `model = "gpt-5-mini"
model_provider = "local"
check_for_update_on_startup = false
[model_providers.local]
name = "OpenAI"
base_url = "${process.env.OPENAI_BASE_URL}"
env_key = "OPENAI_API_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
[analytics]
enabled = false
[otel]
environment = "test"
log_user_prompt = true
exporter = ${otlp("logs")}
trace_exporter = ${scenario.kind === "agent" ? otlp("traces") : '"none"'}
metrics_exporter = "none"
`,
);
const ran = spawnSync(
  join(import.meta.dirname, "node_modules", ".bin", "codex"),
  ["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", scenario.prompt],
  { cwd: home, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, HOME: home, CODEX_HOME: join(home, ".codex") } },
);
process.exit(ran.status ?? 1);
