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
import { converse, scenario } from "./kit/openai.mjs";

const processor = new LangfuseSpanProcessor({ exporter: new OTLPTraceExporter() });
const provider = new NodeTracerProvider({ spanProcessors: [processor] });
provider.register();
const client = observeOpenAI(new OpenAI({ baseURL: process.env.OPENAI_BASE_URL, maxRetries: 0 }));
const who = { userId: scenario.user_id ?? "user-1", sessionId: scenario.session_id ?? "sess-1" };
const asAgent = (loop) => startActiveObservation("assistant", loop, { asType: "agent" });
const asTool = (name, input, output) =>
  startActiveObservation(name, (observation) => observation.update({ input, output }) && output, { asType: "tool" });

try {
  await propagateAttributes(who, () => converse({ client, asAgent, asTool }));
} finally {
  await provider.shutdown();
}
