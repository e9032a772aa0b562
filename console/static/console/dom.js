// Helpers for elements, forms and errors of the page.

export const $ = (id) => document.getElementById(id);

/** A new element with attributes, listeners (attributes that begin with "on") and children. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Show an error, with a link to the explanation of its code. */
export function showError(error) {
  const alert = $("alert");
  alert.hidden = false;
  const link = error.code ? [" ", el("a", { href: `/docs/errors#${error.code}` }, `What is ${error.code}?`)] : [];
  const fields = Object.entries(error.fields ?? {}).map(([name, texts]) => ` ${name}: ${texts.join(" ")}`);
  const dismiss = el("button", { type: "button", onclick: () => (alert.hidden = true) }, "Dismiss");
  alert.replaceChildren(error.message, ...fields, ...link, " ", dismiss);
}

/** Run `work(fields)` when the form is submitted, and show its error. */
export function onSubmit(form, work) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      await work(Object.fromEntries(new FormData(form)));
      $("alert").hidden = true;
    } catch (error) {
      showError(error);
    } finally {
      button.disabled = false;
    }
  });
}

/** Run `work()` when the element is clicked, and show its error. */
export function onClick(id, work) {
  $(id).addEventListener("click", () => Promise.resolve().then(work).catch(showError));
}
