// The box for writing: sends and edits messages, and reports that the user is typing.

import { $, onClick, showError } from "./dom.js";

const TYPING_EVERY_MS = 3000;

let chat;
let editing;
let typedAt = 0;

/** Listen to the box. `chat` has `request(event, data)`, `send(content)` and `openId()`, the id of the open room. */
export function prepareCompose(given) {
  chat = given;
  $("compose").addEventListener("submit", submit);
  $("content").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      $("compose").requestSubmit();
    } else if (event.key === "Escape") {
      stopEdit();
    }
  });
  $("content").addEventListener("input", () => typing($("content").value !== ""));
  onClick("cancel-edit", stopEdit);
}

async function submit(event) {
  event.preventDefault();
  const content = $("content").value;
  if (!content.trim()) return;
  const message = editing;
  $("content").value = "";
  stopEdit();
  typing(false);
  try {
    if (message) await chat.request("message:edit", { roomId: message.roomId, messageId: message.id, content });
    else await chat.send(content);
  } catch (error) {
    $("content").value ||= content;
    showError(error);
  }
}

/** Report typing every few seconds, and its end at once. A lost report does no harm. */
function typing(isTyping) {
  if (isTyping ? Date.now() - typedAt < TYPING_EVERY_MS : !typedAt) return;
  typedAt = isTyping ? Date.now() : 0;
  chat.request("typing", { roomId: chat.openId(), isTyping }).catch(() => {});
}

/** Put a message into the box, to be saved instead of sent. */
export function startEdit(message) {
  editing = message;
  $("content").value = message.content;
  $("compose-label").textContent = "Edit your message";
  $("send").textContent = "Save";
  $("cancel-edit").hidden = false;
  $("content").focus();
}

/** Return to writing a new message. */
export function stopEdit() {
  if (editing) $("content").value = "";
  editing = undefined;
  $("compose-label").textContent = "Message";
  $("send").textContent = "Send";
  $("cancel-edit").hidden = true;
}
