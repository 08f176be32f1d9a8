
"use strict";
(() => {
  const one = (selector, root = document) => root.querySelector(selector);
  const every = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (name, text = "", attributes = {}) => {
    const element = document.createElement(name);
    element.textContent = text;
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    return element;
  };

  // The token of administration: on the pages of the admin listener alone, in this tab alone.
  const desk = one("#token-form") !== null;
  const token = () => (desk && sessionStorage.getItem("rsr-token")) || "";
  async function ask(path, body) {
    const headers = {};
    if (token()) headers.Authorization = "Bearer " + token();
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const method = body === undefined ? "GET" : "POST";
    const answer = await fetch(path, { method, headers, cache: "no-store", body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await answer.text();
    if (answer.ok) return text;
    let why = "status " + answer.status;
    try { const problem = JSON.parse(text); why = problem.detail || problem.title || why; } catch { /* what says no more has no more to say */ }
    throw Object.assign(new Error(why), { status: answer.status });
  }

  // Sections that follow the service.
  const size = (bytes) => {
    for (const [unit, n] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
      if (bytes >= n) return (Math.floor(bytes / n * 10) / 10).toFixed(1) + " " + unit;
    }
    return Math.round(bytes) + " B";
  };
  function put(place, html) {
    const opened = every("details[open][id]", place).map((details) => details.id);
    const links = every("a, summary, [tabindex]", place);
    const focused = links.indexOf(document.activeElement);
    place.innerHTML = html;
    for (const id of opened) { const details = document.getElementById(id); if (details) details.open = true; }
    if (focused >= 0) { const again = every("a, summary, [tabindex]", place)[focused]; if (again) again.focus({ preventScroll: true }); }
    charts(place);
  }
  const state = (name, text) => {
    const shown = one("#live span");
    if (shown.className !== name || shown.textContent !== text) { shown.className = name; shown.textContent = text; }
  };
  let events = null;
  function follow() {
    if (events) events.close();
    events = null;
    if (document.hidden || !one("[data-live]")) return;
    events = new EventSource("/dashboard/events/" + location.search);
    events.onopen = () => state("on", "live");
    events.onerror = () => {
      state("lost", "not reached: the figures are old");
      if (events && events.readyState === EventSource.CLOSED) { events = null; setTimeout(() => { if (!events) follow(); }, 10000); }
    };
    for (const place of every("[data-live]")) events.addEventListener(place.dataset.live, (event) => put(place, event.data));
  }
  document.addEventListener("visibilitychange", follow);

  // Figures of a moment under the pointer.
  function charts(root) {
    for (const svg of every(".plot svg", root)) {
      const read = (line) => (one("polyline." + line, svg).getAttribute("points") || "").trim().split(" ").map((pair) => pair.split(",").map(Number));
      const lines = { "in use": read("held"), resident: read("resident") };
      const view = svg.viewBox.baseVal;
      let tip = null, cursor = null;
      svg.onpointerleave = () => { if (tip) { tip.remove(); cursor.remove(); tip = null; } };
      svg.onpointermove = (event) => {
        const box = svg.getBoundingClientRect(), x = (event.clientX - box.left) / box.width * view.width;
        let nearest = 0;
        lines.resident.forEach((point, nth) => { if (Math.abs(point[0] - x) < Math.abs(lines.resident[nearest][0] - x)) nearest = nth; });
        const at = lines.resident[nearest][0];
        if (!tip) {
          tip = make("div", "", { class: "tip" });
          svg.parentNode.append(tip);
          cursor = document.createElementNS("http://www.w3.org/2000/svg", "line");
          cursor.setAttribute("class", "cursor"); cursor.setAttribute("y1", "0"); cursor.setAttribute("y2", view.height);
          svg.append(cursor);
        }
        const seconds = Math.round((1 - at / view.width) * svg.dataset.ms / 1000);
        const ago = seconds < 120 ? seconds + " s ago" : seconds < 7200 ? Math.round(seconds / 60) + " min ago" : Math.round(seconds / 3600) + " h ago";
        const figure = (points) => size((1 - points[nearest][1] / view.height) * svg.dataset.top);
        tip.textContent = ago + ": " + Object.entries(lines).map(([name, points]) => name + " " + figure(points)).join(", ");
        cursor.setAttribute("x1", at); cursor.setAttribute("x2", at);
        const room = svg.parentNode.clientWidth - tip.offsetWidth;
        tip.style.left = Math.max(0, Math.min(room, box.left - svg.parentNode.getBoundingClientRect().left + at / view.width * box.width + 8)) + "px";
      };
    }
  }

  // The flame graph: laid out for the width there is, and for the box that was chosen.
  function flame(svg) {
    const ROW = 22, boxes = every("g", svg).map((g) => ({ g, d: +g.dataset.d, x: +g.dataset.x, w: +g.dataset.w, label: one("title", g).textContent }));
    if (!boxes.length) return;
    const at = one("#flame-at", svg.parentNode) || make("p");
    let chosen = boxes[0];
    const inside = (box, of) => box.x >= of.x && box.x + box.w <= of.x + of.w;
    const shown = () => boxes.filter((box) => !box.g.hasAttribute("hidden"));
    function layout() {
      const width = Math.max(200, svg.clientWidth || 1200), scale = width / chosen.w;
      let rows = 0;
      for (const box of boxes) {
        const above = box.d < chosen.d && inside(chosen, box), seen = above || (box.d >= chosen.d && inside(box, chosen) && box.w * scale >= 1);
        box.g.toggleAttribute("hidden", !seen);
        box.g.style.display = seen ? "" : "none";
        if (!seen) continue;
        rows = Math.max(rows, box.d + 1);
        const left = above ? 0 : (box.x - chosen.x) * scale, wide = above ? width : box.w * scale, room = Math.floor((wide - 8) / 7.3);
        const [rect, text] = [one("rect", box.g), one("text", box.g)];
        rect.setAttribute("x", left); rect.setAttribute("width", Math.max(1, wide - 1));
        text.setAttribute("x", left + 4);
        const name = box.g.dataset.n;
        text.textContent = name.length <= room ? name : room >= 4 ? name.slice(0, room - 1) + "…" : "";
        const said = text.textContent;
        box.g.setAttribute("aria-label", box.label.includes(said) ? box.label : said + " " + box.label);
        box.g.classList.toggle("past", above);
      }
      svg.setAttribute("viewBox", "0 0 " + width + " " + rows * ROW);
      svg.setAttribute("height", rows * ROW);
    }
    function focus(box) {
      if (!box) return;
      for (const other of boxes) other.g.setAttribute("tabindex", other === box ? "0" : "-1");
      box.g.focus({ preventScroll: false });
    }
    function choose(box) { chosen = box; layout(); at.textContent = box.label; }
    const of = (g) => boxes.find((box) => box.g === g);
    svg.addEventListener("click", (event) => { const box = of(event.target.closest("g")); if (box) { choose(box); focus(box); } });
    svg.addEventListener("focusin", (event) => { const box = of(event.target.closest("g")); if (box) at.textContent = box.label; });
    svg.addEventListener("pointerover", (event) => { const box = of(event.target.closest("g")); at.textContent = (box || chosen).label; });
    svg.addEventListener("keydown", (event) => {
      const box = of(event.target.closest("g"));
      if (!box) return;
      const peers = shown().filter((other) => other.d === box.d), nth = peers.indexOf(box);
      const move = {
        ArrowRight: () => focus(peers[nth + 1]), ArrowLeft: () => focus(peers[nth - 1]),
        ArrowUp: () => focus(shown().find((other) => other.d === box.d - 1 && inside(box, other))),
        ArrowDown: () => focus(shown().find((other) => other.d === box.d + 1 && inside(other, box))),
        Enter: () => choose(box), " ": () => choose(box), Escape: () => { choose(boxes[0]); focus(boxes[0]); },
      }[event.key];
      if (move) { event.preventDefault(); move(); }
    });
    new ResizeObserver(layout).observe(svg.parentNode);
    layout();
  }

  // Parts of other pages, shown in their place here.
  async function load(place, path, into = place) {
    try {
      const text = await ask(path);
      // Its main part alone: that page's style has a nonce of its own, which this page would refuse aloud.
      const page = new DOMParser().parseFromString(text.slice(text.indexOf("<main"), text.indexOf("</main>")), "text/html");
      const part = one("[data-part]", page);
      const box = make("div");
      if (part) box.append(...part.childNodes);
      into.replaceChildren(box);
    } catch (error) {
      into.replaceChildren(make("p", "This could not be shown: " + error.message + ".", { class: "empty" }));
    }
    ready(into);
  }
  function ready(root) {
    every(".flame", root).forEach(flame);
    charts(root);
    for (const details of every("details[data-load]", root)) {
      details.addEventListener("toggle", () => {
        if (!details.open || details.dataset.loaded) return;
        details.dataset.loaded = "yes";
        const box = make("div", "…");
        details.append(box);
        load(details, details.dataset.load, box);
      });
    }
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".more a");
    if (!link || !link.closest("[data-load]")) return;
    event.preventDefault();
    const box = make("div", "…");
    link.closest(".more").replaceWith(box);
    load(box, link.getAttribute("href"));
  });
  document.addEventListener("submit", (event) => {
    const form = event.target, place = one("#projects > [data-load]");
    if (!form.matches(".search") || !place) return;
    event.preventDefault();
    load(place, form.getAttribute("action") + "?" + new URLSearchParams(new FormData(form)));
  });

  // The desk: what the commands of administration do, asked for with the token.
  const dialog = one("#dialog");
  function answer(heading, content, yes) {
    one("#dialog-h").textContent = heading;
    one("#dialog-text").replaceChildren(content);
    const button = one("#dialog-yes");
    button.hidden = !yes;
    button.onclick = yes ? () => { dialog.close(); yes(); } : null;
    one("#dialog-no").textContent = yes ? "Leave it" : "Close";
    if (!dialog.open) dialog.showModal();
  }
  function describe(value) {
    if (value === null || typeof value !== "object") return make("span", value === null ? "–" : String(value));
    const entries = Object.entries(value);
    if (!entries.length) return make("span", "none");
    const list = make("dl");
    for (const [key, inner] of entries) {
      const shown = make("dd");
      shown.append(describe(inner));
      list.append(make("dt", Array.isArray(value) ? String(+key + 1) : key.replaceAll("_", " ")), shown);
    }
    return list;
  }
  function refused(error) {
    if (error.status === 401 || error.status === 403) {
      answer("Not without a token", make("p", "The administration needs a token of scope admin: type it below first. " + error.message + "."));
    } else answer("It was not done", make("p", error.message + "."));
  }
  async function press(button) {
    const name = button.textContent, path = button.dataset.post || button.dataset.get;
    const body = button.dataset.post ? JSON.parse(button.dataset.body) : undefined;
    const doIt = async () => { try { answer(name, describe(JSON.parse(await ask(path, body)))); } catch (error) { refused(error); } };
    if (button.dataset.try) {
      const would = describe(JSON.parse(await ask(path, { ...body, dry_run: true })));
      const box = make("div");
      box.append(make("p", button.dataset.try + " What would go:"), would);
      answer(name, box, () => { body.dry_run = false; doIt(); });
    } else if (button.dataset.sure) answer(name, make("p", button.dataset.sure), doIt);
    else await doIt();
  }
  const act = (text, path, body) => make("button", text, { "data-post": path, "data-body": JSON.stringify(body), type: "button" });
  async function profiles() {
    const known = JSON.parse(await ask("/admin/v1/memory/profiles/")), box = make("div");
    box.append(make("p", known.running.length + " under way, " + known.files.length + " kept."));
    for (const id of known.running) { const line = make("p", id + " "); line.append(act("Stop", "/admin/v1/memory/profiles/stop/", { profile_id: id })); box.append(line); }
    if (known.files.length) box.append(describe(known.files));
    answer("Heap profiles", box);
  }
  async function jobs() {
    const known = JSON.parse(await ask("/api/v1/jobs/?state=maxxed&limit=50")), box = make("div");
    if (!known.length) box.append(make("p", "None was given up."));
    for (const job of known) {
      const line = make("p", "job " + job.id + " of project " + job.project + ", period " + job.period + ": " + (job.reason || "no reason is known") + " ");
      line.append(act("Try again", "/api/v1/jobs/" + job.id + "/retry/", {}));
      box.append(line);
    }
    answer("Jobs that were given up", box);
  }
  function take() {
    const open = every("[data-finding]"), form = make("form"), box = make("div");
    if (!open.length) return answer("Take note", make("p", "No indicator is open."));
    const select = make("select", "", { id: "ack-id" });
    for (const one of open) select.append(make("option", one.dataset.finding + ": " + one.querySelector("p").textContent.slice(0, 80), { value: one.dataset.finding }));
    form.append(make("label", "Finding", { for: "ack-id" }), select, make("label", "Why", { for: "ack-note" }), make("input", "", { id: "ack-note", maxlength: "500" }));
    box.append(make("p", "Nobody is told of it for seven days."), form);
    answer("Take note", box, async () => {
      try { answer("Taken note", describe(JSON.parse(await ask("/admin/v1/findings/ack/", { id: +select.value, note: one("#ack-note", form).value })))); } catch (error) { refused(error); }
    });
  }
  async function sign() {
    const shown = one("#token-state");
    if (!token()) { shown.textContent = ""; return; }
    try { await ask("/admin/v1/deletions/"); shown.textContent = "the token is good"; } catch (error) { shown.textContent = error.message; }
  }
  if (desk) {
    one("#token-form").addEventListener("submit", (event) => {
      event.preventDefault();
      sessionStorage.setItem("rsr-token", one("#token").value);
      one("#token").value = "";
      sign();
      for (const place of every("#projects > [data-load]")) load(place, place.dataset.load);
    });
    one("#dialog-no").addEventListener("click", () => dialog.close());
    document.addEventListener("click", async (event) => {
      const button = event.target.closest("button");
      if (!button || button.disabled) return;
      const { post, get, ack, jobs: asksJobs, profiles: asksProfiles } = button.dataset;
      const work = post !== undefined || get !== undefined ? () => press(button) : ack !== undefined ? take : asksJobs !== undefined ? jobs : asksProfiles !== undefined ? profiles : null;
      if (!work) return;
      button.disabled = true;
      try { await work(); } catch (error) { refused(error); }
      button.disabled = false;
    });
    sign();
  }

  for (const place of every("[data-load]")) if (place.localName !== "details") load(place, place.dataset.load);
  ready(document);
  follow();
})();
