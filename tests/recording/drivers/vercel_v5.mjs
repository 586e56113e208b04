// Vercel AI SDK 5.
//
// /// script
// dependencies = ["ai@5.0.277", "@ai-sdk/openai@2", "@opentelemetry/sdk-trace-node@2.12.0", "@opentelemetry/exporter-trace-otlp-proto@0.223.0"]
// [tool.recording]
// scenarios = ["chat_en", "stream_en", "tools_weather", "tools_stream", "err_429", "embeddings_batch"]
// folder = "vercel-ai-sdk-v5"
// ///
import { stepCountIs } from "ai";
import { metadata, run } from "./kit/vercel.mjs";

await run({
  schema: "inputSchema",
  steps: { stopWhen: stepCountIs(5) },
  telemetry: { experimental_telemetry: { isEnabled: true, functionId: "assistant", metadata } },
});
