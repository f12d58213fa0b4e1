"use strict";
// The choice of colours. It runs before the page is drawn, so that the page never flashes in the other ones.

/** What the browser remembers; nothing if it does not permit that. */
const memory = {
  get(name) {
    try { return localStorage.getItem(`strongroom-docs-${name}`); } catch { return null; }
  },
  set(name, value) {
    try {
      if (value === null) localStorage.removeItem(`strongroom-docs-${name}`);
      else localStorage.setItem(`strongroom-docs-${name}`, value);
    } catch { /* The choice lasts as long as the page. */ }
  },
};

const THEMES = [null, "light", "dark"];

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

const rememberedTheme = memory.get("theme");
setTheme(THEMES.includes(rememberedTheme) ? rememberedTheme : null);

document.addEventListener("DOMContentLoaded", () => {
  const button = document.querySelector("button.theme");
  if (!button) return;
  const show = () => {
    const label = `Colours: ${document.documentElement.dataset.theme ?? "as the system"}`;
    button.title = label;
    button.setAttribute("aria-label", label);
  };
  button.hidden = false;
  show();
  button.addEventListener("click", () => {
    const current = document.documentElement.dataset.theme ?? null;
    const next = THEMES[(THEMES.indexOf(current) + 1) % THEMES.length];
    setTheme(next);
    memory.set("theme", next);
    show();
  });
});
