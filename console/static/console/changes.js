// How each event of the socket changes the store. `this` is the store.

const TYPING_MS = 6000;

export const CHANGES = {
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
      // A sender has read everything above. No message:ack reports that.
      writer.deliveredSeq = Math.max(writer.deliveredSeq, message.seq);
      writer.readSeq = Math.max(writer.readSeq, message.seq);
    }
    // Already counted when the rooms were loaded.
    if (!room || message.seq <= room.lastSeq) return;
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
    await this.loadMembers(room);
  },
  "room:updated"({ lastSeq, ...changed }) {
    // Without `lastSeq`: the messages count it up, and this may have been read before the last of them.
    const { id, firstSeq } = changed;
    const room = this.rooms.get(id);
    if (!room) return;
    Object.assign(room, changed);
    room.unreadCount = Math.min(room.unreadCount, room.lastSeq - firstSeq + 1);
    const messages = this.logs.get(id)?.messages ?? new Map();
    // These messages were archived.
    for (const seq of messages.keys()) if (seq < firstSeq) messages.delete(seq);
  },
  /** Of the client: the server has an older log of the room, from a backup. */
  async "room:reset"({ roomId }) {
    this.logs.delete(roomId);
    await this.open(roomId);
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
      // Watermarks never go down. This member may have been read before another process moved them.
      for (const mark of ["deliveredSeq", "readSeq"]) member[mark] = Math.max(member[mark], before?.[mark] ?? 0);
      room.members.push(member);
      await this.loadMembers(room);
    }
  },
};
