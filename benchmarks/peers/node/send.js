// The whole send path as it is usually written in Node: Express, Socket.IO with the Redis adapter,
// rate-limiter-flexible on Redis, and Mongoose. A member's message is validated, limited, stored, acknowledged and
// sent to its room. Needs the variables PORT, REDIS_URL, MONGO_URL and JWT_SECRET; tokens contain `sub` and `rooms`.
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import express from "express";
import { Redis } from "ioredis";
import jwt from "jsonwebtoken";
import mongoose from "mongoose";
import { RateLimiterRedis } from "rate-limiter-flexible";
import { createClient } from "redis";
import { Server } from "socket.io";

const messageSchema = new mongoose.Schema(
  {
    roomId: { type: String, required: true },
    from: { type: String, required: true },
    content: { type: String, required: true, maxlength: 4000 },
    type: { type: String, default: "text" },
    clientMessageId: { type: String },
    meta: { type: Object, default: {} },
  },
  { timestamps: true },
);
messageSchema.index({ roomId: 1, createdAt: -1 });
messageSchema.index({ from: 1, clientMessageId: 1 }, { unique: true, sparse: true });
const Message = mongoose.model("Message", messageSchema);
await mongoose.connect(process.env.MONGO_URL);
await Message.init();

const pubClient = createClient({ url: process.env.REDIS_URL });
const subClient = pubClient.duplicate();
await Promise.all([pubClient.connect(), subClient.connect()]);
const limiter = new RateLimiterRedis({
  storeClient: new Redis(process.env.REDIS_URL, { enableOfflineQueue: false }),
  keyPrefix: "messages",
  points: 1_000_000,
  duration: 5,
});

const app = express();
app.get("/healthz", (_request, response) => response.json({ status: "ok" }));
const httpServer = createServer(app);
const io = new Server(httpServer, { adapter: createAdapter(pubClient, subClient), perMessageDeflate: false });

io.use((socket, next) => {
  try {
    const claims = jwt.verify(socket.handshake.auth.token, process.env.JWT_SECRET);
    socket.data.userId = claims.sub;
    socket.data.rooms = claims.rooms;
    next();
  } catch {
    next(new Error("unauthenticated"));
  }
});

function problem(data) {
  if (typeof data?.roomId !== "string") return "roomId is missing";
  if (typeof data.content !== "string" || !data.content.trim()) return "content is missing";
  if (data.content.length > 4000) return "content is too long";
  return null;
}

io.on("connection", (socket) => {
  socket.join(socket.data.rooms);
  socket.emit("ready", {});
  socket.on("message:send", async (data, ack) => {
    try {
      const wrong = problem(data);
      if (wrong) return ack({ status: "error", code: "invalid", message: wrong });
      if (!socket.rooms.has(data.roomId)) return ack({ status: "error", code: "not_found" });
      await limiter.consume(socket.data.userId);
      const message = await Message.create({
        roomId: data.roomId,
        from: socket.data.userId,
        content: data.content,
        clientMessageId: data.clientMessageId,
      });
      ack({ status: "ok", serverMessageId: message.id, createdAt: message.createdAt });
      io.to(data.roomId).emit("message:receive", {
        id: message.id,
        roomId: message.roomId,
        from: message.from,
        content: message.content,
        type: message.type,
        meta: message.meta,
        clientMessageId: message.clientMessageId,
        createdAt: message.createdAt,
      });
    } catch (error) {
      ack({ status: "error", code: error.msBeforeNext ? "rate_limited" : "internal", message: String(error.message) });
    }
  });
});

httpServer.listen(Number(process.env.PORT), "127.0.0.1");
