// Langfuse SDK 5 for JavaScript: its wrapper of the OpenAI client, and observations around tools.
//
// /// script
// dependencies = ["@langfuse/otel@5.11.1", "@langfuse/openai@5.11.1", "@langfuse/tracing@5.11.1", "openai@6.49.0", "@opentelemetry/sdk-trace-node@2.12.0", "@opentelemetry/exporter-trace-otlp-proto@0.223.0"]
// [tool.recording]
// scenarios = ["chat_en", "stream_en", "tools_weather", "cached_prompt", "err_429", "embeddings_batch"]
// folder = "langfuse-js"
// ///
import { observeOpenAI } from "@langfuse/openai";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { propagateAttributes, startActiveObservation } from "@langfuse/tracing";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import OpenAI from "openai";

const scenario = JSON.parse(process.env.RECORDING_SCENARIO);
const processor = new LangfuseSpanProcessor({ exporter: new OTLPTraceExporter() });
const provider = new NodeTracerProvider({ spanProcessors: [processor] });
provider.register();
const openai = observeOpenAI(new OpenAI({ baseURL: process.env.OPENAI_BASE_URL, maxRetries: 0 }));
const messages = [
  ...(scenario.system ? [{ role: "system", content: scenario.system }] : []),
  { role: "user", content: scenario.prompt },
];
const settings = { model: "gpt-4o-mini", temperature: scenario.temperature, max_tokens: scenario.max_tokens };

async function agent() {
  const tools = scenario.tools.map(({ name, description, parameters }) => ({
    type: "function",
    function: { name, description, parameters },
  }));
  for (;;) {
    const { message } = (await openai.chat.completions.create({ ...settings, messages, tools })).choices[0];
    if (!message.tool_calls) return message.content;
    messages.push(message);
    for (const call of message.tool_calls) {
      const result = await startActiveObservation(
        call.function.name,
        async (observation) => {
          const { returns } = scenario.tools.find((entry) => entry.name === call.function.name);
          observation.update({ input: JSON.parse(call.function.arguments), output: returns });
          return returns;
        },
        { asType: "tool" },
      );
      messages.push({ role: "tool", tool_call_id: call.id, content: result });
    }
  }
}

async function run() {
  if (scenario.kind === "embeddings") {
    await openai.embeddings.create({ model: "text-embedding-3-small", input: scenario.inputs });
  } else if (scenario.tools.length) {
    await startActiveObservation("assistant", agent, { asType: "agent" });
  } else if (scenario.stream) {
    const options = { include_usage: true };
    const stream = await openai.chat.completions.create({ ...settings, messages, stream: true, stream_options: options });
    for await (const _ of stream);
  } else {
    await openai.chat.completions.create({ ...settings, messages });
  }
}

try {
  await propagateAttributes({ userId: scenario.user_id ?? "user-1", sessionId: scenario.session_id ?? "sess-1" }, run);
} finally {
  await provider.shutdown();
}
