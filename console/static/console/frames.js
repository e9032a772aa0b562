// The list of all frames as JSON, and the box that sends any event.

import { $, el, onSubmit } from "./dom.js";

const MAX_FRAMES = 300;

/** Add a frame to the list. `direction` is "in" or "out". Tokens are hidden. */
export function showFrame(direction, frame) {
  const data = frame.event === "auth:refresh" ? { token: "…" } : frame.data;
  const arrow = direction === "out" ? "→" : "←";
  const ref = frame.ref === undefined ? "" : ` #${frame.ref}`;
  const summary = el("summary", {}, `${arrow} ${frame.event}${ref}`);
  $("frames").prepend(el("li", {}, el("details", {}, summary, el("pre", {}, JSON.stringify(data, null, 2)))));
  while ($("frames").children.length > MAX_FRAMES) $("frames").lastElementChild.remove();
}

/** Fill the box with the events of the server's AsyncAPI document, and their fields as a template. */
export async function prepareBox(send, currentRoomId) {
  const form = $("raw");
  const document_ = await (await fetch("/docs/asyncapi.json")).json();
  const requests = new Map();
  for (const [key, message] of Object.entries(document_.channels.chat.messages)) {
    if (key.endsWith("Request")) requests.set(message.name, message.payload.properties.data);
  }
  $("events").replaceChildren(...[...requests.keys()].map((event) => el("option", { value: event })));
  form.elements.event.addEventListener("change", () => {
    const shape = requests.get(form.elements.event.value);
    if (shape) form.elements.data.value = JSON.stringify(skeleton(shape, document_, currentRoomId()), null, 2);
  });
  onSubmit(form, ({ event, data }) => send(event, parse(data)));
  $("clear").addEventListener("click", () => $("frames").replaceChildren());
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`Data is not JSON: ${error.message}`);
  }
}

function skeleton(shape, document_, roomId) {
  const name = shape.$ref?.split("/").pop();
  const schema = name ? document_.components.schemas[name] : shape;
  const filled = {};
  for (const field of Object.keys(schema.properties ?? {})) {
    if (field === "roomId") filled.roomId = roomId ?? "";
    else if ((schema.required ?? []).includes(field)) filled[field] = example(schema.properties[field]);
  }
  return filled;
}

function example(property) {
  if (property.enum) return property.enum[0];
  return { integer: 0, boolean: true, array: [], object: {} }[property.type] ?? "";
}
