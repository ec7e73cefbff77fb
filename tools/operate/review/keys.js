// Keys press the buttons that are on the page: all of it works without them, too.
"use strict";
const find = document.querySelector(".find input");
const help = document.getElementById("help");
// A key or a click that comes twice must not choose for the next ticket as well.
let deaf = true;
setTimeout(() => { deaf = false; document.documentElement.dataset.ready = ""; }, 200);

// The key as it is named on the page. Where a layout has other signs there, its place says which.
function named(event) {
  const key = event.key.toLowerCase();
  if (/^[a-z0-9/?]$/.test(key) || key.length > 1) return key;
  return event.code.replace(/^(?:Key|Digit|Numpad)(?=[A-Z0-9]$)/, "").toLowerCase();
}

function press(key) {
  const button = document.querySelector(`[data-key="${CSS.escape(key)}"]:not(:disabled)`);
  if (!button || button.hidden) return false;
  button.classList.add("pressed");
  button.click();
  return true;
}

function choices() {
  return [...document.querySelectorAll(".choices button")];
}

addEventListener("keydown", (event) => {
  if (deaf || event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  if (help?.open) return;
  if (event.target === find) {
    if (event.key === "Escape") { find.value = ""; narrow(); find.blur(); }
    if (event.key === "Enter") { event.preventDefault(); if (words(find.value).length) choices().find((each) => !each.hidden)?.click(); }
    return;
  }
  const key = named(event);
  if (key === "/" && find) { event.preventDefault(); find.focus(); return; }
  if (press(key)) event.preventDefault();
});

function words(text) {
  return text.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter(Boolean);
}

// By the beginnings of words, in any order: `pay card` finds `card_payment`.
function narrow() {
  const wanted = words(find.value);
  for (const each of choices()) {
    const said = [...each.querySelectorAll(".word, .meaning")].flatMap((part) => words(part.textContent));
    each.hidden = !wanted.every((start) => said.some((word) => word.startsWith(start)));
  }
  find.classList.toggle("narrows", find.value !== "");
}
find?.addEventListener("input", narrow);

for (const opener of document.querySelectorAll("[data-opens]")) {
  opener.addEventListener("click", () => { opener.classList.remove("pressed"); help.showModal(); });
}

document.addEventListener("submit", (event) => {
  if (event.target.method === "dialog") return;
  if (deaf) event.preventDefault();
  deaf = true;
});
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
