// Marks the place on the page in the navigation, and closes the sheet and the folded list after a choice.

document.addEventListener("DOMContentLoaded", () => {
  const side = document.getElementById("navigation");
  side?.addEventListener("click", (event) => {
    if (event.target.closest("a") && side.matches(":popover-open")) side.hidePopover();
  });

  const folded = document.querySelector(".contents");
  folded?.addEventListener("click", (event) => {
    if (event.target.closest("a")) folded.open = false;
  });

  const links = new Map();
  for (const link of document.querySelectorAll(".aside a, .chapters a")) {
    const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (target) links.set(target, link);
  }
  const targets = [...links.keys()];
  if (!targets.length) return;
  let current = null;

  function mark() {
    const top = parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) + 8;
    const isEnd = scrollY > 0 && innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    const passed = targets.filter((target) => target.getBoundingClientRect().top <= top);
    const here = isEnd ? targets.at(-1) : passed.at(-1);
    if (here === current) return;
    links.get(current)?.removeAttribute("aria-current");
    current = here ?? null;
    const link = links.get(current);
    if (!link) return;
    link.setAttribute("aria-current", "location");
    // Only the list scrolls, never the page.
    const list = link.closest(".side, .aside");
    const [box, at] = [list.getBoundingClientRect(), link.getBoundingClientRect()];
    if (at.top < box.top + 40 || at.bottom > box.bottom - 40) {
      list.scrollTo({ top: list.scrollTop + at.top - box.top - box.height / 3, behavior: "instant" });
    }
  }

  let waits = false;
  addEventListener("scroll", () => {
    if (waits) return;
    waits = true;
    requestAnimationFrame(() => {
      waits = false;
      mark();
    });
  }, { passive: true });
  addEventListener("resize", mark);
  mark();
});
