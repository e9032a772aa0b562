// The console: signs in, connects the page with the client and the store, and draws.

import { ChatClient } from "../chat_client/chat-client.js";
import { prepareCompose, startEdit, stopEdit } from "./compose.js";
import { $, onClick, onSubmit, showError } from "./dom.js";
import { prepareBox, showFrame } from "./frames.js";
import { Store } from "./store.js";
import { drawMessages, drawRoom, drawRooms } from "./view.js";

// In sessionStorage, so that each window can be another user.
const SAVED = "chat-console";

let client;
let store;
let openId;
let drawing = false;

// --- signing in -----------------------------------------------------------------------------------------------

const hooks = {
  onEvent: (event, data) => store.apply(event, data),
  onFrame: showFrame,
  onStatus: showStatus,
  onTokens: () => save(),
};

function save() {
  const { accessToken, refreshToken } = client;
  sessionStorage.setItem(SAVED, JSON.stringify({ accessToken, refreshToken }));
}

function showStatus(status, error) {
  const text = { online: "online", connecting: "connecting…", "signed-out": "signed out" }[status];
  $("status").textContent = text;
  $("status").classList.toggle("online", status === "online");
  if (status === "signed-out") {
    sessionStorage.removeItem(SAVED);
    showError(error);
  }
}

async function enter(made) {
  client = made;
  store = new Store(client, draw);
  await client.start();
  save();
  $("sign-in").hidden = true;
  $("chat").hidden = $("session-buttons").hidden = false;
  const me = await client.rest("GET", "/api/users/me");
  $("me").textContent = me.username;
  document.title = `${me.username} · Chat console`;
  $("direct").elements.username.focus();
}

const origin = location.origin;
onSubmit($("signup"), async (body) => enter(await ChatClient.signup(origin, body, hooks)));
onSubmit($("login"), async ({ email, password }) => enter(await ChatClient.login(origin, email, password, hooks)));
onSubmit($("paste"), ({ accessToken }) => enter(new ChatClient(origin, { ...hooks, accessToken: accessToken.trim() })));
onClick("cut", () => client.drop());
onClick("sign-out", async () => {
  sessionStorage.removeItem(SAVED);
  client.stop();
  if (client.refreshToken) await client.rest("POST", "/api/auth/logout", { refreshToken: client.refreshToken });
  location.reload();
});

// --- drawing --------------------------------------------------------------------------------------------------

function draw() {
  if (drawing) return;
  drawing = true;
  setTimeout(() => {
    drawing = false;
    if (openId && !store.rooms.has(openId)) openId = undefined;
    const room = store.rooms.get(openId);
    drawRooms(store, openId, openRoom);
    drawRoom(store, room);
    if (room) {
      drawMessages(store, room, { edit: startEdit, remove });
      markRead(room);
    }
  }, 0);
}

/** Mark the open room as read while its end is visible. */
function markRead(room) {
  const scroll = $("scroll");
  const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
  if (!room.unreadCount || !atEnd || document.visibilityState !== "visible" || !client.online) return;
  room.unreadCount = 0;
  const ack = { roomId: room.id, seq: room.lastSeq, status: "read" };
  // Try again after the reconnect.
  client.request("message:ack", ack).catch(() => (room.unreadCount = 1));
}

async function openRoom(roomId) {
  try {
    await store.open(roomId);
    openId = roomId;
    stopEdit();
    draw();
    setTimeout(() => {
      $("scroll").scrollTop = $("scroll").scrollHeight;
      $("content").focus();
      draw();
    }, 0);
  } catch (error) {
    showError(error);
  }
}

$("scroll").addEventListener("scroll", () => {
  if ($("scroll").scrollTop < 40 && openId && store.log(openId).hasMore) store.older(openId).catch(showError);
  draw();
});
document.addEventListener("visibilitychange", () => store && draw());
onClick("older", () => store.older(openId));

// --- rooms ----------------------------------------------------------------------------------------------------

async function userId(username) {
  const page = await client.rest("GET", `/api/users?search=${encodeURIComponent(username)}`);
  const found = page.results.find((user) => user.username.toLowerCase() === username.toLowerCase());
  if (!found) throw new Error(`There is no user ${username}.`);
  return found.id;
}

onSubmit($("direct"), async ({ username }) => {
  const room = await client.rest("POST", "/api/rooms/direct", { userId: await userId(username.trim()) });
  $("direct").reset();
  await openRoom(room.id);
});
onSubmit($("group"), async ({ name, members }) => {
  const memberIds = await Promise.all(members.split(/[\s,]+/).filter(Boolean).map(userId));
  const room = await client.rest("POST", "/api/rooms", { name, memberIds });
  $("group").reset();
  await openRoom(room.id);
});
onSubmit($("add-member"), async ({ username }) => {
  await client.rest("POST", `/api/rooms/${openId}/members`, { userId: await userId(username.trim()) });
  $("add-member").reset();
});
onClick("leave", () => client.rest("DELETE", `/api/rooms/${openId}/members/${client.userId}`));

// --- writing --------------------------------------------------------------------------------------------------

prepareCompose({
  request: (event, data) => client.request(event, data),
  send: (content) => store.send(openId, content),
  openId: () => openId,
});

function remove(message) {
  client.request("message:delete", { roomId: message.roomId, messageId: message.id }).catch(showError);
}

// --- start ----------------------------------------------------------------------------------------------------

prepareBox((event, data) => client.request(event, data), () => openId).catch(showError);
const saved = sessionStorage.getItem(SAVED);
if (saved) enter(new ChatClient(origin, { ...hooks, ...JSON.parse(saved) })).catch(showError);
