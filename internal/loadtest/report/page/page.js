// Shows the values at the pointer, and with the arrow keys. Without this script, browsers show the same texts as tooltips.
for (const area of document.querySelectorAll("div.area")) {
  const svg = area.querySelector("svg"), tip = area.querySelector(".tip");
  const hits = [...area.querySelectorAll(".hit")];
  const texts = hits.map(hit => {
    const title = hit.querySelector("title");
    title.remove();
    return title.textContent;
  });
  let current = -1;
  const show = n => {
    hits[current]?.classList.remove("on");
    current = n;
    tip.hidden = n < 0;
    if (n < 0) return;
    hits[n].classList.add("on");
    tip.textContent = texts[n];
    const box = hits[n].getBBox(), middle = (box.x + box.width / 2) / 10, left = middle < 50;
    tip.style.left = left ? `calc(${middle}% + 12px)` : "auto";
    tip.style.right = left ? "auto" : `calc(${100 - middle}% + 12px)`;
  };
  svg.addEventListener("pointermove", event => show(hits.indexOf(event.target)));
  svg.addEventListener("pointerleave", () => show(-1));
  svg.addEventListener("blur", () => show(-1));
  svg.addEventListener("keydown", event => {
    const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (event.key === "Escape") show(-1);
    if (!step || !hits.length) return;
    event.preventDefault();
    show(Math.min(hits.length - 1, Math.max(0, current + step)));
  });
}
