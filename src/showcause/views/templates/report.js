(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const hosts = [...document.querySelectorAll("[data-chart]")];
  const drawn = new Map(); // host → what it shows and its view
  let printing = false;

  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  tip.setAttribute("role", "tooltip");
  document.body.append(tip);

  // Only text nodes: what users typed never becomes markup.
  function tell(handler, event, item, value) {
    if (!value || typeof value !== "object") { tip.hidden = true; return; }
    tip.replaceChildren(...Object.entries(value).map(([name, text]) => {
      const line = document.createElement("div");
      for (const part of [name, text]) {
        const cell = document.createElement("span");
        cell.textContent = String(part);
        line.append(cell);
      }
      return line;
    }));
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 8)) + "px";
    tip.style.top = Math.max(4, event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 10 : event.clientY + 18) + "px";
  }

  function chosen(host) {
    const form = document.querySelector(`form[data-for="${CSS.escape(host.dataset.chart)}"]`);
    const picks = {};
    if (form) for (const select of form.querySelectorAll("select")) picks[select.dataset.option] = select.value;
    return data.charts[host.dataset.chart].options.map((name) => picks[name] || "0").join(",");
  }

  const inDark = () => dark.matches && !printing; // paper is white

  function config(host) {
    const base = structuredClone(data.themes[inDark() ? "dark" : "light"]);
    if (host.clientWidth < 440) {
      base.axisY.labelLimit = 150;
      base.axis.labelFontSize = base.axis.titleFontSize = 10.5;
      base.style.word.fontSize = 10.5;
    }
    return base;
  }

  // Both ends of a long name stay, since names often differ at their ends.
  const SHORT = "length(datum.label) <= 24 ? datum.label : indexof(datum.label, ' × ') > 0 ? " +
    "substring(datum.label, 0, min(11, indexof(datum.label, ' × '))) + ' × ' + " +
    "substring(datum.label, indexof(datum.label, ' × ') + 3, indexof(datum.label, ' × ') + 14) : " +
    "substring(datum.label, 0, 13) + '…' + substring(datum.label, length(datum.label) - 10)";

  function narrow(spec, host) {
    if (host.clientWidth >= 440) return spec;
    const copy = structuredClone(spec);
    for (const layer of copy.layer || []) {
      const axis = layer.encoding && layer.encoding.y && layer.encoding.y.axis;
      if (axis && axis.labelLimit) {
        axis.labelLimit = 160;
        axis.labelExpr = SHORT;
      }
    }
    return copy;
  }

  async function draw(host) {
    const chart = data.charts[host.dataset.chart];
    const key = chosen(host);
    const entry = chart.specs[key];
    const now = `${key}|${inDark()}|${host.clientWidth < 440}`;
    const before = drawn.get(host);
    if (before && before.now === now) return before.done;
    const state = { now, view: null };
    drawn.set(host, state);
    host.style.minHeight = "";
    if (before && before.view) before.view.finalize();
    caption(host, entry);
    if (!entry) {
      host.replaceChildren(Object.assign(document.createElement("p"), {
        className: "remark", textContent: "This choice is not drawn here; the snapshot holds its numbers.",
      }));
      state.done = Promise.resolve();
      return state.done;
    }
    // In an element of its own: the library gives that another role, and the outer one keeps its alternative text.
    const stage = document.createElement("div");
    host.replaceChildren(stage);
    state.done = vegaEmbed(stage, narrow(entry.spec, host), {
      mode: "vega-lite", actions: false, ast: true, defaultStyle: false, renderer: "svg", hover: false,
      config: config(host), tooltip: tell,
    }).then((result) => { state.view = result; host.dataset.drawn = key || "one"; });
    return state.done;
  }

  function caption(host, entry) {
    const place = host.closest("figure").querySelector("figcaption");
    const lines = entry ? entry.say : [];
    place.replaceChildren(...lines.map((text) => Object.assign(document.createElement("p"), { textContent: text })));
    const heading = host.closest("article").querySelector("h2, h3").firstChild.textContent.trim();
    host.setAttribute("aria-label", [heading + ".", ...lines].join(" "));
  }

  for (const form of document.querySelectorAll("form.choose")) {
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", () => {
      draw(document.querySelector(`[data-chart="${CSS.escape(form.dataset.for)}"]`));
    });
  }

  // Room for each chart before it is drawn, so that nothing jumps.
  for (const host of hosts) {
    const entry = data.charts[host.dataset.chart].specs[chosen(host)];
    if (entry && entry.spec.height) host.style.minHeight = `${entry.spec.height + 44}px`;
  }

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { seen.unobserve(entry.target); draw(entry.target); }
  }, { rootMargin: "500px" });
  hosts.forEach((host) => seen.observe(host));

  // The rest follows while nothing else is to do, so that a print or a search finds every chart. In a frame of a busy page
  // that moment may never come, so it is waited for only a while.
  const later = window.requestIdleCallback ? (work) => requestIdleCallback(work, { timeout: 500 }) : (work) => setTimeout(work, 60);
  const waiting = hosts.slice();
  function next() {
    const host = waiting.shift();
    if (!host) { document.documentElement.dataset.charts = "all"; return; }
    draw(host).finally(() => later(next));
  }
  addEventListener("load", () => later(next));

  dark.addEventListener("change", () => hosts.forEach((host) => drawn.has(host) && draw(host)));
  for (const [moment, now] of [["beforeprint", true], ["afterprint", false]]) {
    addEventListener(moment, () => { printing = now; hosts.forEach((host) => draw(host)); });
  }
  let wide = innerWidth < 600;
  addEventListener("resize", () => {
    if (wide !== innerWidth < 600) { wide = innerWidth < 600; hosts.forEach((host) => drawn.has(host) && draw(host)); }
  });
  addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
})();
