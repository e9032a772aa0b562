// What the user sees of the chat, kept up to date by the socket's events. Knows the client, and nothing of the page.

const TYPING_MS = 6000;
const PAGE = 40;

export class Store {
  constructor(client, changed) {
    this.client = client;
    this.changed = changed;
    this.rooms = new Map();
    this.logs = new Map(); // roomId -> {messages: Map(seq -> message), hasMore, oldest}
    this.pending = new Map(); // clientMessageId -> {roomId, content}
    this.users = new Map();
    this.presence = new Map();
    this.typing = new Map(); // roomId -> Map(userId -> timer)
  }

  get me() {
    return this.client.userId;
  }

  /** Every room with its members, and who is online. */
  async load() {
    let path = "/api/rooms?limit=200";
    const found = new Map();
    while (path) {
      const page = await this.client.rest("GET", path);
      for (const room of page.results) found.set(room.id, { members: this.rooms.get(room.id)?.members ?? [], ...room });
      path = page.next && page.next.replace(/^https?:\/\/[^/]+/, "");
    }
    for (const id of this.logs.keys()) if (found.has(id)) found.set(id, await this.client.rest("GET", `/api/rooms/${id}`));
    this.rooms = found;
    await Promise.all([...found.values()].map((room) => this.know(room)));
    this.changed();
  }

  /** Learn the names and the presence of those in a room. */
  async know(room) {
    const ids = room.members.length ? room.members.map((member) => member.userId) : [room.to ?? this.me];
    await Promise.all(ids.map((id) => this.user(id)));
    const states = await this.client.request("presence:query", { userIds: ids.slice(0, 200) });
    for (const [id, state] of Object.entries(states)) this.presence.set(id, state);
    this.changed();
  }

  async user(id) {
    if (!this.users.has(id)) this.users.set(id, await this.client.rest("GET", `/api/users/${id}`));
    return this.users.get(id);
  }

  name(id) {
    return id === this.me ? "you" : (this.users.get(id)?.displayName ?? "…");
  }

  roomName(room) {
    return room.kind === "direct" ? (room.to === this.me ? "notes to yourself" : this.name(room.to)) : room.name;
  }

  /** The room with its members and the end of its log. */
  async open(roomId) {
    const room = await this.client.rest("GET", `/api/rooms/${roomId}`);
    this.rooms.set(roomId, room);
    await this.know(room);
    if (!this.logs.has(roomId)) await this.older(roomId);
    return room;
  }

  /** The page of history before what is there. */
  async older(roomId) {
    const log = this.log(roomId);
    if (log.loading) return;
    log.loading = true;
    try {
      const before = log.oldest ? `&before=${log.oldest}` : "";
      const page = await this.client.rest("GET", `/api/rooms/${roomId}/messages?limit=${PAGE}${before}`);
      for (const message of page.results) if (!log.messages.has(message.seq)) log.messages.set(message.seq, message);
      log.oldest = page.results[0]?.seq ?? log.oldest;
      log.hasMore = page.hasMore;
      await Promise.all(page.results.map((message) => this.user(message.from)));
    } finally {
      log.loading = false;
    }
    this.changed();
  }

  log(roomId) {
    if (!this.logs.has(roomId)) this.logs.set(roomId, { messages: new Map(), hasMore: false, oldest: 0 });
    return this.logs.get(roomId);
  }

  messages(roomId) {
    return [...this.log(roomId).messages.values()].sort((a, b) => a.seq - b.seq);
  }

  async send(roomId, content) {
    const clientMessageId = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    this.pending.set(clientMessageId, { roomId, content });
    this.changed();
    try {
      return await this.client.send({ roomId, content, clientMessageId });
    } catch (error) {
      this.pending.delete(clientMessageId);
      this.changed();
      throw error;
    }
  }

  /** How far the others have come with a message of mine: "sent", "delivered" or "read", and a sentence on it. */
  receipt(room, message) {
    const others = room.members.filter((member) => member.userId !== this.me);
    const read = others.filter((member) => member.readSeq >= message.seq).length;
    const delivered = others.filter((member) => member.deliveredSeq >= message.seq).length;
    if (others.length && read === others.length) return ["read", "✓✓ read"];
    if (read) return ["read", `✓✓ read by ${read} of ${others.length}`];
    if (others.length && delivered === others.length) return ["delivered", "✓✓ delivered"];
    if (delivered) return ["delivered", `✓✓ delivered to ${delivered} of ${others.length}`];
    return ["sent", "✓ sent"];
  }

  // --- events -------------------------------------------------------------------------------------------------

  async apply(event, data) {
    const handler = HANDLERS[event];
    if (!handler) return;
    await handler.call(this, data);
    this.changed();
  }

  put(message) {
    const log = this.logs.get(message.roomId);
    if (log) log.messages.set(message.seq, message);
  }

  endTyping(roomId, userId) {
    const typists = this.typing.get(roomId);
    clearTimeout(typists?.get(userId));
    typists?.delete(userId);
  }
}

const HANDLERS = {
  async ready() {
    await this.load();
  },
  async "message:receive"(message) {
    this.pending.delete(message.clientMessageId);
    await this.user(message.from);
    this.put(message);
    this.endTyping(message.roomId, message.from);
    const room = this.rooms.get(message.roomId);
    const writer = room?.members.find((one) => one.userId === message.from);
    if (writer) {
      // Who writes has read what is above; no message:ack tells of that.
      writer.deliveredSeq = Math.max(writer.deliveredSeq, message.seq);
      writer.readSeq = Math.max(writer.readSeq, message.seq);
    }
    if (!room || message.seq <= room.lastSeq) return; // counted already when the rooms were read
    room.lastSeq = message.seq;
    room.lastActivityAt = message.createdAt;
    room.unreadCount = message.from === this.me ? 0 : room.unreadCount + 1;
  },
  "message:updated"(message) {
    this.put(message);
  },
  "message:deleted"(message) {
    this.put(message);
  },
  "message:ack"({ roomId, userId, deliveredSeq, readSeq }) {
    const room = this.rooms.get(roomId);
    const member = room?.members.find((one) => one.userId === userId);
    if (member) Object.assign(member, { deliveredSeq, readSeq });
    if (room && userId === this.me) room.unreadCount = Math.max(0, room.lastSeq - Math.max(readSeq, room.firstSeq - 1));
  },
  typing({ roomId, userId, isTyping }) {
    this.endTyping(roomId, userId);
    if (!isTyping) return;
    if (!this.typing.has(roomId)) this.typing.set(roomId, new Map());
    const end = () => {
      this.endTyping(roomId, userId);
      this.changed();
    };
    this.typing.get(roomId).set(userId, setTimeout(end, TYPING_MS));
  },
  "presence:update"({ userId, online, lastSeen }) {
    this.presence.set(userId, { online, lastSeen });
  },
  async "room:added"(room) {
    this.rooms.set(room.id, room);
    await this.know(room);
  },
  "room:updated"({ id, name, meta, lockedAt, firstSeq }) {
    const room = this.rooms.get(id);
    if (!room) return;
    Object.assign(room, { name, meta, lockedAt, firstSeq });
    room.unreadCount = Math.min(room.unreadCount, room.lastSeq - firstSeq + 1);
    const messages = this.logs.get(id)?.messages ?? new Map();
    for (const seq of messages.keys()) if (seq < firstSeq) messages.delete(seq); // archived
  },
  "room:removed"({ roomId }) {
    this.rooms.delete(roomId);
    this.logs.delete(roomId);
  },
  async "room:member"({ roomId, userId, member }) {
    const room = this.rooms.get(roomId);
    if (!room) return;
    const before = room.members.find((one) => one.userId === userId);
    room.members = room.members.filter((one) => one.userId !== userId);
    if (member) {
      // Watermarks never go down, and this may have been read before another process moved them.
      for (const mark of ["deliveredSeq", "readSeq"]) member[mark] = Math.max(member[mark], before?.[mark] ?? 0);
      room.members.push(member);
      await this.know(room);
    }
  },
};
