// OpenLLMetry for Node: the instrumentation of the OpenAI client, with workflows and tools of its SDK.
//
// /// script
// dependencies = ["@traceloop/node-server-sdk@0.27.0", "openai@6.49.0", "@opentelemetry/exporter-trace-otlp-proto@0.223.0"]
// [tool.recording]
// scenarios = ["chat_en", "stream_en", "tools_weather", "cached_prompt"]
// folder = "traceloop-node"
// ///
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import * as traceloop from "@traceloop/node-server-sdk";
import OpenAI from "openai";
import { converse, scenario } from "./kit/openai.mjs";

traceloop.initialize({
  appName: "recording",
  disableBatch: true,
  silenceInitializationMessage: true,
  telemetryEnabled: false,
  traceloopSyncEnabled: false,
  exporter: new OTLPTraceExporter(),
  instrumentModules: { openAI: OpenAI },
});
const client = new OpenAI({ baseURL: process.env.OPENAI_BASE_URL, maxRetries: 0 });
const who = { user_id: "user-1", session_id: scenario.session_id ?? "sess-1" };
const asAgent = (loop) => traceloop.withWorkflow({ name: "assistant" }, loop);
const asTool = (name, input, output) => traceloop.withTool({ name }, async (_input) => output, input);

try {
  await traceloop.withAssociationProperties(who, () => converse({ client, asAgent, asTool }));
} finally {
  await traceloop.forceFlush();
}
