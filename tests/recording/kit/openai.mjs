// A scenario through a client of OpenAI: a call, a stream, embeddings, or a loop of calls and tools.
export const scenario = JSON.parse(process.env.RECORDING_SCENARIO);

const MODEL = "gpt-4o-mini";

/** `client`: as the library wraps it; `asAgent` and `asTool` run a function as the library has agents and tools. */
export async function converse({ client, asAgent, asTool }) {
  if (scenario.kind === "embeddings") {
    return client.embeddings.create({ model: "text-embedding-3-small", input: scenario.inputs });
  }
  const messages = [
    ...(scenario.system ? [{ role: "system", content: scenario.system }] : []),
    { role: "user", content: scenario.prompt },
  ];
  const { temperature, max_tokens } = scenario;
  const settings = { model: MODEL, temperature, max_tokens, messages };
  if (scenario.tools.length) return asAgent(() => loop(client, settings, asTool));
  if (!scenario.stream) return client.chat.completions.create(settings);
  const options = { stream: true, stream_options: { include_usage: true } };
  for await (const _ of await client.chat.completions.create({ ...settings, ...options }));
}

async function loop(client, settings, asTool) {
  const { messages } = settings;
  const tools = scenario.tools.map(({ name, description, parameters }) => ({
    type: "function",
    function: { name, description, parameters },
  }));
  for (;;) {
    const { message } = (await client.chat.completions.create({ ...settings, tools })).choices[0];
    if (!message.tool_calls) return message.content;
    messages.push(message);
    for (const { id, function: asked } of message.tool_calls) {
      const { returns } = scenario.tools.find((entry) => entry.name === asked.name);
      const content = await asTool(asked.name, JSON.parse(asked.arguments), returns);
      messages.push({ role: "tool", tool_call_id: id, content });
    }
  }
}
