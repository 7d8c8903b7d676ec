"use strict";

const REACH = 24; // pixels from a mark, so that a finger finds it

function nearest(plot, x, y) {
  let best = null, least = REACH;
  for (const mark of plot.querySelectorAll(".mark")) {
    const box = mark.getBoundingClientRect();
    const distance = Math.hypot(box.x + box.width / 2 - x, box.y + box.height / 2 - y);
    if (distance <= least) [best, least] = [mark, distance];
  }
  return best;
}

// Browsers show titles to a mouse alone, and late; a tap or a click tells them below the figure.
function tellMarks(plot) {
  const told = document.createElement("output");
  plot.after(told);
  plot.addEventListener("click", (event) => {
    plot.querySelector(".mark.told")?.classList.remove("told");
    const mark = nearest(plot, event.clientX, event.clientY);
    mark?.classList.add("told");
    told.textContent = mark?.querySelector("title")?.textContent ?? "";
  });
}

const isUnknown = (text) => text === "" || text === "–";

// Numbers by size, words by the alphabet.
function compare(a, b) {
  const [x, y] = [a, b].map((text) => parseFloat(text.replaceAll(",", "")));
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a.localeCompare(b);
  return x - y;
}

function sort(table, column, head) {
  const down = head.ariaSort === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.ariaSort = down ? "descending" : "ascending";
  const rows = [...table.tBodies[0].rows].map((row) => [row.cells[column].textContent, row]);
  // What is not known comes last in both directions.
  rows.sort(([a], [b]) => isUnknown(a) - isUnknown(b) || (down ? compare(b, a) : compare(a, b)));
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

document.querySelectorAll(".plot").forEach(tellMarks);
for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.textContent = head.textContent;
    button.title = "sort";
    button.addEventListener("click", () => sort(table, column, head));
    head.replaceChildren(button);
  });
}
