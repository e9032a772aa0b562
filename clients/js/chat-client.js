/**
 * ChatClient: the connection of one user, which reconnects by itself, for browsers and Node.
 *
 * It is one file without packages and without a build, so that a page can import it as it is and an application can
 * copy it. It reconnects with jitter, resumes, drops repeated messages, keeps each room in order and renews its tokens.
 * docs/protocol.md explains each rule; ../python/ is the same client in Python. Node before 22 needs
 * `node --experimental-websocket`, or the option `WebSocket`.
 */

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;
// A browser does not report a lost network, so every wait for the server has an end. Options replace these.
const TIMEOUTS = { readyMs: 15_000, answerMs: 15_000, pingMs: 25_000 };
// setTimeout fires at once for more.
const MAX_TIMER_MS = 2 ** 31 - 1;
const MAX_TOKEN_AGE_MS = 24 * 3600 * 1000;
// Deliveries of this period share one message:ack for each room.
const ACK_MS = 250;
const CLOSE_MS = 200;
const MAX_WAITING_EVENTS = 2000;
const HISTORY_PAGE = 200;
const RESUME_ROOMS = 1000;
// The part of a `resume` frame that one room takes: id, seq and punctuation.
const RESUME_ROOM_BYTES = 64;
// In the queue of events: all changes up to this time are before it.
const CAUGHT_UP = Symbol("caught up");
const TEMPORARY = new Set(["rate_limited", "overloaded", "unavailable", "internal"]);

/** The server refused a request. docs/errors.md describes `code`, `fields`, `retryAfter` (seconds) and `requestId`. */
export class ChatError extends Error {
  constructor(error) {
    super(`${error.code}: ${error.message}`);
    Object.assign(this, { name: "ChatError", fields: {}, ...error, message: this.message });
  }
}

/** The connection ended before the answer came. It is not known whether the request took effect. */
export class ConnectionLost extends Error {}

/** The session or the account has ended. The user has to log in again. */
export class SignedOut extends Error {}

const timer = (work, ms) => setTimeout(work, Math.min(ms, MAX_TIMER_MS));
const sleep = (ms) => new Promise((resolve) => timer(resolve, ms));
const backoff = (attempt) => Math.random() * Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt);
const isTemporary = (error) => TEMPORARY.has(error.code);
const newId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Repeat `work` while it fails with an error that `passes`, waiting longer each time and at least `retryAfter`. */
async function patiently(work, passes = isTemporary) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!passes(error)) throw error;
      await sleep(backoff(attempt) + 1000 * (error.retryAfter ?? 0));
    }
  }
}

/** One call of the REST API. Rejects with ChatError, or with ConnectionLost if no whole answer comes in time. */
async function call(url, { method = "POST", body, token, answerMs }) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer, text;
  try {
    const signal = AbortSignal.timeout(answerMs);
    answer = await fetch(url, { method, headers, body: body === undefined ? body : JSON.stringify(body), signal });
    text = await answer.text();
  } catch (error) {
    throw new ConnectionLost(`no answer: ${error.message}`);
  }
  if (answer.ok) return text ? JSON.parse(text) : null;
  throw new ChatError(
    parsed(text)?.error ?? { code: "internal", message: `HTTP ${answer.status} without an error of the chat server` },
  );
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export class ChatClient {
  /**
   * Options:
   * - `accessToken`, `refreshToken`.
   * - `onEvent(event, data)` gets every server event, one after the other, each message once and in the order of its
   *   room. It may be async.
   * - `onFrame("in" | "out", frame)` sees every frame.
   * - `onStatus("connecting" | "online" | "signed-out")`.
   * - `onTokens({accessToken, refreshToken})` is called after each renewal.
   * - `state` is the `client.state` of an earlier run, to continue from there.
   * - `deviceId` names the device; it is random by default. `WebSocket` replaces the global class.
   * - `timeouts: {readyMs, answerMs, pingMs}`: how long to wait for `ready` and for an answer, and between pings.
   */
  constructor(baseUrl, options) {
    const nothing = () => {};
    const { onEvent = nothing, onFrame = nothing, onStatus = nothing, onTokens = nothing } = options;
    Object.assign(this, { onEvent, onFrame, onStatus, onTokens });
    this.baseUrl = baseUrl.replace(/\/$/, "");
    this.accessToken = options.accessToken;
    this.refreshToken = options.refreshToken ?? "";
    this.user = options.user ?? null;
    this.userId = "";
    this.online = false;
    this._timeouts = { ...TIMEOUTS, ...options.timeouts };
    this._WebSocket = options.WebSocket ?? globalThis.WebSocket;
    this._url = `${this.baseUrl.replace(/^http/, "ws")}/ws/chat/?deviceId=${options.deviceId ?? newId()}`;
    this._seen = { ...options.state?.rooms };
    // Ahead of `_seen` by the messages that wait in `_events`.
    this._received = { ...this._seen };
    // A server time; edits and deletions made later may be unknown.
    this._since = options.state?.since ?? "";
    this._gaps = new Set();
    // Whether the connection is not the first, and the rooms that it has named so far.
    this._returns = false;
    this._listed = new Set();
    this._events = [];
    this._answers = new Map();
    this._timers = new Set();
    this._toAck = new Map();
    this._lastRef = 0;
    this._waiters = [];
    this._progress = 0;
    this._maxFrameBytes = Infinity;
    this._stopped = false;
  }

  /** Create an account; resolves with its client. `body` is {username, email, password, displayName?}. */
  static signup(baseUrl, body, options = {}) {
    return ChatClient._open(baseUrl, "/api/auth/signup", body, options);
  }

  /** Log in; resolves with the client. */
  static login(baseUrl, email, password, options = {}) {
    return ChatClient._open(baseUrl, "/api/auth/login", { email, password }, options);
  }

  static async _open(baseUrl, path, body, options) {
    const { answerMs } = { ...TIMEOUTS, ...options.timeouts };
    const session = await call(baseUrl.replace(/\/$/, "") + path, { body, answerMs });
    return new ChatClient(baseUrl, { ...options, ...session });
  }

  /** Connect; resolves when the client is ready. Rejects with SignedOut if it cannot become ready. */
  start() {
    this._stopped = false;
    this._ended = this._refused = undefined;
    this._run().catch((error) => {
      if (this._stopped) return;
      this._ended = error;
      this.onStatus("signed-out", error);
      this._answerWaiters();
    });
    return this.whenReady();
  }

  /** Close the connection for good. Requests that wait for an answer reject with ConnectionLost. */
  stop() {
    this._stopped = true;
    this._ended = new ConnectionLost("stopped");
    this.drop();
    this._answerWaiters();
  }

  /** Resolves when the client is connected. Rejects with SignedOut, or ConnectionLost after `stop`. */
  whenReady() {
    if (this.online) return Promise.resolve();
    if (this._ended) return Promise.reject(this._ended);
    return new Promise((resolve, reject) => this._waiters.push({ resolve, reject }));
  }

  /** An object for JSON that says how far `onEvent` has come. Store it, and pass it to a later run. */
  get state() {
    return { rooms: { ...this._seen }, since: this._since };
  }

  /** Cut the connection, as a lost network does. The client reconnects and resumes. */
  drop() {
    this._hangUp?.();
  }

  // --- requests -----------------------------------------------------------------------------------------------

  /**
   * Send a message, `{roomId | toUserId, content, type?, replyTo?, meta?, clientMessageId?}`, trying again until the
   * server has stored it; resolves with that reply. Each attempt has the same clientMessageId, so the message is
   * stored once. Rejects with SignedOut, with a ChatError that is not temporary, or after `stop`.
   */
  send(message) {
    const data = { clientMessageId: newId(), ...message };
    return patiently(
      () => this.request("message:send", data),
      (error) => isTemporary(error) || (error instanceof ConnectionLost && !this._stopped),
    );
  }

  /** Send a frame; resolves with the data of its reply. Rejects with ChatError, ConnectionLost, SignedOut. */
  async request(event, data = {}) {
    await this.whenReady();
    return this._ask(event, data);
  }

  /**
   * Call the REST API as this user; an expired access token is renewed first. Rejects with ChatError, SignedOut, and
   * ConnectionLost if no answer comes in time.
   */
  async rest(method, path, body) {
    const ask = (token) => call(this.baseUrl + path, { method, body, token, answerMs: this._timeouts.answerMs });
    const token = this.accessToken;
    try {
      return await ask(token);
    } catch (error) {
      if (!["unauthenticated", "token_expired"].includes(error.code) || !this.refreshToken) throw error;
    }
    await this._refresh(token);
    return ask(this.accessToken);
  }

  // --- the connection -----------------------------------------------------------------------------------------

  async _run() {
    let attempt = 0;
    while (!this._stopped) {
      this.onStatus("connecting");
      const token = this.accessToken;
      this._healthy = false;
      const code = await this._connection();
      attempt = this._healthy ? 1 : attempt + 1;
      this._lost();
      if (this._stopped) return;
      if (this._refused) throw this._refused;
      if (code === 4403) throw new SignedOut("this account is deactivated");
      if (code === 4401) await this._refreshWhenPossible(token);
      if (code === 4429) attempt += 4;
      // Jitter: when a server restarts, its clients must not all return at the same moment.
      await sleep(backoff(attempt));
    }
  }

  /** One connection from the handshake to its end; resolves with the close code, 0 if there was none. */
  _connection() {
    return new Promise((resolve) => {
      const socket = new this._WebSocket(this._url, ["chat.v1", `bearer.${this.accessToken}`]);
      this._socket = socket;
      socket.onmessage = ({ data }) => this._take(JSON.parse(data));
      socket.onclose = ({ code }) => resolve(code);
      // A close event should follow; in Node 20 it may not.
      socket.onerror = () => setTimeout(resolve, CLOSE_MS, 0);
      // The close event of a silent network comes late or never: do not wait for it.
      this._hangUp = () => {
        socket.onmessage = socket.onclose = null;
        socket.close();
        resolve(0);
      };
      this._after(this._timeouts.readyMs, () => this.online || this.drop());
    });
  }

  /** Replace the connection, because something on it failed. If that goes on, the delays grow. */
  _fail() {
    this._healthy = false;
    this.drop();
  }

  _take(frame) {
    this.onFrame("in", frame);
    if (frame.event === "ready") this._begin(frame.data);
    else if (frame.event === "ready:rooms") this._list(frame.data);
    const answer = this._answers.get(frame.ref);
    if (answer !== undefined) {
      frame.event === "reply" ? answer.resolve(frame.data) : answer.reject(new ChatError(frame.data));
    } else if ((frame.ref ?? null) === null) {
      // The server could not read a frame, nor its ref: this may be the answer to any request.
      if (frame.event === "error:invalid") this._unread = frame.data;
      this._receive(frame.event, frame.data);
    }
  }

  _begin(ready) {
    this.userId = ready.userId;
    this.online = this._healthy = true;
    this._maxFrameBytes = ready.limits.maxFrameBytes;
    this.onStatus("online");
    this._returns = Boolean(this._since);
    this._listed.clear();
    if (!this._returns) [this._seen, this._received, this._since] = [{}, {}, ready.serverTime];
    this._list({ rooms: ready.rooms, more: ready.moreRooms });
    this._answerWaiters();
    this._renewTokenAfter(ready.expiresAt, ready.serverTime);
    this._every(this._timeouts.pingMs, () => this._ping());
  }

  /** Take rooms of `ready` or of a later `ready:rooms`. After the last, rooms that none had are not the user's any more. */
  _list({ rooms, more }) {
    for (const room of Object.keys(rooms)) this._listed.add(room);
    if (!this._returns) {
      this._seen = { ...rooms, ...this._seen };
      this._received = { ...rooms, ...this._received };
    } else if (more) {
      // A reconnect: every room may have missed messages.
      this._markGaps(...Object.keys(rooms));
    } else {
      for (const room of Object.keys(this._received)) if (!this._listed.has(room)) this._forget(room);
      // Those of the first parts again: changes are known up to a time only if all rooms are asked at once.
      this._markGaps(...this._listed);
    }
  }

  _lost() {
    this.online = false;
    for (const waiting of this._timers) clearTimeout(waiting);
    this._timers.clear();
    this._ackTimer = undefined;
    for (const { reject } of this._answers.values()) reject(new ConnectionLost("the connection was lost"));
  }

  _answerWaiters() {
    for (const { resolve, reject } of this._waiters.splice(0)) this.online ? resolve() : reject(this._ended);
  }

  _ask(event, data) {
    return new Promise((resolve, reject) => {
      const ref = ++this._lastRef;
      const unread = this._unread;
      const timeout = timer(() => {
        const refused = this._unread !== unread;
        answer.reject(refused ? new ChatError(this._unread) : new ConnectionLost("no answer in time"));
      }, this._timeouts.answerMs);
      const finish = (how) => (value) => {
        clearTimeout(timeout);
        this._answers.delete(ref);
        how(value);
      };
      const answer = { resolve: finish(resolve), reject: finish(reject) };
      this._answers.set(ref, answer);
      const frame = { event, data, ref };
      if (this._isTooLarge(frame)) {
        answer.reject(new ChatError({ code: "too_large", message: `A frame of ${event} is too large to send.` }));
      } else if (!this._write(frame)) {
        answer.reject(new ConnectionLost("there is no connection"));
      }
    });
  }

  /** The server would close the connection (1009), and again after each attempt. */
  _isTooLarge(frame) {
    return new TextEncoder().encode(JSON.stringify(frame)).length > this._maxFrameBytes;
  }

  /** Any answer shows that the connection lives, also a refusal. Resolves with the server's time, if it said it. */
  async _ping() {
    return (await patiently(() => this._ask("ping", {}))).serverTime;
  }

  /** Send a frame as it is. Returns false if there is no connection. */
  _write(frame) {
    if (!this.online || this._socket.readyState !== 1) return false;
    this.onFrame("out", frame);
    this._socket.send(JSON.stringify(frame));
    return true;
  }

  /** Run `work` after `ms` if this connection still lives. If it fails, the connection is replaced by a new one. */
  _after(ms, work) {
    const socket = this._socket;
    const waiting = timer(async () => {
      this._timers.delete(waiting);
      try {
        await work();
      } catch {
        if (socket === this._socket) this._fail();
      }
    }, ms);
    this._timers.add(waiting);
    return waiting;
  }

  _every(ms, work) {
    this._after(ms, async () => {
      await work();
      this._every(ms, work);
    });
  }

  // --- order and completeness ---------------------------------------------------------------------------------

  /** Queue an event for the application. A message is queued only if it is the next of its room. */
  _receive(event, data) {
    // What a resume sends has the server's own bound, and dropping it would only bring it again.
    if (this._events.length >= MAX_WAITING_EVENTS && !this._resuming) {
      // The application is slow: read the rest from the log later.
      this._dropped = true;
      this._markGaps(...Object.keys(this._received));
      return;
    }
    if (event === "message:receive") {
      const { roomId, seq } = data;
      const received = this._received[roomId];
      // The resume brings the missing messages and this one again, also in a room joined while away.
      if (received === undefined || seq > received + 1) this._markGaps(roomId);
      if (seq !== received + 1) return;
      this._received[roomId] = seq;
      this._progress += 1;
    } else if (event === "room:added") {
      this._adopt(data);
    } else if (event === "room:removed") {
      this._forget(data.roomId);
    }
    this._queue(event, data);
  }

  /** Count a new room from the point where the user joined. Later messages may have been missed. */
  _adopt(room) {
    this._listed.add(room.id);
    this._received[room.id] ??= room.lastSeq - room.unreadCount;
    if (room.lastSeq > this._received[room.id]) this._markGaps(room.id);
  }

  /** The room is not the user's any more. */
  _forget(room) {
    delete this._seen[room];
    delete this._received[room];
    this._gaps.delete(room);
    this._listed.delete(room);
    this._toAck.delete(room);
  }

  _queue(event, data) {
    this._events.push([event, data]);
    if (!this._busy) this._delivering = this._deliver();
  }

  async _deliver() {
    this._busy = true;
    while (this._events.length) {
      const [event, data] = this._events[0];
      try {
        if (event !== CAUGHT_UP) await this.onEvent(event, data);
      } catch (error) {
        console.error(`onEvent failed for ${event}`, error);
      }
      this._events.shift();
      if (event === CAUGHT_UP) {
        this._since = data;
      } else if (event === "message:receive" && data.roomId in this._received) {
        this._seen[data.roomId] = data.seq;
        if (data.from !== this.userId) this._acknowledge(data.roomId, data.seq);
      } else if (event === "room:reset") {
        this._seen[data.roomId] = data.lastSeq;
        this._toAck.delete(data.roomId);
      }
    }
    this._busy = false;
  }

  /** Report a delivered message to the server, so that its sender sees it. */
  _acknowledge(roomId, seq) {
    this._toAck.set(roomId, seq);
    this._ackTimer ??= this._after(ACK_MS, () => {
      this._ackTimer = undefined;
      for (const [room, last] of this._toAck) {
        this._write({ event: "message:ack", data: { roomId: room, seq: last, status: "delivered" } });
      }
      this._toAck.clear();
    });
  }

  _markGaps(...rooms) {
    for (const room of rooms) this._gaps.add(room);
    this._closeGaps();
  }

  /** Close the gaps, one resume at a time. */
  async _closeGaps() {
    if (this._closing) return;
    this._closing = true;
    for (let idle = 0; this._gaps.size && this.online; ) {
      const [socket, progress] = [this._socket, this._progress];
      try {
        await this._catchUp();
      } catch {
        // The next connection resumes every room.
        if (socket === this._socket) {
          this._fail();
          break;
        }
      }
      idle = this._progress > progress ? 0 : idle + 1;
      if (this._gaps.size) await sleep(idle && backoff(idle));
    }
    this._closing = false;
  }

  /** Ask once for the messages and changes that the rooms with gaps have missed. */
  async _catchUp() {
    const rooms = [...this._gaps];
    const all = Object.keys(this._received).every((room) => this._gaps.has(room));
    const size = Math.min(RESUME_ROOMS, Math.ceil(this._maxFrameBytes / RESUME_ROOM_BYTES));
    const times = [];
    this._dropped = false;
    while (rooms.length) times.push(await this._resume(rooms.splice(0, size)));
    // Only now are the changes of all rooms known, up to this time; those of a part are no reason to forget the rest.
    if (all && !this._dropped) this._queue(CAUGHT_UP, times.sort()[0]);
  }

  /** Resume these rooms until the server has sent all changes; resolves with the time up to which that is so. */
  async _resume(rooms) {
    // Joined while away.
    for (const room of rooms) if (!(room in this._received)) await this._ofRoom(room, "", (data) => this._adopt(data));
    for (const room of rooms) this._gaps.delete(room);
    let [since, more] = [this._since, true];
    while (more) {
      await this._drained();
      const mine = rooms.filter((room) => room in this._received);
      if (!mine.length) break;
      const wanted = Object.fromEntries(mine.map((room) => [room, this._received[room]]));
      const reply = await this._replayed({ rooms: wanted, since });
      ({ serverTime: since, more = false } = reply);
      for (const room of mine) if (!(room in reply.rooms)) this._forget(room);
      for (const [room, answer] of Object.entries(reply.rooms)) {
        if (answer.reset) this._reset(room, answer.lastSeq);
        // A log with a hole is not complete, whatever the answer says. A page goes on behind the hole.
        else if (!answer.complete || answer.through > this._received[room]) await this._readHistory(room);
      }
    }
    return since;
  }

  async _replayed(data) {
    this._resuming = true;
    try {
      return await patiently(() => this._ask("resume", data));
    } finally {
      this._resuming = false;
    }
  }

  /** The server has an older log of this room, from a backup: begin the room anew. */
  _reset(room, lastSeq) {
    this._received[room] = lastSeq;
    this._queue("room:reset", { roomId: room, lastSeq });
  }

  /** Read history from the last received seq on, for a gap that is too large for a resume. */
  async _readHistory(room) {
    for (let more = true; more && room in this._received; ) {
      await this._drained();
      const query = `?after=${this._received[room]}&limit=${HISTORY_PAGE}`;
      more = await this._ofRoom(room, `/messages${query}`, ({ results, firstSeq = 1, hasMore }) => {
        // Messages before the first one of the page can no longer be read.
        const unavailable = (results[0]?.seq ?? firstSeq) - 1;
        this._received[room] = Math.max(this._received[room], unavailable);
        for (const message of results) this._receive("message:receive", message);
        return hasMore && results.length > 0;
      });
    }
  }

  /** GET a path of a room and `use` the answer, unless the room is not the user's any more: then forget it. */
  async _ofRoom(room, path, use) {
    try {
      const data = await patiently(() => this.rest("GET", `/api/rooms/${room}${path}`));
      if (!path || room in this._received) return use(data);
    } catch (error) {
      if (error.code !== "not_found") throw error;
      this._forget(room);
    }
  }

  /** Wait for a slow application. */
  async _drained() {
    if (this._events.length > MAX_WAITING_EVENTS / 2) await this._delivering;
  }

  // --- tokens -------------------------------------------------------------------------------------------------

  /** Renew the access token after four fifths of its life, a day at most, and send it on the connection. */
  _renewTokenAfter(expiresAt, serverTime) {
    if (!this.refreshToken) return;
    const leftMs = Date.parse(expiresAt) - Date.parse(serverTime);
    this._after(Math.max(500, Math.min(leftMs * 0.8, MAX_TOKEN_AGE_MS)), async () => {
      await patiently(() => this._refresh(this.accessToken));
      const renewed = await patiently(() => this._ask("auth:refresh", { token: this.accessToken }));
      this._renewTokenAfter(renewed.expiresAt, await this._ping());
    });
  }

  /** Renew the access token `old`, once: a refresh token that is used again later looks like theft. */
  _refresh(old) {
    // Another call has renewed the token.
    if (this.accessToken !== old) return Promise.resolve();
    this._refreshing ??= this._useRefreshToken().finally(() => (this._refreshing = undefined));
    return this._refreshing;
  }

  async _useRefreshToken() {
    const [url, body] = [`${this.baseUrl}/api/auth/refresh`, { refreshToken: this.refreshToken }];
    const ask = () => call(url, { body, answerMs: this._timeouts.answerMs });
    // A lost answer is asked for again at once: the server gives the same new pair again for a short time only.
    const askAgain = (error) => (error instanceof ConnectionLost ? ask() : Promise.reject(error));
    try {
      Object.assign(this, await ask().catch(askAgain));
    } catch (error) {
      if (isTemporary(error) || error instanceof ConnectionLost) throw error;
      this._refused = new SignedOut(error.message);
      this.drop();
      throw this._refused;
    }
    this.onTokens({ accessToken: this.accessToken, refreshToken: this.refreshToken });
  }

  /** Refresh again and again until the server answers. */
  _refreshWhenPossible(old) {
    if (!this.refreshToken) throw new SignedOut("the access token has ended, and there is no refresh token");
    return patiently(() => this._refresh(old), (error) => !(error instanceof SignedOut) && !this._stopped);
  }
}
