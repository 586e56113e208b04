// Sends spans with the OpenTelemetry SDK for Node as OTLP/JSON: node send_spans.js URL COUNT; prints the trace ids it sent.
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-http");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { NodeTracerProvider, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-node");

const [url, count] = [process.argv[2], Number(process.argv[3])];
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": "node-client", "process.pid": 2 ** 40 }),
  spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter({ url }))],
});
const tracer = provider.getTracer("send-spans", "1.0");
for (let i = 0; i < count; i++) {
  const span = tracer.startSpan(`chat ${i}`, {
    kind: 2,
    attributes: { "gen_ai.request.model": "gpt-4o-mini", index: i, ratio: i + 0.5, ok: i % 2 === 0, words: ["東京", "café"] },
  });
  span.addEvent("first token", { at: i });
  span.end();
  console.log(span.spanContext().traceId);
}
provider.shutdown().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
