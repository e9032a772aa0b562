// Draws the store: the list of rooms, the open room and its messages.

import { $, el } from "./dom.js";

const time = (text) => new Date(text).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

function dot(state) {
  return el("span", { class: "quiet" }, state?.online ? " ● online" : " ○ offline");
}

export function drawRooms(store, openId, onOpen) {
  const rooms = [...store.rooms.values()].sort((a, b) => b.lastActivityAt.localeCompare(a.lastActivityAt));
  const drawn = rooms.map((room) => {
    const unread = room.unreadCount ? [el("span", { class: "unread" }, `${room.unreadCount} new`)] : [];
    const presence = room.kind === "direct" ? [dot(store.presence.get(room.to))] : [];
    const current = room.id === openId ? "true" : undefined;
    const open = { type: "button", "data-room": room.id, "aria-current": current, onclick: () => onOpen(room.id) };
    return el("li", {}, el("button", open, store.roomName(room), ...presence, ...unread));
  });
  const focused = document.activeElement?.dataset?.room;
  $("rooms").replaceChildren(...drawn);
  if (focused) $("rooms").querySelector(`[data-room="${focused}"]`)?.focus();
}

export function drawRoom(store, room) {
  $("nothing").hidden = Boolean(room);
  $("room").hidden = !room;
  if (!room) return;
  $("room-name").textContent = store.roomName(room);
  $("add-member").hidden = room.kind === "direct";
  $("members-count").textContent = `${room.members.length} members`;
  $("members").replaceChildren(
    ...room.members.map((member) =>
      el("li", {}, `${store.name(member.userId)}, ${member.role}`, dot(store.presence.get(member.userId))),
    ),
  );
  $("older").hidden = !store.log(room.id).hasMore;
  const typists = [...(store.typing.get(room.id)?.keys() ?? [])].map((id) => store.name(id));
  const typing = typists.length ? `${typists.join(", ")} ${typists.length > 1 ? "are" : "is"} typing…` : "";
  if ($("typing").textContent !== typing) $("typing").textContent = typing;
}

/** Replace only items that changed, so that a screen reader reads new messages and not all of them. */
export function drawMessages(store, room, actions) {
  const list = $("messages");
  const scroll = $("scroll");
  if (list.dataset.room !== room.id) {
    list.dataset.room = room.id;
    list.replaceChildren();
  }
  const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
  const oldHeight = scroll.scrollHeight;
  const firstBefore = list.firstElementChild?.dataset.key;
  const wanted = [
    ...store.messages(room.id).map((message) => [`m${message.seq}`, message]),
    ...[...store.pending].filter(([, one]) => one.roomId === room.id).map(([id, one]) => [`p${id}`, one]),
  ];
  const present = new Map([...list.children].map((item) => [item.dataset.key, item]));
  const keys = new Set(wanted.map(([key]) => key));
  for (const [key, item] of present) if (!keys.has(key)) item.remove();
  let place = list.firstElementChild;
  for (const [key, message] of wanted) {
    const look = JSON.stringify([message, message.seq && message.from === store.me && store.receipt(room, message)]);
    let item = present.get(key);
    if (!item || item.dataset.look !== look) {
      const fresh = drawMessage(store, room, message, actions);
      fresh.dataset.key = key;
      fresh.dataset.look = look;
      if (item === place) place = place?.nextElementSibling ?? null;
      item ? item.replaceWith(fresh) : list.insertBefore(fresh, place);
      item = fresh;
    } else {
      place = item.nextElementSibling;
    }
  }
  if (atEnd) scroll.scrollTop = scroll.scrollHeight;
  else if (firstBefore !== list.firstElementChild?.dataset.key) scroll.scrollTop += scroll.scrollHeight - oldHeight;
}

function drawMessage(store, room, message, actions) {
  if (!message.seq) {
    const content = el("span", { class: "content" }, message.content);
    return el("li", { class: "mine" }, content, " ", el("span", { class: "quiet tick" }, "sending…"));
  }
  const mine = message.from === store.me;
  const deleted = message.type === "deleted";
  const parts = [el("span", { class: "quiet" }, `${store.name(message.from)}, ${time(message.createdAt)}: `)];
  parts.push(el("span", { class: "content" }, deleted ? "deleted" : message.content));
  if (message.editedAt && !deleted) parts.push(el("span", { class: "quiet" }, " (edited)"));
  if (mine) parts.push(" ", el("span", { class: "quiet tick" }, store.receipt(room, message)[1]));
  if (mine && !deleted) {
    const label = message.content.slice(0, 40);
    parts.push(
      " ",
      el("button", { type: "button", "aria-label": `Edit “${label}”`, onclick: () => actions.edit(message) }, "Edit"),
      " ",
      el("button", { type: "button", "aria-label": `Delete “${label}”`, onclick: () => actions.remove(message) }, "Delete"),
    );
  }
  const classes = [mine ? "mine" : "", deleted ? "deleted" : ""].join(" ").trim();
  return el("li", { class: classes || undefined, "data-seq": message.seq }, ...parts);
}
