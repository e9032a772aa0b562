// Types of the socket's events: `make docs` writes this file from the declarations in the server.

export interface RefreshAuth {
  token: string;
}

export interface AuthRefreshed {
  expiresAt: string;
}

/** Data of an event that needs none. */
export type Empty = Record<string, never>;

export interface Pong {
  serverTime: string;
}

export interface SendMessage {
  content: string;
  roomId?: string | null;
  toUserId?: string | null;
  type?: string;
  clientMessageId?: string | null;
  replyTo?: string | null;
  meta?: Record<string, unknown> | null;
}

export interface SendReply {
  serverMessageId: string;
  roomId: string;
  seq: number;
  createdAt: string | null;
  clientMessageId: string | null;
  duplicate: boolean;
}

export interface AckMessage {
  roomId: string;
  status: "delivered" | "read";
  seq?: number | null;
  messageId?: string | null;
}

/** The highest seqs that a member of a room has received and read. */
export interface Watermarks {
  roomId: string;
  userId: string;
  deliveredSeq: number;
  readSeq: number;
}

export interface EditMessage {
  roomId: string;
  messageId: string;
  content: string;
}

/** A message. `to` is the other user of a direct room. A deleted message has type `deleted` and no content. */
export interface MessageData {
  id: string;
  serverMessageId: string;
  roomId: string;
  seq: number;
  from: string;
  to: string | null;
  content: string;
  type: string;
  replyTo: string | null;
  meta: Record<string, unknown>;
  clientMessageId: string | null;
  createdAt: string | null;
  editedAt: string | null;
}

export interface DeleteMessage {
  roomId: string;
  messageId: string;
  content?: null;
}

export interface Typing {
  roomId: string;
  isTyping: boolean;
}

export interface TypingUpdate {
  roomId: string;
  userId: string;
  isTyping: boolean;
}

export interface Resume {
  rooms: Record<string, number>;
  since?: string | null;
}

/** `server_time` is the `since` of the next resume. `more` is true if further changes wait for that one. */
export interface ResumeReply {
  rooms: Record<string, RoomComplete>;
  serverTime: string;
  more?: boolean;
}

/** `{complete: true, from, through}` if all missed messages were sent, else `{complete: false, lastSeq}`.
 *
 * `firstSeq` is given if missed messages were archived: history begins at that seq. `reset` is true if the log
 * ends before the seq that the client has: an older copy has replaced it, and the client begins the room anew.
 */
export interface RoomComplete {
  complete: boolean;
  from?: number | null;
  through?: number | null;
  lastSeq?: number | null;
  firstSeq?: number | null;
  reset?: boolean;
}

export interface QueryPresence {
  userIds: Array<string>;
}

/** `lastSeen` of a user who is online is now. It is null if the user was never online. */
export interface PresenceState {
  online: boolean;
  lastSeen: string | null;
}

/** `ready`, the first frame. `rooms` maps rooms of the user to the seqs of their last messages.
 *
 * These are all rooms of the user; or, with `moreRooms`, the most recently active ones, and `ready:rooms` has the
 * others.
 */
export interface Ready {
  userId: string;
  connectionId: string;
  deviceId: string;
  serverTime: string | null;
  expiresAt: string | null;
  rooms: Record<string, number>;
  moreRooms: boolean;
  limits: Limits;
}

/** The limits a client has to know; rates read `count/seconds`. */
export interface Limits {
  messagesUser: string;
  messagesRoom: string;
  eventsUser: string;
  typingUser: string;
  roomsUser: string;
  roomsUserLong: string;
  strangersUser: string;
  addsMember: string;
  connectsIp: string;
  connectsUser: string;
  connectsForged: string;
  frames: string;
  resumesUser: string;
  maxContentChars: number;
  maxMetaBytes: number;
  maxFrameBytes: number;
  maxConnectionsUser: number;
  maxRoomMembers: number;
  maxRoomsUser: number;
}

/** `ready:rooms`: rooms that `ready` had no place for. With `more` another one follows. */
export interface ReadyRooms {
  rooms: Record<string, number>;
  more: boolean;
}

export interface RoomDetail {
  id: string;
  kind: string;
  name: string;
  meta: Record<string, unknown>;
  lockedAt: string | null;
  firstSeq: number;
  lastSeq: number;
  to: string | null;
  createdBy: string | null;
  createdAt: string | null;
  lastActivityAt: string | null;
  unreadCount: number;
  /** As history shows it; null while there is none. */
  lastMessage: Record<string, unknown> | null;
  role: string;
  members: Array<RoomMember>;
}

/** A membership as others in the room see it. */
export interface RoomMember {
  userId: string;
  role: string;
  mutedUntil: string | null;
  joinedAt: string | null;
  deliveredSeq: number;
  readSeq: number;
}

/** `room:updated`: the fields that every member sees alike.
 *
 * Messages before `firstSeq` are archived. Nobody can write in a room with `lockedAt`.
 */
export interface RoomUpdated {
  id: string;
  kind: string;
  name: string;
  meta: Record<string, unknown>;
  lockedAt: string | null;
  firstSeq: number;
  lastSeq: number;
}

/** `room:removed`: the receiver is no longer a member; `reason` is left, removed or deleted. */
export interface RoomRemoved {
  roomId: string;
  reason: string;
}

/** `room:member`: the membership that changed; `member` is null when the user is no longer in the room. */
export interface MemberChanged {
  roomId: string;
  userId: string;
  member: RoomMember | null;
}

/** `presence:update`. `lastSeen` of a user who is online is the time at which they came online. */
export interface PresenceUpdate {
  userId: string;
  online: boolean;
  lastSeen: string | null;
}

export interface ErrorData {
  code: "invalid" | "unknown_event" | "invalid_credentials" | "unauthenticated" | "token_expired" | "token_reused" | "forbidden" | "muted" | "not_found" | "conflict" | "too_large" | "rate_limited" | "overloaded" | "unavailable" | "internal";
  message: string;
  fields?: Record<string, Array<string>>;
  retryAfter?: number;
  requestId?: string | null;
}

export interface ClientEvents {
  /** Keep the connection open after its token expires, with a newer access token of the same user. Allowed: every user, with an access token of their own. */
  "auth:refresh": { data: RefreshAuth; reply: AuthRefreshed };
  /** Check the connection and get the server's time. Allowed: every user. */
  "ping": { data: Empty; reply: Pong };
  /** Store a message, publish it to the room, and reply with its id and seq. Allowed: members of the room who are not muted. */
  "message:send": { data: SendMessage; reply: SendReply };
  /** Move your watermarks up to a message. Allowed: members of the room. */
  "message:ack": { data: AckMessage; reply: Watermarks };
  /** Change the text of your own message. Allowed: the author of the message, unless muted. */
  "message:edit": { data: EditMessage; reply: MessageData };
  /** Make a message a tombstone, as its author or an admin of the room. Allowed: the author of the message, and admins of the room. */
  "message:delete": { data: DeleteMessage; reply: MessageData };
  /** Show the other members that you are typing, or have stopped. Ends after 6 s unless sent again. Allowed: members of the room who are not muted. */
  "typing": { data: Typing; reply: TypingUpdate };
  /** Send the messages after the given seqs, or say for which rooms there are too many. Allowed: every user; the reply leaves out rooms and users that are not visible to them. */
  "resume": { data: Resume; reply: ResumeReply };
  /** Ask which of these users are online. Users with whom you share no room are left out. Allowed: every user; the reply leaves out rooms and users that are not visible to them. */
  "presence:query": { data: QueryPresence; reply: Record<string, PresenceState> };
}

export interface ServerEvents {
  /** The first frame after the handshake; live events of all rooms flow from here on. Received by this connection only. */
  "ready": Ready;
  /** More of your rooms, after a `ready` with `moreRooms`; their live events follow from here on. Received by this connection only. */
  "ready:rooms": ReadyRooms;
  /** You became a member of a room; its live events follow from here on. Received by every connection of the user concerned. */
  "room:added": RoomDetail;
  /** A field of the room changed, for example its name, `lockedAt` or `firstSeq`. Received by every connection of the room's members, the user who caused it included. */
  "room:updated": RoomUpdated;
  /** You are no longer a member of a room. Received by every connection of the user concerned. */
  "room:removed": RoomRemoved;
  /** A membership of one of your rooms changed. Received by every connection of the room's members, the user who caused it included. */
  "room:member": MemberChanged;
  /** A message was stored in one of your rooms. Received by every connection of the room's members, the user who caused it included. */
  "message:receive": MessageData;
  /** A message was edited. Received by every connection of the room's members, the user who caused it included. */
  "message:updated": MessageData;
  /** A message was deleted; this is its tombstone. Received by every connection of the room's members, the user who caused it included. */
  "message:deleted": MessageData;
  /** A member has received or read more of a room. Received by every connection of the room's members, the user who caused it included. */
  "message:ack": Watermarks;
  /** Another member began or ended typing. Received by every connection of the room's members, except those of the user who caused it. */
  "typing": TypingUpdate;
  /** A user with whom you share a small room came online or went offline. Received by every connection of the other users who share a small room with the user concerned. */
  "presence:update": PresenceUpdate;
}

/** A frame that a client sends. The reply or error echoes `ref`. */
export type ClientFrame = {
  [E in keyof ClientEvents]: { event: E; data: ClientEvents[E]["data"]; ref?: string | number };
}[keyof ClientEvents];

/** A frame that the server sends. */
export type ServerFrame =
  | { [E in keyof ServerEvents]: { event: E; data: ServerEvents[E] } }[keyof ServerEvents]
  | { event: "reply"; ref: string | number; data: ClientEvents[keyof ClientEvents]["reply"] }
  | { event: `error:${ErrorData["code"]}`; ref?: string | number; data: ErrorData };
