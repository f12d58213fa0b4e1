// The list of results below the search field. Without it, Enter leads to the page of results.

document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("form.search");
  const input = form?.querySelector("input");
  if (!input) return;

  const list = element("div", { id: "found", className: "found", hidden: true });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Results");
  form.append(list);
  for (const [name, value] of Object.entries({
    role: "combobox", "aria-autocomplete": "list", "aria-controls": "found", "aria-expanded": "false",
  })) input.setAttribute(name, value);
  const said = element("p", { className: "hidden" });
  said.setAttribute("role", "status");
  form.append(said);

  let selected = -1;
  // The query whose results are in the list.
  let listed = "";
  let pending = null;
  let timer = 0;
  const options = () => [...list.querySelectorAll("[role=option]")];

  function element(name, properties, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  function open(isOpen) {
    list.hidden = !isOpen;
    input.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) select(-1);
  }

  function select(index) {
    selected = index;
    options().forEach((option, at) => option.setAttribute("aria-selected", String(at === index)));
    const option = options()[index];
    option?.scrollIntoView({ block: "nearest" });
    if (option) input.setAttribute("aria-activedescendant", option.id);
    else input.removeAttribute("aria-activedescendant");
  }

  function option(result, index) {
    // The parts of an excerpt are text and found words in turn.
    const excerpt = result.excerpt.map((part, at) => (at % 2 ? element("mark", { textContent: part }) : part));
    const link = element(
      "a",
      { id: `found-${index}`, href: result.url, tabIndex: -1 },
      element("span", { className: "where" }, result.kind, element("span", { textContent: result.page })),
      element("b", { textContent: result.title }),
      element("span", { className: "excerpt" }, ...excerpt),
    );
    link.setAttribute("role", "option");
    link.setAttribute("aria-selected", "false");
    link.addEventListener("mousemove", () => selected !== index && select(index));
    link.addEventListener("click", () => open(false));
    return link;
  }

  async function search() {
    const query = input.value.trim();
    pending?.abort();
    if (!query) return open(false);
    pending = new AbortController();
    try {
      const answer = await fetch(`/docs/search.json?q=${encodeURIComponent(query)}`, { signal: pending.signal });
      const { results } = await answer.json();
      const none = element("p", { className: "note", textContent: "Nothing was found. Try one word, or its beginning." });
      list.replaceChildren(...(results.length ? results.map(option) : [none]));
      said.textContent = results.length === 1 ? "1 result" : `${results.length} results`;
      list.scrollTop = 0;
      listed = query;
      open(document.activeElement === input);
      select(results.length ? 0 : -1);
    } catch (error) {
      // Another query has replaced this one, or the service is away: then Enter still asks it.
      if (error.name !== "AbortError") open(false);
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, 90);
  });
  input.addEventListener("focus", () => {
    if (input.value && list.childElementCount) open(true);
  });
  input.addEventListener("keydown", (event) => {
    const count = options().length;
    if (event.key === "Escape") {
      if (list.hidden) input.blur();
      open(false);
      event.preventDefault();
    } else if (list.hidden && count && event.key === "ArrowDown") {
      open(true);
      select(0);
      event.preventDefault();
    } else if (!list.hidden && count && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      select((selected + (event.key === "ArrowDown" ? 1 : count - 1)) % count);
      event.preventDefault();
    } else if (event.key === "Enter" && !list.hidden && selected >= 0 && listed === input.value.trim()) {
      // A list that is older than the query does not count: then the form is sent.
      options()[selected].click();
      event.preventDefault();
    }
  });
  document.addEventListener("pointerdown", (event) => form.contains(event.target) || open(false));
  form.addEventListener("focusout", (event) => form.contains(event.relatedTarget) || open(false));
  document.addEventListener("keydown", (event) => {
    const isField = /^(input|textarea|select)$/i.test(event.target.tagName) && event.target.type !== "radio";
    const isSlash = event.key === "/" && !isField && !event.ctrlKey && !event.metaKey && !event.altKey;
    const isK = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey);
    if (!isSlash && !isK) return;
    event.preventDefault();
    input.focus();
    input.select();
  });
});
