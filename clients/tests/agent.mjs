// Runs the JavaScript client for tests: reads commands as JSON lines from stdin, and writes events, frames and answers
// as JSON lines to stdout.
import { createInterface } from "node:readline";
import { ChatClient } from "../js/chat-client.js";

const write = (line) => process.stdout.write(JSON.stringify(line) + "\n");
let client;

const commands = {
  start({ baseUrl, ...options }) {
    client = new ChatClient(baseUrl, {
      ...options,
      onEvent: (event, data) => write({ event, data }),
      onFrame: (direction, frame) => write({ direction, frame }),
    });
    return client.start();
  },
  send: (message) => client.send(message),
  request: ({ event, data }) => client.request(event, data),
  rest: ({ method, path, body }) => client.rest(method, path, body),
  drop: () => client.drop(),
  state: () => client.state,
  stop: () => client.stop(),
  ready: () => client.whenReady(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, command, data } = JSON.parse(line);
  Promise.resolve()
    .then(() => commands[command](data))
    .then((value) => write({ id, value: value ?? null }))
    .catch((error) => write({ id, error: { name: error.constructor.name, code: error.code ?? "" } }));
}
