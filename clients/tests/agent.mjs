// A process around the JavaScript client: commands come as JSON lines on stdin, all it sees leaves on stdout.
import { createInterface } from "node:readline";
import { ChatClient } from "../js/chat-client.js";

const tell = (line) => process.stdout.write(JSON.stringify(line) + "\n");
let client;

const commands = {
  start({ baseUrl, ...options }) {
    client = new ChatClient(baseUrl, {
      ...options,
      onEvent: (event, data) => tell({ event, data }),
      onFrame: (direction, frame) => tell({ direction, frame }),
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
    .then((value) => tell({ id, value: value ?? null }))
    .catch((error) => tell({ id, error: { name: error.constructor.name, code: error.code ?? "" } }));
}
