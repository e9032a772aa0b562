// A client as the guide writes it, with the stock socket.io-client: commands come as JSON lines on stdin, what it
// hears leaves on stdout. Nothing here knows how the server is made.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const tell = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const [url, token, options = "{}"] = process.argv.slice(2);
const socket = io(url, { auth: { token }, ...JSON.parse(options) });

socket.on("connect", () => tell({ event: "connect", data: { transport: socket.io.engine.transport.name } }));
socket.on("connect_error", (error) => tell({ event: "connect_error", data: { message: error.message, ...error.data } }));
socket.on("disconnect", (reason) => tell({ event: "disconnect", data: { reason } }));
socket.io.engine.on("upgrade", (transport) => tell({ event: "upgrade", data: { transport: transport.name } }));
socket.onAny((event, data) => tell({ event, data }));

for await (const line of createInterface({ input: process.stdin })) {
  const { id, event, args, close } = JSON.parse(line);
  if (close) socket.disconnect();
  else if (id === undefined) socket.emit(event, ...args);
  else socket.emit(event, ...args, (answer) => tell({ id, answer }));
}
