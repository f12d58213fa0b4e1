// Buttons that copy code, and the remembered language of the examples.

document.addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll(".code")) addCopyButton(box, () => box.querySelector("code").textContent);
  // Also when a tab or an answer is opened, and when the window or the font changes the widths.
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) reachWithKeyboard(target.closest("pre, .wide"));
  });
  for (const box of document.querySelectorAll("pre, .wide, .wide > table")) sizes.observe(box);

  const tabs = [...document.querySelectorAll("input[data-tab]")];
  const choose = (tab) => {
    for (const input of tabs) if (input.dataset.tab === tab) input.checked = true;
  };
  const remembered = memory.get("language");
  if (remembered) choose(remembered);
  for (const input of tabs) {
    input.addEventListener("change", () => {
      const before = input.getBoundingClientRect().top;
      choose(input.dataset.tab);
      memory.set("language", input.dataset.tab);
      // Examples above may have become longer or shorter: the chosen one stays where it is.
      window.scrollBy({ top: input.getBoundingClientRect().top - before, behavior: "instant" });
    });
  }
});

/** What scrolls can be reached with the keyboard, nothing else. */
function reachWithKeyboard(box) {
  if (box.scrollWidth > box.clientWidth) {
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", box.matches("pre") ? "Code" : "Table");
  } else {
    for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
  }
}

function addCopyButton(box, text) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "copy", textContent: "Copy" });
  button.setAttribute("aria-live", "polite");
  let timer = 0;
  button.addEventListener("click", async () => {
    const done = await copy(text());
    button.textContent = done ? "Copied" : "Press Ctrl-C";
    button.classList.toggle("done", done);
    if (!done) getSelection().selectAllChildren(box.querySelector("code"));
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = "Copy";
      button.classList.remove("done");
    }, 2000);
  });
  box.append(button);
}

/** Copies text. Without HTTPS there is no clipboard API, except on this machine: then the old way. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = Object.assign(document.createElement("textarea"), { value: text, className: "hidden", readOnly: true });
    const focused = document.activeElement;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    focused?.focus();
    return done;
  }
}
