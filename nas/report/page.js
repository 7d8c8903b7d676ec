"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");
const byTouch = matchMedia("(pointer: coarse), (max-width: 37rem)");

// Figures come in colours for any background; here they get those of the page.
function theme() {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink"), rule = style.getPropertyValue("--rule");
  return {
    "font.color": ink, "xaxis.gridcolor": rule, "yaxis.gridcolor": rule, "xaxis.linecolor": rule,
    "modebar.color": style.getPropertyValue("--soft"), "modebar.activecolor": ink, "modebar.bgcolor": "rgba(0, 0, 0, 0)",
  };
}

function draw(source) {
  const place = document.getElementById(source.dataset.figure);
  const {data, layout} = JSON.parse(source.textContent);
  layout.dragmode = byTouch.matches ? false : "zoom"; // a finger scrolls the page
  const settings = {
    responsive: true,
    displaylogo: false,
    displayModeBar: byTouch.matches ? false : "hover",
    doubleClick: byTouch.matches ? false : "reset+autosize", // which a tap would be taken for
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]], // by default there is one that sends data away
  };
  Plotly.newPlot(place, data, layout, settings).then(() => Plotly.relayout(place, theme()));
  dark.addEventListener("change", () => Plotly.relayout(place, theme()));
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

document.querySelectorAll("script[data-figure]").forEach(draw);
for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.textContent = head.textContent;
    button.title = "sort";
    button.addEventListener("click", () => sort(table, column, head));
    head.replaceChildren(button);
  });
}
