"use strict";

// Rows: words after numbers, empty cells last.
function keyOf(cell) {
  const text = cell.title || cell.textContent;
  if (text === "") return [2, ""];
  const number = /^[+-]?inf$/.test(text) ? Number(text.replace("inf", "Infinity")) : Number(text);
  return Number.isNaN(number) ? [1, text] : [0, number];
}

function compare(a, b) {
  if (a[0] !== b[0]) return a[0] - b[0];
  if (a[0] === 0) return a[1] === b[1] ? 0 : a[1] < b[1] ? -1 : 1;
  return a[0] === 1 ? a[1].localeCompare(b[1], "en", { numeric: true }) : 0;
}

const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

function sortBy(header) {
  const table = header.closest("table");
  const body = table.tBodies[0];
  const order = NEXT[header.getAttribute("aria-sort")];
  for (const other of header.parentElement.cells) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", order);
  const place = header.cellIndex;
  const keyed = Array.from(body.rows, (row) => ({ row, key: keyOf(row.cells[place]), number: Number(row.dataset.row) }));
  const sign = order === "descending" ? -1 : 1;
  keyed.sort((a, b) => {
    if (order === "none") return a.number - b.number;
    // Empty cells stay last in either direction.
    const empty = (a.key[0] === 2) - (b.key[0] === 2);
    return empty || sign * compare(a.key, b.key) || a.number - b.number;
  });
  body.append(...keyed.map((entry) => entry.row));
}

function filter(input) {
  const block = input.closest(".table");
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  let some = false;
  for (const row of block.querySelector("tbody").rows) {
    const text = Array.from(row.cells, (cell) => `${cell.textContent} ${cell.title}`).join(" ").toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    some ||= !row.hidden;
  }
  block.querySelector(".empty").hidden = some;
}

const dialog = document.querySelector("dialog");
const stage = dialog.querySelector(".stage");

function enlarge(button) {
  const large = button.querySelector("img").cloneNode();
  large.hidden = false;
  stage.replaceChildren(large);
  stage.classList.remove("whole");
  dialog.showModal();
}

// An image of several frames cannot be stopped: its first frame takes its place.
async function pause(button, stopped) {
  button.setAttribute("aria-pressed", String(stopped));
  button.textContent = stopped ? "Play" : "Pause";
  const image = button.closest("figure").querySelector("img");
  await image.decode();
  const still = image.nextElementSibling ?? firstFrameOf(image);
  const hide = button.getAttribute("aria-pressed") === "true";
  image.hidden = hide;
  still.hidden = !hide;
}

function firstFrameOf(image) {
  const still = document.createElement("canvas");
  still.width = image.naturalWidth;
  still.height = image.naturalHeight;
  still.style.width = `${image.getAttribute("width")}px`;
  still.getContext("2d").drawImage(image, 0, 0);
  image.after(still);
  return still;
}

document.addEventListener("click", (event) => {
  const target = event.target;
  const header = target.closest("th");
  if (header) return sortBy(header);
  const picture = target.closest(".picture");
  if (picture) return enlarge(picture);
  const stop = target.closest(".pause");
  if (stop) return pause(stop, stop.getAttribute("aria-pressed") !== "true");
  if (target.closest(".close")) return dialog.close();
  if (target.closest("dialog img")) return stage.classList.toggle("whole");
  if (target === stage) return dialog.close();
  const link = target.closest("a[href^='#']");
  if (link) reveal(link.hash);
});

document.addEventListener("input", (event) => {
  if (event.target.matches(".bar input")) filter(event.target);
});

// What a link leads to may be folded away.
function reveal(hash) {
  const place = hash && document.getElementById(hash.slice(1));
  if (!place) return;
  const table = place.querySelector(":scope > details.table");
  if (table) table.open = true;
  if (narrow.matches) contents.open = false;
}

const contents = document.querySelector("nav details");
const narrow = window.matchMedia("(max-width: 63.99rem)");
contents.open = !narrow.matches;
narrow.addEventListener("change", () => { contents.open = !narrow.matches; });
reveal(location.hash);

if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) {
  for (const button of document.querySelectorAll(".pause")) pause(button, true);
}

// The entry of the section that is being read.
const entries = new Map(Array.from(contents.querySelectorAll("a"), (link) => [link.hash.slice(1), link]));
const watcher = new IntersectionObserver(
  (changes) => {
    for (const change of changes) {
      const link = entries.get(change.target.id);
      if (!change.isIntersecting || !link) continue;
      for (const other of entries.values()) other.removeAttribute("aria-current");
      link.setAttribute("aria-current", "true");
    }
  },
  { rootMargin: "-10% 0px -80% 0px" },
);
for (const id of entries.keys()) {
  const place = document.getElementById(id);
  if (place) watcher.observe(place);
}
