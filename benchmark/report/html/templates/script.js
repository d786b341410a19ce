"use strict";
// The page is complete without this script. With it tables sort and filter, and counts and stages can be looked into.

const SVG = "http://www.w3.org/2000/svg";
const NOTHING = "–";

function make(tag, attributes = {}, ...children) {
  const element = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
const SVG_TAGS = new Set(["svg", "rect", "path", "text", "g", "title"]);

const fixed = (number) => (number == null ? NOTHING : number.toFixed(2).replace("-", "−"));
const signed = (number) => (number == null ? NOTHING : (number < 0 ? "−" : "+") + Math.abs(number).toFixed(2));
const shown = (words) => words.replaceAll("_", " ");

function duration(seconds) {
  if (seconds < 99.5) return seconds < 9.95 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

// Theme: what the system says, until the button is pressed; forgotten with the page.

function addThemeButton() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const button = make("button", { type: "button", class: "plain", id: "theme", onclick: toggle });
  let dark = system.matches;
  let chosen = false;
  function label() {
    button.textContent = dark ? "Light" : "Dark";
    button.setAttribute("aria-label", `Use ${dark ? "light" : "dark"} colours`);
  }
  function toggle() {
    dark = !dark;
    chosen = true;
    document.documentElement.style.colorScheme = dark ? "dark" : "light";
    label();
  }
  system.addEventListener("change", () => {
    if (!chosen) dark = system.matches;
    label();
  });
  label();
  document.querySelector("header").insertBefore(button, document.querySelector("h1"));
}

// Tables: a button in every heading sorts, a box above filters.

const collator = new Intl.Collator("en", { numeric: true });

function valueOf(cell) {
  const value = cell.dataset.v;
  if (value === undefined) return cell.textContent.trim();
  return value === "" ? null : Number(value);
}

const empty = (value) => value === null || value === "" || value === NOTHING;

function compare(a, b) {
  return typeof a === "number" && typeof b === "number" ? a - b : collator.compare(String(a), String(b));
}

function sortBy(table, column, descending) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => [valueOf(row.cells[column]), row]);
  const known = rows.filter(([value]) => !empty(value)).sort(([a], [b]) => (descending ? compare(b, a) : compare(a, b)));
  const unknown = rows.filter(([value]) => empty(value));
  body.append(...[...known, ...unknown].map(([, row]) => row));
}

function makeSortable(table, refresh) {
  const headings = Array.from(table.tHead.rows[0].cells);
  headings.forEach((heading, column) => {
    const numbers = heading.classList.contains("n");
    const button = make("button", { type: "button" }, ...heading.childNodes);
    button.addEventListener("click", () => {
      const before = heading.getAttribute("aria-sort");
      const descending = before ? before === "ascending" : numbers;
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortBy(table, column, descending);
      refresh();
    });
    heading.append(button);
  });
}

const MOST = 200; // rows that are shown at once, until all are asked for: more would make a browser pause

function makeFilterable(table) {
  const headings = Array.from(table.tHead.rows[0].cells);
  const column = headings.findIndex((heading) => "filter" in heading.dataset);
  const kindOf = (row) => column < 0 ? "" : (row.cells[column].querySelector(".badge") ?? row.cells[column]).textContent.trim();
  const wordsOf = (row) => Array.from(row.cells, (cell) => cell.matches(".n, .each") ? "" : cell.textContent).join(" ");
  const known = new Map(Array.from(table.tBodies[0].rows, (row) => [row, [wordsOf(row).toLowerCase(), kindOf(row)]]));
  const kinds = distinct(Array.from(known.values(), ([, kind]) => kind)).filter(Boolean).sort();
  const label = table.dataset.tools;
  const box = make("input", { type: "search", placeholder: label, "aria-label": label, oninput: refresh });
  const name = column < 0 ? "" : headings[column].textContent.toLowerCase();
  const choice = make("select", { "aria-label": `Only this ${name}`, onchange: refresh }, make("option", { value: "" }, `every ${name}`));
  choice.append(...kinds.map((kind) => make("option", {}, kind)));
  const said = make("output", { "aria-live": "polite" });
  const more = make("button", { type: "button", class: "plain", onclick: () => { most = Infinity; refresh(); table.closest(".scroll").focus(); } }, "Show all");
  let most = known.size > MOST * 1.5 ? MOST : Infinity;

  function refresh() {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let fitting = 0;
    for (const row of table.tBodies[0].rows) {
      const [text, kind] = known.get(row);
      const fits = words.every((word) => text.includes(word)) && (!choice.value || kind === choice.value);
      fitting += fits;
      row.hidden = !fits || fitting > most;
    }
    const first = fitting > most ? `first ${most} of ` : "";
    said.textContent = `${first}${fitting}${fitting === known.size ? "" : ` of ${known.size}`} rows`;
    more.hidden = !first;
  }
  const tools = [box, ...(kinds.length > 1 ? [choice] : []), said, more];
  table.closest(".scroll").before(make("div", { class: "tools" }, ...tools));
  refresh();
  return refresh;
}

function enhance(table) {
  makeSortable(table, makeFilterable(table));
}

// Contents: the section in view is marked; a link into a closed part opens it.

function followSections() {
  const links = new Map(Array.from(document.querySelectorAll("nav a"), (link) => [link.hash.slice(1), link]));
  const inView = new Set();
  const observer = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) inView[entry.isIntersecting ? "add" : "delete"](entry.target.id);
      const current = [...links.keys()].find((id) => inView.has(id));
      for (const [id, link] of links) {
        if (id === current) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
      const [bar, link] = [document.querySelector("nav"), links.get(current)];
      if (link) bar.scrollTo({ left: link.offsetLeft - bar.clientWidth / 3 });
    },
    { rootMargin: "-25% 0px -70%" },
  );
  for (const id of links.keys()) observer.observe(document.getElementById(id));
}

function openTarget() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let part = target.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
  target.hidden = false;
  target.scrollIntoView({ block: "center" });
}

// Blocks: deflated, in base64.

async function block(name) {
  const text = document.getElementById(`b-${name}`).textContent;
  const packed = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

let described = null;
function description() {
  const name = document.querySelector('meta[name="description-block"]').content;
  described ??= block(name).then((bytes) => JSON.parse(new TextDecoder().decode(bytes)));
  return described;
}

async function classCounts(content, key) {
  const packed = content.counts[key];
  const classes = content.dataset.classes.length;
  const [truth, errors] = (await Promise.all([block(packed.truth), block(packed.errors)])).map((b) => new Int32Array(b));
  const sum = (array, from, to) => {
    const totals = new Array(classes).fill(0);
    for (let i = from; i < to; i++) totals[i % classes] += array[i];
    return totals;
  };
  const half = errors.length / 2;
  const counts = { truth: sum(truth, 0, half), missed: sum(errors, 0, half), wrong: sum(errors, half, 2 * half) };
  const hits = counts.truth.map((pixels, i) => pixels - counts.missed[i]);
  counts.iou = counts.truth.map((pixels, i) => (pixels ? (100 * hits[i]) / (pixels + counts.wrong[i]) : null));
  counts.seen = counts.truth.map((pixels, i) => pixels + counts.wrong[i] > 0);
  return counts;
}

const mean = (values) => (values.length ? values.reduce((a, b) => a + b, 0) / values.length : null);
const meanOf = (counts, ids) => mean(ids.map((id) => counts.iou[id]).filter((value) => value !== null));
const meanOfAll = (counts) => mean(counts.iou.map((value) => value ?? 0).filter((_, id) => counts.seen[id]));

// Choosing a cell: selects that depend on each other.

let selects = 0;

function select(label, onchange) {
  const id = `select-${++selects}`;
  const box = make("select", { id, onchange });
  return { box, field: make("div", {}, make("label", { for: id }, label), box) };
}

function fill(box, options, kept = box.value) {
  box.replaceChildren();
  const groups = new Map();
  for (const { value, text, group } of options) {
    if (group && !groups.has(group)) groups.set(group, box.appendChild(make("optgroup", { label: group })));
    (group ? groups.get(group) : box).append(make("option", { value }, text));
  }
  if (options.some(({ value }) => String(value) === kept)) box.value = kept;
}

const distinct = (values) => [...new Set(values)];

const idOf = (cell) => JSON.stringify([cell.row, cell.column]);

function seedOptions(cells) {
  return distinct(cells.map((cell) => cell.seed)).sort((a, b) => a - b).map((value) => ({ value, text: value }));
}

function cellOptions(cells) {
  return cells.map((cell) => ({ value: idOf(cell), text: `${cell.row}, ${cell.column}`, group: cell.row }));
}

// Classes: bars of one cell, or of two.

async function explore(place) {
  const content = await description();
  const cells = content.cells.filter((cell) => cell.stage && content.counts[cell.stage]);
  if (!cells.length) {
    place.replaceChildren(make("p", {}, "No evaluation is finished."));
    return;
  }
  const [table, seed] = [select("Table", update), select("Seed", update)];
  const [first, second] = [select("Cell", draw), select("Compare with", draw)];
  const result = make("div", {});
  place.append(make("div", { class: "choice" }, table.field, seed.field, first.field, second.field), result);
  fill(table.box, distinct(cells.map((cell) => cell.table)).map((value) => ({ value, text: value })));
  let offered = [];
  let drawn = 0;

  function update() {
    const here = cells.filter((cell) => cell.table === table.box.value);
    fill(seed.box, seedOptions(here));
    offered = here.filter((cell) => String(cell.seed) === seed.box.value);
    fill(first.box, cellOptions(offered));
    fill(second.box, [{ value: "", text: "nothing" }, ...cellOptions(offered)]);
    return draw();
  }

  async function draw() {
    const turn = ++drawn;
    const chosen = [first, second].map(({ box }) => offered.find((cell) => idOf(cell) === box.value)).filter(Boolean);
    const counts = await Promise.all(chosen.map((cell) => classCounts(content, cell.stage)));
    if (turn !== drawn) return; // something else was chosen meanwhile
    result.replaceChildren(...meansOf(content, chosen, counts), classTable(content, chosen, counts, place.dataset));
    enhance(result.querySelector("table"));
  }

  await update();
}

function meansOf(content, cells, counts) {
  return cells.map((cell, i) => {
    const { novel, base } = content.splits[cell.split];
    const found = { novel: meanOf(counts[i], novel), base: meanOf(counts[i], base), all: meanOfAll(counts[i]) };
    const numbers = Object.entries(found).flatMap(([name, value]) => [` ${name} `, make("b", { "data-mean": name }, fixed(value))]);
    return make("p", { class: "means" }, `${cell.row}, ${cell.column}, seed ${cell.seed}: mIoU`, ...numbers);
  });
}

function classTable(content, cells, counts, colours) {
  const novel = new Set(content.splits[cells[0].split].novel);
  const pixels = counts[0].truth.reduce((a, b) => a + b, 0);
  const two = cells.length > 1;
  const numbers = [...(two ? ["First", "Second", "Difference"] : ["IoU (%)"]), "Pixels (%)"];
  const head = ["Class", "IoU", ...numbers, "Part"].map((text) =>
    make("th", { scope: "col", class: numbers.includes(text) ? "n" : false, "data-filter": text === "Part" }, text),
  );
  const rows = content.dataset.classes.map((name, id) => {
    const values = counts.map((one) => one.iou[id]);
    const change = two && values.every((value) => value !== null) ? values[0] - values[1] : null;
    const number = (value, text) => make("td", { class: "n", "data-v": value ?? "" }, text);
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, name),
      make("td", { class: "bars", "data-v": values[0] ?? "" }, bars(values, novel.has(id) ? colours.novel : colours.base)),
      ...values.map((value) => number(value, fixed(value))),
      ...(two ? [number(change, signed(change))] : []),
      number(counts[0].truth[id], ((100 * counts[0].truth[id]) / pixels).toFixed(1)),
      make("td", {}, novel.has(id) ? "novel" : "base"),
    );
  });
  const table = make("table", { class: "list", "aria-label": "IoU of every class", "data-tools": "Filter by class" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
  return make("div", {}, make("div", { class: "scroll", role: "region", "aria-label": "IoU of every class", tabindex: 0 }, table));
}

function bars(values, colour) {
  const height = values.length > 1 ? 7 : 11;
  const drawn = values.map((value, i) =>
    make("rect", { y: values.length > 1 ? 1 + 8 * i : 3, width: `${value ?? 0}%`, height, fill: colour, stroke: i ? colour : false, class: i ? "second" : false }),
  );
  return make("svg", { "aria-hidden": "true" }, ...drawn);
}

// Stages: what a cell rests on, or every step of all of them, as a graph from left to right.

async function showStages(place) {
  const content = await description();
  const depths = depthsOf(content.stages);
  const [table, cell, seed] = [select("Show", update), select("Cell", draw), select("Seed", update)];
  const result = make("div", {});
  const list = make("div", { class: "detail", "aria-live": "polite", hidden: true });
  place.append(make("div", { class: "choice" }, table.field, cell.field, seed.field), result, list);
  const cells = content.cells.filter((one) => one.stage);
  const names = distinct(cells.map((one) => one.table));
  fill(table.box, [{ value: "", text: "all, step by step" }, ...names.map((value) => ({ value, text: `a cell of table ${value}` }))]);
  let offered = [];

  function update() {
    const here = cells.filter((one) => one.table === table.box.value);
    fill(seed.box, seedOptions(here));
    offered = here.filter((one) => String(one.seed) === seed.box.value);
    fill(cell.box, cellOptions(offered));
    for (const { field } of [cell, seed]) field.hidden = !here.length;
    draw();
  }
  function draw() {
    const chosen = offered.find((one) => idOf(one) === cell.box.value);
    const nodes = chosen ? nodesOf(content.stages, chosen.stage, depths) : stepsOf(content.stages, depths);
    list.hidden = true;
    result.replaceChildren(graph(nodes, (node, link) => {
      for (const other of result.querySelectorAll("a")) other.removeAttribute("aria-current");
      link.setAttribute("aria-current", "true");
      list.replaceChildren(...node.detail());
      list.hidden = false;
    }));
  }
  update();
}

function depthsOf(stages) {
  const depths = new Map();
  for (const [key, stage] of Object.entries(stages)) {
    depths.set(key, Math.max(-1, ...Object.values(stage.inputs).map((input) => depths.get(input))) + 1);
  }
  return depths;
}

const stepName = (stage) => shown(stage.function.split(":")[1] ?? stage.function);

function nodesOf(stages, last, depths) {
  const found = new Map();
  (function visit(key) {
    if (found.has(key)) return;
    const stage = stages[key];
    const seconds = stage.record?.wall_seconds;
    const attempts = stage.record?.attempts.length ?? 0;
    const how = [seconds ? duration(seconds) : stage.state, ...(attempts > 1 ? [`${attempts} attempts`] : [])].join(", ");
    found.set(key, {
      id: key, depth: depths.get(key), inputs: Object.values(stage.inputs), state: stage.state, title: stage.name,
      lines: [stepName(stage), key.slice(0, 12), how], detail: () => stageDetail(stages, key),
    });
    Object.values(stage.inputs).forEach(visit);
  })(last);
  return [...found.values()];
}

function stageDetail(stages, key) {
  const stage = stages[key];
  const facts = [
    ["key", make("a", { href: `#s-${key.slice(0, 12)}` }, make("code", {}, key))],
    ["function", make("code", {}, `${stage.function}, version ${stage.version}`)],
    ...Object.entries(stage.inputs).map(([role, input]) => [shown(role), stages[input].name]),
    ["attempts", (stage.record?.attempts ?? []).map((one) => `${one.number}: ${one.state}${one.seconds ? `, ${duration(one.seconds)}` : ""}`).join("; ") || "none"],
  ];
  const list = facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
  return [make("h3", {}, stage.name), make("dl", { class: "facts" }, ...list), make("pre", { tabindex: 0 }, compact(stage.params))];
}

// JSON with lists of plain values on one line.
const compact = (value) => JSON.stringify(value, null, 1).replace(/\[[^[\]{}]*\]/g, (list) => list.replace(/\s+/g, " "));

function stepsOf(stages, depths) {
  const steps = new Map();
  const stepOf = (stage) => `${stage.kind} ${stage.function}`;
  for (const [key, stage] of Object.entries(stages)) {
    const id = stepOf(stage);
    if (!steps.has(id)) steps.set(id, { id, depth: 0, inputs: new Set(), members: [], seconds: 0, title: stage.function });
    const step = steps.get(id);
    step.depth = Math.max(step.depth, depths.get(key));
    step.members.push(key);
    step.seconds += stage.record?.wall_seconds ?? 0;
    for (const input of Object.values(stage.inputs)) step.inputs.add(stepOf(stages[input]));
  }
  return [...steps.values()].map((step) => {
    const [stage, number] = [stages[step.members[0]], step.members.length];
    const states = distinct(step.members.map((key) => stages[key].state));
    const lines = [stepName(stage), `${number} stage${number === 1 ? "" : "s"}`, duration(step.seconds)];
    const state = states.includes("done") ? "done" : states[0];
    const detail = () => [make("h3", {}, `${shown(stage.kind)}: ${stage.function}`), make("p", {}, ...step.members.slice(0, 60).flatMap((key) => [make("a", { href: `#s-${key.slice(0, 12)}`, title: stages[key].name }, make("code", {}, key.slice(0, 12))), " "]), number > 60 ? `and ${number - 60} more below` : "")];
    return { ...step, inputs: [...step.inputs].filter((id) => id !== step.id), state, lines, detail };
  });
}

const BOX = { width: 150, height: 52, right: 38, below: 14 };
const LANE = 12; // height of a place where an edge passes between boxes

function graph(nodes, onchoose) {
  const columns = placed(nodes);
  const heights = columns.map((column) => column.reduce((sum, node) => sum + heightOf(node), 0) - BOX.below);
  const [wide, high] = [columns.length * (BOX.width + BOX.right) - BOX.right + 2, Math.max(...heights) + 3];
  const at = new Map();
  columns.forEach((column, x) => {
    let y = 1 + (high - heights[x]) / 2;
    for (const node of column) {
      at.set(node.id, { x: 1 + x * (BOX.width + BOX.right), y, middle: y + (node.lines ? BOX.height : LANE) / 2 });
      y += heightOf(node);
    }
  });
  const all = columns.flat();
  const edges = all.flatMap((node) => node.inputs.map((id) => make("path", { d: edge(at.get(id), at.get(node.id), node) })));
  const boxes = all.filter((node) => node.lines).map((node) => box(node, at.get(node.id), onchoose));
  const svg = make("svg", { class: "dag", width: wide, height: high, viewBox: `0 0 ${wide} ${high}`, role: "group", "aria-label": "Graph of stages" }, ...edges, ...boxes);
  return make("div", { class: "scroll", role: "region", "aria-label": "Graph of stages", tabindex: 0 }, svg);
}

const heightOf = (node) => (node.lines ? BOX.height : LANE) + BOX.below;

// Columns by depth, with a lane in every column that an edge passes; in each, places near the middle of their neighbours.
function placed(nodes) {
  const depths = distinct(nodes.map((node) => node.depth)).sort((a, b) => a - b);
  const levels = new Map(nodes.map((node) => [node.id, depths.indexOf(node.depth)]));
  const columns = depths.map(() => []);
  const lanes = new Map();
  for (const node of nodes) {
    const inputs = node.inputs.filter((id) => levels.has(id) && levels.get(id) < levels.get(node.id));
    columns[levels.get(node.id)].push({ ...node, inputs: inputs.map((id) => reach(id, levels.get(node.id) - 1)) });
  }
  function reach(id, level) {
    if (level <= levels.get(id)) return id;
    const lane = `${id} ${level}`;
    if (!lanes.has(lane)) {
      lanes.set(lane, true);
      columns[level].push({ id: lane, inputs: [reach(id, level - 1)] });
    }
    return lane;
  }
  for (let turn = 0; turn < 4; turn++) settle(columns, turn % 2 === 1);
  return columns;
}

function settle(columns, backwards) {
  const users = new Map();
  for (const node of columns.flat()) for (const id of node.inputs) users.set(id, [...(users.get(id) ?? []), node.id]);
  const rank = new Map();
  for (const column of backwards ? columns.toReversed() : columns) {
    const neighbours = (node) => ((backwards ? users.get(node.id) : node.inputs) ?? []).filter((id) => rank.has(id));
    const wishes = new Map(column.map((node, i) => [node.id, mean(neighbours(node).map((id) => rank.get(id))) ?? (i + 0.5) / column.length]));
    column.sort((a, b) => wishes.get(a.id) - wishes.get(b.id));
    column.forEach((node, i) => rank.set(node.id, (i + 0.5) / column.length));
  }
}

function edge(from, to, node) {
  const [x0, x1] = [from.x + BOX.width, to.x];
  const bend = (x1 - x0) / 2;
  const through = node.lines ? "" : `H${x1 + BOX.width}`;
  return `M${x0} ${from.middle}C${x0 + bend} ${from.middle} ${x1 - bend} ${to.middle} ${x1} ${to.middle}${through}`;
}

function box(node, { x, y }, onchoose) {
  const link = document.createElementNS(SVG, "a");
  link.setAttribute("href", "#stages");
  link.setAttribute("class", node.state === "done" ? "" : "missing");
  link.setAttribute("aria-label", `${node.title}: ${node.lines.slice(1).join(", ")}`);
  link.append(
    make("title", {}, node.title),
    make("rect", { x, y, width: BOX.width, height: BOX.height }),
    ...node.lines.map((line, i) => make("text", { x: x + 9, y: y + 16 + 14.5 * i, class: i ? "small" : false }, line.length > 22 ? `${line.slice(0, 21)}…` : line)),
  );
  link.addEventListener("click", (event) => {
    event.preventDefault();
    onchoose(node, link);
  });
  return link;
}

// What needs the description waits until it is nearly in view.

function whenNear(id, start) {
  const place = document.getElementById(id);
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    place.replaceChildren();
    start(place).then(() => { place.hidden = false; }, (error) => {
      place.replaceChildren(make("p", {}, `This browser cannot read the counts in this file (${error.message}).`));
      place.hidden = false;
    });
  }, { rootMargin: "600px" });
  observer.observe(place.closest("section"));
}

addThemeButton();
document.querySelectorAll("table.list").forEach(enhance);
followSections();
addEventListener("hashchange", openTarget);
openTarget();
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
whenNear("explorer", explore);
whenNear("graph", showStages);
