"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const STEP = 40;
  const SIDE = 88;
  const units = data.units.map((row, place) => {
    const unit = Object.fromEntries(data.fields.map((name, i) => [name, row[i]]));
    unit.place = place;
    unit.words = [unit.label, unit.description]
      .filter(Boolean).join("\n").toLowerCase();
    return unit;
  });
  const find = (id) => document.getElementById(id);
  const rows = find("rows"), more = find("more"), form = find("controls");
  let shown = units, drawn = 0, resetting = false;

  const make = (tag, text, kind) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (kind) element.className = kind;
    return element;
  };
  const vector = (tag, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };

  // ---- masks: runs of off and on, row by row, as numbers in base 36
  const regions = (runs, [height, width]) => {
    const grid = new Uint8Array(height * width);
    let at = 0;
    runs.split(" ").forEach((length, i) => {
      const next = at + parseInt(length, 36);
      if (i % 2) grid.fill(1, at, next);
      at = next;
    });
    let inside = "", edge = "";
    const on = (y, x) => y >= 0 && x >= 0 && y < height && x < width && grid[y * width + x];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if (!on(y, x)) continue;
        if (!on(y, x - 1)) {
          let end = x;
          while (on(y, end)) end++;
          inside += `M${x} ${y}H${end}V${y + 1}H${x}Z`;
          edge += `M${x} ${y}v1`;
        }
        if (!on(y, x + 1)) edge += `M${x + 1} ${y}v1`;
        if (!on(y - 1, x)) edge += `M${x} ${y}h1`;
        if (!on(y + 1, x)) edge += `M${x} ${y + 1}h1`;
      }
    }
    return { dim: `M0 0H${width}V${height}H0Z${inside}`, edge };
  };

  const picture = (unit, [image, runs], rank) => {
    const [width, height] = data.sizes[image];
    const scale = SIDE / Math.max(width, height);
    const box = make("div", undefined, "top"), frame = make("span");
    const photograph = make("img");
    photograph.loading = "lazy";
    photograph.decoding = "async";
    photograph.width = Math.round(width * scale);
    photograph.height = Math.round(height * scale);
    photograph.alt = `top image ${rank + 1} of ${unit.layer} unit ${unit.unit}`;
    photograph.src = data.images[image];
    frame.append(photograph);
    if (runs) {
      const grid = data.grids[unit.network];
      const paths = regions(runs, grid);
      const cover = vector("svg", {
        viewBox: `0 0 ${grid[1]} ${grid[0]}`, preserveAspectRatio: "none", "aria-hidden": "true",
      });
      cover.append(vector("path", { class: "dim", d: paths.dim, "fill-rule": "evenodd" }));
      cover.append(vector("path", { class: "edge", d: paths.edge }));
      frame.append(cover);
    }
    box.append(frame);
    return box;
  };

  // ---- a row
  const AGREES = [["bad", "disagree"], ["near", "among best five"], ["good", "same name"]];
  const number = (value, digits) => (value === null ? "" : value.toFixed(digits));
  const address = (unit) =>
    `unit=${[unit.network, unit.layer, unit.unit].map(encodeURIComponent).join("/")}`;

  const details = (unit) => {
    const box = make("details");
    box.append(make("summary", "all labels"));
    // filled when it is opened: most never are
    box.addEventListener("toggle", () => {
      if (!box.open || box.children.length > 1) return;
      const table = make("table");
      const add = (kind, name, value) => {
        const line = table.insertRow();
        [kind, name, value].forEach((text) => { line.insertCell().textContent = text; });
      };
      unit.within.forEach(([category, label, iou]) => add(category, label, number(iou, 4)));
      unit.concepts.forEach(([name, value]) => add("CLIP", name, number(value, 3)));
      if (unit.cosine !== null) add("cosine of IoU's and CLIP's", "", number(unit.cosine, 3));
      box.append(table);
    });
    return box;
  };

  const row = (unit) => {
    const article = make("article", undefined, unit.detector === false ? "unit weak" : "unit");
    article.id = address(unit);
    article.tabIndex = -1;
    const words = make("div");
    words.append(make("h4", unit.label ?? unit.description));
    const where = make("p"), link = make("a", `${unit.layer} unit ${unit.unit}`);
    link.href = `#${article.id}`;
    where.append(link, data.networks.length > 1 ? `, ${unit.network}` : "");
    words.append(where);
    if (unit.label !== null) {
      const line = make("p"), chip = make("span", unit.category, "chip");
      chip.style.setProperty("--tint", data.categories[unit.category] ?? "#888");
      line.append(chip, ` IoU ${number(unit.iou, 3)}${unit.detector ? "" : ", no detector"}`);
      words.append(line);
      if (unit.verdict) words.append(make("p", unit.verdict, "verdict"));
    }
    if (unit.description !== null) {
      const line = make("p", `CLIP: ${unit.description} (${number(unit.similarity, 2)}) `);
      if (unit.agrees !== null) line.append(make("span", AGREES[unit.agrees][1], AGREES[unit.agrees][0]));
      words.append(line);
      if (unit.worth) words.append(make("p", unit.worth));
    }
    if (unit.within.length || unit.concepts.length) words.append(details(unit));
    const tops = make("div", undefined, "tops");
    article.append(words, tops);
    later.observe(article);
    pending.set(article, () => tops.append(...unit.tops.map((top, rank) => picture(unit, top, rank))));
    return article;
  };

  // ---- pictures come when a row is near, rows when the end is
  const pending = new Map();
  const fill = (article) => {
    const paint = pending.get(article);
    if (!paint) return;
    pending.delete(article);
    later.unobserve(article);
    paint();
  };
  const later = new IntersectionObserver(
    (seen) => seen.forEach((entry) => entry.isIntersecting && fill(entry.target)),
    { rootMargin: "600px" },
  );
  const draw = (until) => {
    const part = shown.slice(drawn, until);
    rows.append(...part.map(row));
    drawn += part.length;
    more.hidden = drawn >= shown.length;
    find("count").textContent =
      `${shown.length} of ${units.length} units` + (drawn < shown.length ? `, ${drawn} listed` : "");
  };
  new IntersectionObserver(
    (seen) => seen.some((entry) => entry.isIntersecting) && draw(drawn + STEP),
    { rootMargin: "1200px" },
  ).observe(more);
  more.addEventListener("click", () => draw(drawn + STEP));
  window.addEventListener("beforeprint", () => [...pending.keys()].forEach(fill));

  // ---- choosing
  const least = (value) => (value === null ? -Infinity : value);
  const ORDERS = {
    iou: (a, b) => least(b.iou) - least(a.iou),
    similarity: (a, b) => least(b.similarity) - least(a.similarity),
    label: (a, b) => (a.label ?? a.description).localeCompare(b.label ?? b.description),
    place: () => 0,
    cosine: (a, b) => (a.cosine ?? 2) - (b.cosine ?? 2) || (a.agrees ?? 3) - (b.agrees ?? 3),
  };
  const choose = () => {
    const chosen = Object.fromEntries(
      ["search", "network", "layer", "category", "detector", "agrees", "order"]
        .map((id) => [id, find(id).value]),
    );
    const wanted = chosen.search.trim().toLowerCase();
    const order = ORDERS[chosen.order];
    shown = units.filter((unit) =>
      (!wanted || unit.words.includes(wanted)) &&
      (!chosen.network || unit.network === chosen.network) &&
      (!chosen.layer || unit.layer === chosen.layer) &&
      (!chosen.category || unit.category === chosen.category) &&
      (!chosen.detector || unit.detector === (chosen.detector === "yes")) &&
      (!chosen.agrees || unit.agrees === Number(chosen.agrees)));
    shown.sort((a, b) => order(a, b) || a.place - b.place);
    pending.clear();
    later.disconnect();
    rows.replaceChildren();
    drawn = 0;
    draw(STEP);
  };
  const options = (id, names) => {
    find(id).append(...names.map((name) => new Option(name, name)));
    find(id).parentElement.hidden = names.length < 2;
  };
  const follow = () => {
    const id = location.hash.slice(1);
    if (!id.startsWith("unit=")) return;
    if (!document.getElementById(id)) {
      resetting = true;
      form.reset();
      resetting = false;
      choose();
      const place = shown.findIndex((unit) => address(unit) === id);
      if (place < 0) return;
      draw(place + STEP);
    }
    const article = document.getElementById(id);
    document.querySelectorAll(".chosen").forEach((old) => old.classList.remove("chosen"));
    article.classList.add("chosen");
    article.scrollIntoView();
    article.focus({ preventScroll: true });
  };

  options("network", data.networks);
  options("layer", data.layers);
  options("category", Object.keys(data.categories));
  find("agrees").parentElement.hidden = units.every((unit) => unit.agrees === null);
  find("detector").parentElement.hidden = units.every((unit) => unit.detector === null);
  // an order by what no unit has is none; the first that is left is the one to return to
  for (const [value, field] of [["iou", "iou"], ["similarity", "similarity"], ["cosine", "agrees"]]) {
    if (units.every((unit) => unit[field] === null)) find("order").querySelector(`[value=${value}]`).remove();
  }
  let waiting;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(choose, 80);
  });
  // the controls have their first values only after the event
  form.addEventListener("reset", () => resetting || setTimeout(choose));
  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || /INPUT|SELECT/.test(event.target.tagName)) return;
    event.preventDefault();
    find("search").focus();
  });
  window.addEventListener("hashchange", follow);
  choose();
  follow();
})();
