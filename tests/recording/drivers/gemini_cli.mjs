// Gemini CLI: logs, metrics and spans, from a run without a terminal.
//
// /// script
// dependencies = ["@google/gemini-cli@0.61.0"]
// [tool.recording]
// scenarios = ["chat_en", "shell_gemini", "pii_prompt"]
// folder = "gemini-cli"
// ///
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const scenario = JSON.parse(process.env.RECORDING_SCENARIO);
const home = mkdtempSync(join(tmpdir(), "gemini-"));
mkdirSync(join(home, ".gemini"));
const settings = {
  security: { auth: { selectedType: "gemini-api-key" } },
  general: { enableAutoUpdate: false },
  privacy: { usageStatisticsEnabled: false },
  tools: { core: ["run_shell_command"] },
  telemetry: {
    enabled: true,
    target: "local",
    useCollector: true,
    otlpEndpoint: process.env.RECORDING_OTLP_HTTP,
    otlpProtocol: "http",
    logPrompts: true,
    traces: true,
  },
};
writeFileSync(join(home, ".gemini", "settings.json"), JSON.stringify(settings));
const system = join(home, "system.md");
writeFileSync(system, scenario.system ?? "You help people with a computer.");
const ran = spawnSync(
  join(import.meta.dirname, "node_modules", ".bin", "gemini"),
  ["-p", scenario.prompt, "-m", "gemini-2.5-flash", "--yolo", "--skip-trust"],
  {
    cwd: home,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, HOME: home, NO_BROWSER: "1", GEMINI_SYSTEM_MD: system, GEMINI_TELEMETRY_TRACES_ENABLED: "true" },
  },
);
process.exit(ran.status ?? 1);
