// Vercel AI SDK 7 with @ai-sdk/otel, which speaks the conventions.
//
// /// script
// dependencies = ["ai@7.0.173", "@ai-sdk/otel@1.0.173", "@ai-sdk/openai@4.0.118", "@opentelemetry/sdk-trace-node@2.12.0", "@opentelemetry/exporter-trace-otlp-proto@0.223.0"]
// [tool.recording]
// scenarios = ["chat_en", "stream_en", "tools_weather", "tools_stream", "err_429", "embeddings_batch"]
// folder = "vercel-ai-sdk-v7"
// ///
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { createOpenAI } from "@ai-sdk/openai";
import { embedMany, generateText, jsonSchema, registerTelemetry, stepCountIs, streamText, tool } from "ai";
import { OpenTelemetry } from "@ai-sdk/otel";

const scenario = JSON.parse(process.env.RECORDING_SCENARIO);
const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] });
provider.register();
registerTelemetry(new OpenTelemetry());
const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL });
const tools = Object.fromEntries(
  scenario.tools.map((entry) => [
    entry.name,
    tool({ description: entry.description, inputSchema: jsonSchema(entry.parameters), execute: async () => entry.returns }),
  ]),
);
const settings = {
  model: openai.chat("gpt-4o-mini"),
  maxRetries: 0,
  prompt: scenario.prompt,
  system: scenario.system,
  temperature: scenario.temperature,
  ...(scenario.tools.length ? { tools, stopWhen: stepCountIs(5) } : {}),
  telemetry: { isEnabled: true, functionId: "assistant" },
};

try {
  if (scenario.kind === "embeddings") {
    await embedMany({ model: openai.embedding("text-embedding-3-small"), values: scenario.inputs, telemetry: { isEnabled: true, functionId: "assistant" } });
  } else if (scenario.stream) {
    for await (const _ of (await streamText(settings)).textStream);
  } else {
    await generateText(settings);
  }
} finally {
  await provider.shutdown();
}
