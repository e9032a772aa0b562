// The rooms, messages and users that the page shows. Events of the socket keep them up to date (changes.js).

import { CHANGES } from "./changes.js";

const PAGE = 40;

/** `client` is a ChatClient; `changed()` is called after each change. */
export class Store {
  constructor(client, changed) {
    this.client = client;
    this.changed = changed;
    this.rooms = new Map();
    // roomId -> {messages: Map(seq -> message), hasMore, oldest}
    this.logs = new Map();
    // clientMessageId -> {roomId, content}
    this.pending = new Map();
    this.users = new Map();
    this.presence = new Map();
    // roomId -> Map(userId -> timer)
    this.typing = new Map();
  }

  get me() {
    return this.client.userId;
  }

  /** Load all rooms, the members of open ones, and the presence of users. */
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
    await Promise.all([...found.values()].map((room) => this.loadMembers(room)));
    this.changed();
  }

  /** Load the names and the presence of the members of a room. */
  async loadMembers(room) {
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

  /** Load the room with its members and the last page of its log. */
  async open(roomId) {
    const room = await this.client.rest("GET", `/api/rooms/${roomId}`);
    this.rooms.set(roomId, room);
    await this.loadMembers(room);
    if (!this.logs.has(roomId)) await this.older(roomId);
    return room;
  }

  /** Load the page before the oldest loaded message. */
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

  /** The state of an own message, "sent", "delivered" or "read", and its text. */
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
    const change = CHANGES[event];
    if (!change) return;
    await change.call(this, data);
    this.changed();
  }

  /** Store a message if the log of its room is loaded. */
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
