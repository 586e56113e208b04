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

const scenario = JSON.parse(process.env.RECORDING_SCENARIO);
traceloop.initialize({
  appName: "recording",
  disableBatch: true,
  silenceInitializationMessage: true,
  telemetryEnabled: false,
  traceloopSyncEnabled: false,
  exporter: new OTLPTraceExporter(),
  instrumentModules: { openAI: OpenAI },
});
const openai = new OpenAI({ baseURL: process.env.OPENAI_BASE_URL, maxRetries: 0 });
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
      const { returns } = scenario.tools.find((entry) => entry.name === call.function.name);
      const input = JSON.parse(call.function.arguments);
      const result = await traceloop.withTool({ name: call.function.name }, async (_input) => returns, input);
      messages.push({ role: "tool", tool_call_id: call.id, content: result });
    }
  }
}

async function run() {
  if (scenario.tools.length) {
    return traceloop.withWorkflow({ name: "assistant" }, agent);
  }
  if (!scenario.stream) {
    return openai.chat.completions.create({ ...settings, messages });
  }
  const options = { include_usage: true };
  const stream = await openai.chat.completions.create({ ...settings, messages, stream: true, stream_options: options });
  for await (const _ of stream);
}

try {
  await traceloop.withAssociationProperties({ user_id: "user-1", session_id: scenario.session_id ?? "sess-1" }, run);
} finally {
  await traceloop.forceFlush();
}
