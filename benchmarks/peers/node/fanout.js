// Fan-out as Socket.IO's documentation shows it: a room, the Redis adapter, a JWT at the handshake. Nothing is stored.
// Needs the variables PORT, REDIS_URL and JWT_SECRET.
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import jwt from "jsonwebtoken";
import { createClient } from "redis";
import { Server } from "socket.io";

const pubClient = createClient({ url: process.env.REDIS_URL });
const subClient = pubClient.duplicate();
await Promise.all([pubClient.connect(), subClient.connect()]);

const httpServer = createServer();
const io = new Server(httpServer, { adapter: createAdapter(pubClient, subClient), perMessageDeflate: false });

io.use((socket, next) => {
  try {
    socket.data.userId = jwt.verify(socket.handshake.auth.token, process.env.JWT_SECRET).sub;
    next();
  } catch {
    next(new Error("unauthenticated"));
  }
});

io.on("connection", (socket) => {
  socket.join("bench");
  socket.emit("ready", {});
  socket.on("message:send", (data, ack) => {
    io.to("bench").emit("message:receive", {
      roomId: data.roomId,
      from: socket.data.userId,
      content: data.content,
      clientMessageId: data.clientMessageId,
    });
    if (ack) ack({ status: "ok" });
  });
});

httpServer.listen(Number(process.env.PORT), "127.0.0.1");
