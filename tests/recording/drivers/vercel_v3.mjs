// Vercel AI SDK 3.
//
// /// script
// dependencies = ["ai@3.4.33", "@ai-sdk/openai@0.0.72", "zod@3", "@opentelemetry/sdk-trace-node@2.12.0", "@opentelemetry/exporter-trace-otlp-proto@0.223.0"]
// [tool.recording]
// scenarios = ["chat_en", "stream_en", "tools_weather", "tools_stream", "err_429", "embeddings_batch"]
// folder = "vercel-ai-sdk-v3"
// ///
import { metadata, run } from "./kit/vercel.mjs";

await run({
  schema: "parameters",
  steps: { maxSteps: 5 },
  telemetry: { experimental_telemetry: { isEnabled: true, functionId: "assistant", metadata } },
});
