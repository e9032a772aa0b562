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
const ANSWER_MS = 15_000;
// A browser does not report a lost network; an unanswered ping shows it.
const PING_MS = 25_000;
// Deliveries of this period share one message:ack for each room.
const ACK_MS = 250;
const CLOSE_MS = 200;
const MAX_WAITING_EVENTS = 2000;
const HISTORY_PAGE = 200;
const RESUME_ROOMS = 1000;
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

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const jitter = (ms) => Math.random() * ms;
const newId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

async function checked(answer) {
  const body = await answer.json().catch(() => null);
  if (answer.ok) return body;
  throw new ChatError(
    body?.error ?? { code: "internal", message: `HTTP ${answer.status} without an error of the chat server` },
  );
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
    this._WebSocket = options.WebSocket ?? globalThis.WebSocket;
    this._url = `${this.baseUrl.replace(/^http/, "ws")}/ws/chat/?deviceId=${options.deviceId ?? newId()}`;
    this._seen = { ...options.state?.rooms };
    // Ahead of `_seen` by the messages that wait in `_events`.
    this._received = { ...this._seen };
    // A server time; edits and deletions made later may be unknown.
    this._since = options.state?.since ?? "";
    this._gaps = new Set();
    this._events = [];
    this._answers = new Map();
    this._timers = new Set();
    this._toAck = new Map();
    this._lastRef = 0;
    this._waiters = [];
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
    const headers = { "Content-Type": "application/json" };
    const url = baseUrl.replace(/\/$/, "") + path;
    const session = await checked(await fetch(url, { method: "POST", headers, body: JSON.stringify(body) }));
    return new ChatClient(baseUrl, { ...options, ...session });
  }

  /** Connect; resolves when the client is ready. Rejects with SignedOut if it cannot become ready. */
  start() {
    this._stopped = false;
    this._ended = undefined;
    this._run().catch((error) => {
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
  async send(message) {
    const data = { clientMessageId: newId(), ...message };
    for (let delay = FIRST_DELAY_MS; ; delay = Math.min(delay * 2, MAX_DELAY_MS)) {
      let wait = jitter(delay);
      try {
        return await this.request("message:send", data);
      } catch (error) {
        if (error instanceof ChatError && TEMPORARY.has(error.code)) wait += (error.retryAfter ?? 0) * 1000;
        else if (!(error instanceof ConnectionLost) || this._stopped) throw error;
      }
      await sleep(wait);
    }
  }

  /** Send a frame; resolves with the data of its reply. Rejects with ChatError, ConnectionLost, SignedOut. */
  async request(event, data = {}) {
    await this.whenReady();
    return this._ask(event, data);
  }

  /** Call the REST API as this user; an expired access token is renewed first. Rejects with ChatError, SignedOut. */
  async rest(method, path, body) {
    const call = () =>
      fetch(this.baseUrl + path, {
        method,
        headers: {
          Authorization: `Bearer ${this.accessToken}`,
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    const token = this.accessToken;
    let answer = await call();
    if (answer.status === 401 && this.refreshToken) {
      await this._refresh(token);
      answer = await call();
    }
    return checked(answer);
  }

  // --- the connection -----------------------------------------------------------------------------------------

  async _run() {
    let attempt = 0;
    while (!this._stopped) {
      this.onStatus("connecting");
      const token = this.accessToken;
      const code = await this._connection();
      attempt = this.online ? 1 : attempt + 1;
      this._lost();
      if (this._stopped) return;
      if (code === 4403) throw new SignedOut("this account is deactivated");
      if (code === 4401) await this._refreshWhenPossible(token);
      if (code === 4429) attempt += 4;
      // Jitter: when a server restarts, its clients must not all return at the same moment.
      await sleep(jitter(Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt)));
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
      this._hangUp = () => {
        socket.onmessage = socket.onclose = null;
        socket.close();
        resolve(0);
      };
    });
  }

  _take(frame) {
    this.onFrame("in", frame);
    if (frame.event === "ready") this._begin(frame.data);
    const answer = this._answers.get(frame.ref);
    if (answer === undefined) {
      this._receive(frame.event, frame.data);
    } else if (frame.event === "reply") {
      answer.resolve(frame.data);
    } else {
      answer.reject(new ChatError(frame.data));
    }
  }

  _begin(ready) {
    this.userId = ready.userId;
    this.online = true;
    this.onStatus("online");
    if (this._since) {
      // A reconnect: every room may have missed messages.
      this._markGaps(...Object.keys(ready.rooms));
    } else {
      this._seen = { ...ready.rooms };
      this._received = { ...ready.rooms };
      this._since = ready.serverTime;
    }
    this._answerWaiters();
    this._renewTokenAfter(ready.expiresAt, ready.serverTime);
    this._every(PING_MS, () => this._ask("ping", {}));
  }

  _lost() {
    this.online = false;
    for (const timer of this._timers) clearTimeout(timer);
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
      const timer = setTimeout(() => reject(new ConnectionLost("no answer in time")), ANSWER_MS);
      const finish = (how) => (value) => {
        clearTimeout(timer);
        this._answers.delete(ref);
        how(value);
      };
      this._answers.set(ref, { resolve: finish(resolve), reject: finish(reject) });
      if (!this._write({ event, data, ref })) {
        this._answers.get(ref).reject(new ConnectionLost("there is no connection"));
      }
    });
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
    const timer = setTimeout(() => {
      this._timers.delete(timer);
      Promise.resolve(work()).catch(() => this.drop());
    }, ms);
    this._timers.add(timer);
    return timer;
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
    if (this._events.length >= MAX_WAITING_EVENTS) {
      // The application is slow: read the rest from the log later.
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
    } else if (event === "room:added") {
      this._adopt(data);
    }
    this._events.push([event, data]);
    this._deliver();
  }

  /** Count a new room from the point where the user joined. Later messages may have been missed. */
  _adopt(room) {
    this._received[room.id] ??= room.lastSeq - room.unreadCount;
    if (room.lastSeq > this._received[room.id]) this._markGaps(room.id);
  }

  async _deliver() {
    if (this._delivering) return;
    this._delivering = true;
    while (this._events.length) {
      const [event, data] = this._events[0];
      try {
        await this.onEvent(event, data);
      } catch (error) {
        console.error(`onEvent failed for ${event}`, error);
      }
      this._events.shift();
      if (event === "message:receive") {
        this._seen[data.roomId] = data.seq;
        if (data.from !== this.userId) this._acknowledge(data.roomId, data.seq);
      } else if (event === "room:removed") {
        delete this._seen[data.roomId];
        delete this._received[data.roomId];
      }
    }
    this._delivering = false;
    if (this._gaps.size) this._closeGaps();
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

  /** Close the gaps, one resume at a time. While many events wait, `_deliver` calls it again at the end. */
  async _closeGaps() {
    if (this._closing) return;
    this._closing = true;
    try {
      while (this._gaps.size && this.online && this._events.length <= MAX_WAITING_EVENTS / 2) {
        const rooms = [...this._gaps].slice(0, RESUME_ROOMS);
        for (const room of rooms) {
          // Joined while away.
          if (!(room in this._received)) this._adopt(await this.rest("GET", `/api/rooms/${room}`));
        }
        for (const room of rooms) this._gaps.delete(room);
        const wanted = Object.fromEntries(rooms.map((room) => [room, this._received[room]]));
        const reply = await this._ask("resume", { rooms: wanted, since: this._since });
        this._since = reply.serverTime;
        for (const [room, answer] of Object.entries(reply.rooms)) {
          if (!answer.complete) await this._readHistory(room);
        }
      }
    } catch {
      // The next connection resumes every room.
      this.drop();
    } finally {
      this._closing = false;
    }
  }

  /** Read history from the last received seq on, for a gap that is too large for a resume. */
  async _readHistory(room) {
    let more = true;
    while (more && this._events.length < MAX_WAITING_EVENTS) {
      const query = `after=${this._received[room]}&limit=${HISTORY_PAGE}`;
      const page = await this.rest("GET", `/api/rooms/${room}/messages?${query}`);
      more = page.hasMore;
      // Messages up to this seq can no longer be read.
      const archived = (page.firstSeq ?? 1) - 1;
      this._received[room] = Math.max(this._received[room], archived);
      for (const message of page.results) this._receive("message:receive", message);
    }
    if (more) this._gaps.add(room);
  }

  // --- tokens -------------------------------------------------------------------------------------------------

  /** Renew the access token after four fifths of its life, and send it on the connection (`auth:refresh`). */
  _renewTokenAfter(expiresAt, serverTime) {
    if (!this.refreshToken) return;
    const leftMs = Date.parse(expiresAt) - Date.parse(serverTime);
    this._after(Math.max(500, leftMs * 0.8), async () => {
      await this._refresh(this.accessToken);
      const renewed = await this._ask("auth:refresh", { token: this.accessToken });
      this._renewTokenAfter(renewed.expiresAt, (await this._ask("ping", {})).serverTime);
    });
  }

  /** Renew the access token `old`, once: using a refresh token twice looks like theft and ends the session. */
  _refresh(old) {
    // Another call has renewed the token.
    if (this.accessToken !== old) return Promise.resolve();
    this._refreshing ??= this._useRefreshToken().finally(() => (this._refreshing = undefined));
    return this._refreshing;
  }

  async _useRefreshToken() {
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ refreshToken: this.refreshToken });
    const answer = await fetch(`${this.baseUrl}/api/auth/refresh`, { method: "POST", headers, body });
    try {
      Object.assign(this, await checked(answer));
    } catch (error) {
      throw TEMPORARY.has(error.code) ? error : new SignedOut(error.message);
    }
    this.onTokens({ accessToken: this.accessToken, refreshToken: this.refreshToken });
  }

  async _refreshWhenPossible(old) {
    if (!this.refreshToken) throw new SignedOut("the access token has ended, and there is no refresh token");
    for (;;) {
      try {
        return await this._refresh(old);
      } catch (error) {
        if (error instanceof SignedOut) throw error;
        await sleep(FIRST_DELAY_MS + jitter(MAX_DELAY_MS));
      }
    }
  }
}
