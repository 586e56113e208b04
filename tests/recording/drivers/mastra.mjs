// Mastra: an agent, with its exporter to OpenTelemetry.
//
// /// script
// dependencies = ["@mastra/core@1.71.0", "@mastra/observability@1.17.9", "@mastra/otel-exporter@1.4.0", "@ai-sdk/openai@3.0.141", "@opentelemetry/exporter-trace-otlp-proto@0.218.0", "zod@3.25.76"]
// [tool.recording]
// scenarios = ["chat_en", "stream_en", "tools_weather", "agent", "err_429", "cached_prompt"]
// folder = "mastra"
// ///
process.env.MASTRA_TELEMETRY_DISABLED = "1";

const { createOpenAI } = await import("@ai-sdk/openai");
const { Mastra } = await import("@mastra/core");
const { Agent } = await import("@mastra/core/agent");
const { createTool } = await import("@mastra/core/tools");
const { Observability } = await import("@mastra/observability");
const { OtelExporter } = await import("@mastra/otel-exporter");
const { z } = await import("zod");

const scenario = JSON.parse(process.env.RECORDING_SCENARIO);
const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL });
const tools = Object.fromEntries(
  scenario.tools.map((entry) => [
    entry.name,
    createTool({
      id: entry.name,
      description: entry.description,
      inputSchema: z.object(Object.fromEntries(entry.parameters.required.map((name) => [name, z.string()]))),
      execute: async () => entry.returns,
    }),
  ]),
);
const clerk = new Agent({
  id: "clerk",
  name: "clerk",
  instructions: scenario.system ?? "You are brief.",
  model: openai.chat("gpt-4o-mini"),
  tools,
  maxRetries: 0,
});
const endpoint = `${process.env.OTEL_EXPORTER_OTLP_ENDPOINT}/v1/traces`;
const exporter = new OtelExporter({ provider: { custom: { endpoint, protocol: "http/protobuf" } } });
const observability = new Observability({ configs: { otel: { serviceName: "recording", exporters: [exporter] } } });
const mastra = new Mastra({ agents: { clerk }, observability, logger: false });
const settings = {
  maxSteps: 5,
  modelSettings: { temperature: scenario.temperature, maxOutputTokens: scenario.max_tokens, maxRetries: 0 },
  ...(scenario.session_id ? { tracingOptions: { metadata: { threadId: scenario.session_id } } } : {}),
};

try {
  const agent = mastra.getAgent("clerk");
  if (scenario.stream) {
    const answer = await agent.stream(scenario.prompt, settings);
    for await (const _ of answer.textStream);
  } else {
    await agent.generate(scenario.prompt, settings);
  }
} finally {
  await observability.shutdown();
}
