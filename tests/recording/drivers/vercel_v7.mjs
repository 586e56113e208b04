// Vercel AI SDK 7 with @ai-sdk/otel: in the conventions' form, and in that of its versions before.
//
// /// script
// dependencies = ["ai@7.0.173", "@ai-sdk/otel@1.0.173", "@ai-sdk/openai@4.0.118", "@opentelemetry/sdk-trace-node@2.12.0", "@opentelemetry/exporter-trace-otlp-proto@0.223.0"]
// [tool.recording]
// scenarios = ["chat_en", "stream_en", "tools_weather", "tools_stream", "err_429", "embeddings_batch"]
// folder = "vercel-ai-sdk-v7"
// [tool.recording.variants.vercel-ai-sdk-v7-legacy]
// AI_SDK_FORM = "legacy"
// ///
import { LegacyOpenTelemetry, OpenTelemetry } from "@ai-sdk/otel";
import { registerTelemetry, stepCountIs } from "ai";
import { run } from "./kit/vercel.mjs";

const Form = process.env.AI_SDK_FORM === "legacy" ? LegacyOpenTelemetry : OpenTelemetry;
await run({
  before: () => registerTelemetry(new Form()),
  schema: "inputSchema",
  steps: { stopWhen: stepCountIs(5) },
  telemetry: { telemetry: { isEnabled: true, functionId: "assistant" } },
});
