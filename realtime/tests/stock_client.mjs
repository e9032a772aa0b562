// A client as docs/recipes.md shows it, with the stock socket.io-client. It reads commands as lines of JSON from stdin
// and writes each event that it receives as a line of JSON to stdout.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const print = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const [url, token, options = "{}"] = process.argv.slice(2);
const socket = io(url, { auth: { token }, ...JSON.parse(options) });

socket.on("connect", () => print({ event: "connect", data: { transport: socket.io.engine.transport.name } }));
socket.on("connect_error", (error) => print({ event: "connect_error", data: { message: error.message, ...error.data } }));
socket.on("disconnect", (reason) => print({ event: "disconnect", data: { reason } }));
socket.io.engine.on("upgrade", (transport) => print({ event: "upgrade", data: { transport: transport.name } }));
socket.onAny((event, data) => print({ event, data }));

for await (const line of createInterface({ input: process.stdin })) {
  const { id, event, args, close } = JSON.parse(line);
  if (close) socket.disconnect();
  else if (id === undefined) socket.emit(event, ...args);
  else socket.emit(event, ...args, (answer) => print({ id, answer }));
}
