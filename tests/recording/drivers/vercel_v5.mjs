// Vercel AI SDK 5.
//
// /// script
// dependencies = ["ai@5.0.277", "@ai-sdk/openai@2", "@opentelemetry/sdk-trace-node@2.12.0", "@opentelemetry/exporter-trace-otlp-proto@0.223.0"]
// [tool.recording]
// scenarios = ["chat_en", "stream_en", "tools_weather", "tools_stream", "err_429", "embeddings_batch"]
// folder = "vercel-ai-sdk-v5"
// ///
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { createOpenAI } from "@ai-sdk/openai";
import { embedMany, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

const scenario = JSON.parse(process.env.RECORDING_SCENARIO);
const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] });
provider.register();

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
  experimental_telemetry: { isEnabled: true, functionId: "assistant", metadata: { userId: scenario.user_id ?? "user-1", sessionId: scenario.session_id ?? "sess-1" } },
};

try {
  if (scenario.kind === "embeddings") {
    await embedMany({ model: openai.embedding("text-embedding-3-small"), values: scenario.inputs, experimental_telemetry: { isEnabled: true, functionId: "assistant", metadata: { userId: scenario.user_id ?? "user-1", sessionId: scenario.session_id ?? "sess-1" } } });
  } else if (scenario.stream) {
    for await (const _ of (await streamText(settings)).textStream);
  } else {
    await generateText(settings);
  }
} finally {
  await provider.shutdown();
}
