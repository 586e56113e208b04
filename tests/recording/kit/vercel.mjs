// A scenario through the Vercel AI SDK, whichever version the driver beside it has installed.
import { createOpenAI } from "@ai-sdk/openai";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { embedMany, generateText, jsonSchema, streamText, tool } from "ai";

const scenario = JSON.parse(process.env.RECORDING_SCENARIO);

export const metadata = { userId: scenario.user_id ?? "user-1", sessionId: scenario.session_id ?? "sess-1" };

/** `schema`: what a tool's parameters are called; `steps`: what allows several calls; `telemetry`: what switches it on. */
export async function run({ schema, steps, telemetry, before = () => {} }) {
  const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] });
  provider.register();
  before();
  try {
    await call({ schema, steps, telemetry });
  } finally {
    await provider.shutdown();
  }
}

async function call({ schema, steps, telemetry }) {
  const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL });
  if (scenario.kind === "embeddings") {
    const model = openai.embedding("text-embedding-3-small");
    return embedMany({ model, values: scenario.inputs, ...telemetry });
  }
  const { prompt, system, temperature } = scenario;
  const tools = Object.fromEntries(
    scenario.tools.map((entry) => [
      entry.name,
      tool({ description: entry.description, [schema]: jsonSchema(entry.parameters), execute: async () => entry.returns }),
    ]),
  );
  const several = scenario.tools.length ? { tools, ...steps } : {};
  const model = openai.chat("gpt-4o-mini");
  const settings = { model, maxRetries: 0, prompt, system, temperature, ...several, ...telemetry };
  if (!scenario.stream) return generateText(settings);
  for await (const _ of (await streamText(settings)).textStream);
}
