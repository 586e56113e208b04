// Claude Code: logs, metrics, and spans of its beta, from a run without a terminal.
//
// /// script
// dependencies = ["@anthropic-ai/claude-code@2.1.197"]
// [tool.recording]
// scenarios = ["chat_en", "cache_write", "shell_claude", "logs_only", "err_429"]
// folder = "claude-code"
// ///
import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const scenario = JSON.parse(process.env.RECORDING_SCENARIO);
const home = mkdtempSync(join(tmpdir(), "claude-"));
const ran = spawnSync(
  join(import.meta.dirname, "node_modules", ".bin", "claude"),
  ["-p", scenario.prompt, "--allowedTools", "Bash(echo:*)"],
  {
    cwd: home,
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      HOME: home,
      CLAUDE_CODE_ENABLE_TELEMETRY: "1",
      CLAUDE_CODE_ENHANCED_TELEMETRY_BETA: "1",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      CLAUDE_CODE_MAX_RETRIES: "1",
      DISABLE_AUTOUPDATER: "1",
      OTEL_LOGS_EXPORTER: "otlp",
      OTEL_METRICS_EXPORTER: "otlp",
      OTEL_TRACES_EXPORTER: scenario.spans === false ? "none" : "otlp",
      OTEL_LOG_USER_PROMPTS: "1",
      OTEL_LOG_TOOL_DETAILS: "1",
      OTEL_LOG_TOOL_CONTENT: "1",
      OTEL_LOGS_EXPORT_INTERVAL: "200",
      OTEL_METRIC_EXPORT_INTERVAL: "1000",
    },
  },
);
process.exit(ran.status ?? 1);
