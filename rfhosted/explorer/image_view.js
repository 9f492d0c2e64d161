// The image of the explorer that one can look into; image_view.py describes what it exchanges with
// Python. A widget has one store, and a view for each place where it is displayed. At rest a view
// shows the JPEG that Python drew. While the threshold moves it shows the photo and draws the
// boxes itself, because that needs no request to the kernel. All texts are set as text, never as
// markup.
const SVG = "http://www.w3.org/2000/svg";
const MOST_ZOOM = 40, CLICK = 4, QUIET = 150, PATIENCE = 5000; // pixels, milliseconds
const MOST_SIDE = 1280; // pixels of the drawn image
const KEYS = "Plus and minus zoom, 0 fits, arrow keys pan, N and P go through the objects, Enter"
  + " isolates one, Escape shows all.";
let views = 0;

const same = (a, b) => Math.abs(a - b) < 1e-9;
const title = (item) => item.name
  + (item.confidence === null ? "" : ` ${item.confidence.toFixed(2)}`);
const area = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0);
const holds = ([x0, y0, x1, y1], [x, y]) => x0 <= x && x <= x1 && y0 <= y && y <= y1;
const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

function make(parent, tag, className, attributes = {}) {
  const node = document.createElement(tag);
  node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent.append(node);
  return node;
}

function shape(parent, tag, attributes = {}) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent.append(node);
  return node;
}

function rectangle(node, [x0, y0, x1, y1]) {
  const sides = { x: x0, y: y0, width: Math.max(0, x1 - x0), height: Math.max(0, y1 - y0) };
  for (const [name, value] of Object.entries(sides)) node.setAttribute(name, value);
}

// What Python sent, shared by all views of a widget.
function createStore(model) {
  const store = { shown: null, photo: null, drawn: null, moving: false, side: MOST_SIDE,
    listeners: new Set() };
  let settled = true, timer = 0, limit = 0, requested = "";
  const changed = (what) => store.listeners.forEach((listener) => listener(what));
  const url = (buffer) => URL.createObjectURL(new Blob([buffer], { type: "image/jpeg" }));

  store.threshold = () => store.moving ? model.get("confidence") : store.shown.confidence;
  store.visible = () => (store.shown?.objects ?? []).filter(
    (item) => item.confidence === null || item.confidence >= store.threshold());
  store.find = (id) => store.visible().find((item) => item.id === id);
  store.atRest = () => store.drawn !== null && (!store.shown.live
    || (store.drawn.version === store.shown.version && !store.moving));
  store.request = (full) => {
    const { version } = store.shown, { side } = store, wanted = `${version} ${full} ${side}`;
    if (wanted !== requested) model.send({ kind: "draw", version, full, side });
    requested = wanted;
  };
  store.resize = (side) => { // a little larger or smaller is scaled by the browser
    if (side > 0.9 * store.side && side < 1.1 * store.side) return;
    store.side = side;
    if (!store.shown?.live) model.send({ kind: "resize", side });
    else if (!store.moving) store.request(false);
  };
  store.pixel = () => Math.max(1, Math.max(...store.shown.size) / store.side);

  function rest() { // the threshold moves no more: what Python draws can be shown
    const reached = same(store.shown.confidence, model.get("confidence"));
    if (store.moving && (!settled || !reached)) return;
    clearTimeout(limit);
    store.moving = false;
    if (store.shown.live && store.drawn?.version !== store.shown.version) store.request(false);
  }

  function moved() {
    if (!store.shown?.live || !model.get("follows") || model.get("confidence") === null) return;
    clearTimeout(timer), clearTimeout(limit);
    store.moving = true, settled = false;
    timer = setTimeout(() => { settled = true; rest(); changed("threshold"); }, QUIET);
    limit = setTimeout(() => { // Python refused this threshold
      store.moving = false; rest(); changed("threshold");
    }, PATIENCE);
    changed("threshold");
  }

  async function decoded(buffer) { // ahead, so that nothing flashes when it is shown
    const image = new Image();
    image.src = url(buffer);
    await image.decode();
    return image;
  }

  function replace(name, image, version) {
    const old = store[name]?.url;
    store[name] = { version, url: image.src, width: image.naturalWidth };
    if (old) setTimeout(() => URL.revokeObjectURL(old), 1000); // views change to the new one first
  }

  async function show({ objects = store.shown?.objects, ...message }, buffers) {
    const images = await Promise.all(buffers.map(decoded));
    const same_place = String(message.frame) === String(store.shown?.frame);
    store.shown = { ...message, objects };
    if (message.photo) replace("photo", images.shift());
    if (message.photo || !same_place) store.drawn = null; // it is of another image
    if (message.drawn) replace("drawn", images.shift(), message.version);
    rest();
    changed(same_place ? "objects" : "image");
  }

  async function drawn({ version }, buffers) {
    const [image] = await Promise.all(buffers.map(decoded));
    if (version !== store.shown?.version) return URL.revokeObjectURL(image.src);
    replace("drawn", image, version);
    changed("drawn");
  }

  function download({ name }, [buffer]) {
    const link = document.createElement("a");
    Object.assign(link, { href: url(buffer), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  function clear() {
    store.shown = store.drawn = null;
    changed("image");
  }

  const handlers = { show, drawn, download, clear };
  let queue = Promise.resolve(); // one after the other, though images take time
  model.on("change:confidence", moved);
  model.on("msg:custom", (message, buffers) => {
    queue = queue.then(() => handlers[message.kind](message, buffers)).catch(console.error);
  });
  return store;
}

// The boxes as the browser draws them while the threshold moves.
function drawObjects(parent, shown, pixel) {
  parent.replaceChildren();
  const shapes = shape(parent, "g"), labels = shape(parent, "g"); // labels are on top
  return new Map(shown.objects.map((item) => {
    const group = shape(shapes, "g"), { layers } = shown;
    const paint = { stroke: item.colour, fill: "none" };
    if (item.mask && layers.includes("masks")) {
      shape(group, "path", { d: item.mask, fill: item.colour, "fill-opacity": 0.45,
        "fill-rule": "evenodd" });
    }
    if (item.mask && layers.includes("polygons")) shape(group, "path", { d: item.mask, ...paint });
    if (layers.includes("boxes")) rectangle(shape(group, "rect", paint), item.box);
    if (layers.includes("keypoints")) {
      for (const [x, y] of item.points ?? []) {
        shape(group, "circle", { cx: x, cy: y, r: 3 * pixel, fill: item.colour,
          stroke: "#fff", "stroke-width": pixel });
      }
    }
    const label = shape(labels, "g", { class: "rfhosted-label" });
    shape(label, "rect", { fill: item.colour });
    shape(label, "text", { fill: item.ink });
    return [item.id, { group, label }];
  }));
}

// The width of a text in parts of its font size.
const ruler = document.createElement("canvas").getContext("2d"), widths = new Map();
ruler.font = "100px sans-serif"; // as in image_view.css
function width(words) {
  if (!widths.has(words)) widths.set(words, ruler.measureText(words).width / 100);
  return widths.get(words);
}

// Labels at some boxes, of the highest confidence first, none over another.
function drawLabels(groups, visible, size, many) {
  const taken = [];
  for (const item of [...visible].sort((a, b) => b.confidence - a.confidence)) {
    const { label } = groups.get(item.id), [back, text] = label.children;
    const words = item.name + (many ? "" : item.score);
    const wide = (width(words) + 0.4) * size, high = 1.45 * size;
    const x = Math.max(0, item.box[0]), y = Math.max(0, item.box[1] - high);
    const covers = taken.some(([left, top, width]) =>
      x < left + width && left < x + wide && Math.abs(y - top) < high);
    label.style.display = covers ? "none" : "";
    if (covers) continue;
    taken.push([x, y, wide]);
    const made = `${size} ${words}`;
    if (label.dataset.made === made) continue;
    label.dataset.made = made;
    rectangle(back, [x, y, x + wide, y + high]);
    text.textContent = words;
    const place = { x: x + 0.2 * size, y: y + 1.1 * size, "font-size": size };
    for (const [name, value] of Object.entries(place)) text.setAttribute(name, value);
  }
}

function createView(model, store, el) {
  const id = `view-${++views}`;
  const root = make(el, "div", "rfhosted-view");
  const lit = make(root, "style", "");
  const stage = make(root, "div", "rfhosted-stage", { tabindex: 0, role: "application" });
  const world = make(stage, "div", "rfhosted-world");
  const photo = make(world, "img", "rfhosted-photo", { alt: "", draggable: "false" });
  const drawn = make(world, "img", "rfhosted-drawn", { draggable: "false" });
  const svg = shape(world, "svg", { "aria-hidden": "true" });
  const preview = shape(svg, "g", { class: "rfhosted-preview" });
  const holes = shape(svg, "mask", { id, maskUnits: "userSpaceOnUse" });
  const dim = shape(svg, "rect", { class: "rfhosted-dim", mask: `url(#${id})` });
  const rings = ["rfhosted-edge", "rfhosted-glow", "rfhosted-ring"].map(
    (name) => shape(svg, "rect", { class: name }));
  const rubber = shape(svg, "rect", { class: "rfhosted-rubber" });
  const prompts = shape(svg, "g", { class: "rfhosted-prompts" });
  const tip = make(root, "div", "rfhosted-tip", { "aria-hidden": "true" });
  const spoken = make(root, "div", "rfhosted-spoken", { "aria-live": "polite" });
  const tools = make(root, "div", "rfhosted-tools", { role: "toolbar", "aria-label": "Image" });
  const frame = () => store.shown?.frame ?? [0, 0, 1, 1];
  let groups = new Map(), built = {}, fit = 1, zoom = 1, left = 0, top = 0, waiting = 0;

  function button(text, label, handler) {
    const node = make(tools, "button", "", { type: "button", title: label, "aria-label": label });
    node.textContent = text;
    node.addEventListener("click", handler);
  }
  button("+", "Zoom in", () => zoomBy(1.5));
  button("−", "Zoom out", () => zoomBy(1 / 1.5));
  button("Fit", "Fit the whole image", () => home());
  button("1:1", "Full size: a pixel of the image is a pixel of the page", () => zoomBy(1 / fit / zoom));
  button("Download", "Download the annotated image", () => model.send({ kind: "download" }));

  // Places. The world has the size of the fitted image; zoom and pan are its CSS transform.

  function place() {
    const [, , width, height] = frame();
    fit = Math.min(stage.clientWidth / width, stage.clientHeight / height) || 1;
    tools.classList.toggle("rfhosted-row", stage.clientWidth - width * fit < 160);
    const shownWidth = width * fit * zoom, shownHeight = height * fit * zoom;
    const inside = (offset, room, size) => size <= room ? (room - size) / 2
      : clamp(offset, room - size, 0);
    left = inside(left, stage.clientWidth, shownWidth);
    top = inside(top, stage.clientHeight, shownHeight);
    world.style.width = `${width * fit}px`;
    world.style.height = `${height * fit}px`;
    world.style.transform = `translate(${left}px, ${top}px) scale(${zoom})`;
    stage.dataset.zoom = zoom.toFixed(3);
    stage.classList.toggle("rfhosted-zoomed", zoom > 1);
    clearTimeout(waiting);
    waiting = setTimeout(detail, QUIET);
  }

  function detail() { // the image as large as its place, or at full size once it would be seen
    if (store.shown && stage.clientWidth) {
      const [width, height] = store.shown.size;
      const side = Math.max(width, height)
        * Math.min(stage.clientWidth / width, stage.clientHeight / height) * devicePixelRatio;
      store.resize(Math.round(Math.min(side, MOST_SIDE)));
    }
    if (zoom === 1 || !store.shown || !store.atRest()) return;
    const wanted = world.getBoundingClientRect().width * devicePixelRatio;
    const { width } = store.drawn;
    if (wanted > 1.1 * width && width < store.shown.full_width) store.request(true);
  }

  function zoomBy(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
    const next = clamp(zoom * factor, 1, MOST_ZOOM), real = next / zoom;
    left = x - (x - left) * real;
    top = y - (y - top) * real;
    zoom = next;
    place();
  }

  function home() {
    zoom = 1;
    place();
  }

  function panBy(x, y) {
    left += x;
    top += y;
    place();
  }

  function original(event) { // pixels of the original, upright image
    const box = world.getBoundingClientRect(), [x, y, width, height] = frame();
    return [x + (event.clientX - box.left) / box.width * width,
      y + (event.clientY - box.top) / box.height * height];
  }
  const within = (point) => store.shown && holds([0, 0, ...store.shown.size], point);
  const bounded = ([x, y]) => {
    const [width, height] = store.shown.size;
    return [clamp(x, 0, width), clamp(y, 0, height)];
  };

  // What is lit, and what is isolated.

  function under(point) {
    const found = store.visible().filter((item) => holds(item.box, point));
    return found.sort((a, b) => area(a.box) - area(b.box))[0] ?? null;
  }

  function set(name, value) {
    model.set(name, value);
    model.save_changes();
  }

  function hover(item, event) {
    if ((item?.id ?? null) !== model.get("hovered")) set("hovered", item?.id ?? null);
    tip.style.display = item && event ? "block" : "none";
    if (!item || !event) return;
    tip.textContent = title(item);
    const box = root.getBoundingClientRect();
    const x = event.clientX - box.left + 12, y = event.clientY - box.top + 16;
    tip.style.left = `${clamp(x, 0, Math.max(0, box.width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${clamp(y, 0, Math.max(0, box.height - tip.offsetHeight - 4))}px`;
  }

  function isolate(item, add = false) {
    const now = model.get("selected"), had = item && now.includes(item.id);
    if (!item) set("selected", []);
    else if (add) set("selected", had ? now.filter((one) => one !== item.id) : [...now, item.id]);
    else set("selected", had && now.length === 1 ? [] : [item.id]);
  }

  function step(by) {
    const items = store.visible();
    if (!items.length) return;
    const at = items.findIndex((item) => item.id === model.get("hovered"));
    const next = at < 0 ? (by > 0 ? 0 : items.length - 1) : (at + by + items.length) % items.length;
    hover(items[next]);
    say(`${title(items[next])}, ${next + 1} of ${items.length}`);
  }

  function say(text) {
    if (spoken.textContent !== text) spoken.textContent = text;
  }

  function paintMarks() {
    const item = store.shown && store.find(model.get("hovered"));
    for (const ring of rings) {
      ring.style.display = item ? "block" : "none";
      if (item) rectangle(ring, item.box);
    }
    if (item) rings[2].setAttribute("stroke", item.colour);
    if (!item) tip.style.display = "none";
    const chosen = store.shown ? store.visible().filter(
      (one) => model.get("selected").includes(one.id)) : [];
    dim.style.display = chosen.length ? "block" : "none";
    const [x, y, width, height] = frame();
    holes.replaceChildren(); // a mask, because boxes overlap
    const edge = 2 * width / (world.clientWidth || width); // no bright line along the image
    const past = [x - edge, y - edge, x + width + edge, y + height + edge];
    for (const node of [holes, dim, shape(holes, "rect", { fill: "#fff" })]) rectangle(node, past);
    for (const one of chosen) rectangle(shape(holes, "rect", { fill: "#000" }), one.box);
    const row = (one) => `[data-view="${id}"] [data-object="${one.id}"]`;
    lit.textContent = (item ? `${row(item)} {outline: 2px solid #0072B2; outline-offset: -2px;
      background: rgba(86, 180, 233, 0.3)}` : "")
      + chosen.map((one) => `${row(one)} {font-weight: bold}`).join("");
    const panel = home_of(stage);
    if (panel) panel.dataset.view = id;
    return chosen;
  }
  const home_of = (node) => node.closest(".rfhosted-panel");

  function selected() {
    const chosen = paintMarks();
    say(chosen.length ? `Isolated: ${chosen.map(title).join(", ")}. Escape shows all.` : "");
  }

  // Drawing.

  function paintObjects() {
    const rest = store.shown && store.atRest();
    drawn.style.visibility = rest ? "visible" : "hidden";
    preview.style.display = rest || !store.shown?.live ? "none" : "block";
    root.dataset.state = !store.shown ? "empty" : rest ? "drawn" : "preview";
    if (store.shown?.live) {
      const shown = store.visible(), visible = new Set(shown.map((item) => item.id));
      const { line, crowd } = store.shown, many = visible.size > crowd, pixel = store.pixel();
      const side = Math.sqrt(store.shown.size[0] * store.shown.size[1]) / pixel;
      const size = Math.round(Math.max(11, side / 52) * (many && side > 600 ? 0.75 : 1)) * pixel;
      const wide = (line ?? Math.ceil(side / (many ? 500 : 330))) * pixel;
      preview.setAttribute("stroke-width", wide);
      for (const [key, { group, label }] of groups) {
        group.style.display = visible.has(key) ? "" : "none";
        if (!visible.has(key)) label.style.display = "none";
      }
      root.dataset.visible = visible.size;
      preview.classList.toggle("rfhosted-unlabelled", !store.shown.labels);
      if (store.shown.labels && !rest) drawLabels(groups, shown, size, many);
    }
    paintMarks();
  }

  function paintAll() {
    const { shown } = store;
    world.style.display = shown ? "block" : "none";
    if (shown) {
      const [x, y, width, height] = shown.frame;
      svg.setAttribute("viewBox", `${x} ${y} ${width} ${height}`);
      if (store.photo && photo.src !== store.photo.url) photo.src = store.photo.url;
      photo.style.display = shown.live ? "block" : "none";
      const layers = String(shown.layers);
      if (shown.live && (shown.objects !== built.objects || layers !== built.layers)) {
        groups = drawObjects(preview, shown, store.pixel());
        built = { objects: shown.objects, layers };
      }
    }
    paintObjects();
    place();
  }

  function draw(what) {
    if (store.shown) stage.setAttribute("aria-label", `${store.shown.alt}. ${KEYS}`);
    else stage.setAttribute("aria-label", `No image yet. ${KEYS}`);
    drawn.alt = store.shown?.alt ?? "";
    if (store.drawn && drawn.src !== store.drawn.url) drawn.src = store.drawn.url;
    if (what === "image") zoom = 1;
    if (what === "image" || what === "objects") paintAll();
    else paintObjects();
    if (what === "drawn") detail();
  }

  // Pointers: a click, a drag that pans or draws a box, two fingers that zoom.

  const pointers = new Map();
  let drag = null;

  function down(event) {
    if (event.button > 0 || !store.shown) return;
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    const boxes = model.get("mode") === "box" || event.shiftKey;
    drag = { at: [event.clientX, event.clientY], from: original(event), boxes, far: false };
    if (pointers.size > 1) drag.far = true, drag.boxes = false;
  }

  function move(event) {
    if (!pointers.has(event.pointerId)) {
      const point = original(event);
      return hover(store.shown && within(point) ? under(point) : null, event);
    }
    const [x, y] = pointers.get(event.pointerId), old = spread();
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    const moved = Math.hypot(event.clientX - drag.at[0], event.clientY - drag.at[1]);
    drag.far ||= moved > CLICK;
    if (pointers.size === 2) {
      const box = stage.getBoundingClientRect(), [a, b] = [...pointers.values()];
      zoomBy(spread() / old, (a[0] + b[0]) / 2 - box.left, (a[1] + b[1]) / 2 - box.top);
    } else if (drag.far && drag.boxes) {
      hover(null);
      rubber.style.display = "block";
      rectangle(rubber, corners(event));
    } else if (drag.far) {
      hover(null);
      panBy(event.clientX - x, event.clientY - y);
    }
  }
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return b ? Math.hypot(a[0] - b[0], a[1] - b[1]) || 1 : 1;
  };
  const corners = (event) => {
    const [a, b] = [bounded(drag.from), bounded(original(event))];
    return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]),
      Math.max(a[1], b[1])];
  };

  function up(event) {
    if (!pointers.delete(event.pointerId) || pointers.size || !drag) return;
    rubber.style.display = "none";
    if (event.type === "pointerup" && store.shown) finish(event);
    drag = null;
  }

  function report(name, values) {
    set(name, { ...values, count: (model.get(name).count ?? 0) + 1 });
  }

  function finish(event) {
    const point = original(event);
    if (drag.far && drag.boxes) {
      const [x0, y0, x1, y1] = corners(event);
      if (x1 > x0 && y1 > y0) report("boxed", { x0, y0, x1, y1, shift: event.shiftKey });
    } else if (!drag.far && within(point)) {
      report("clicked", { x: point[0], y: point[1], shift: event.shiftKey });
      const plain = !event.shiftKey && model.get("mode") === "view";
      if (plain) isolate(under(point), event.ctrlKey || event.metaKey);
    } else if (!drag.far) isolate(null);
  }

  function wheel(event) {
    if (!store.shown || (event.deltaY > 0 && zoom === 1)) return; // the page scrolls
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    const speed = event.ctrlKey ? 0.01 : 0.002, lines = event.deltaMode ? 20 : 1;
    zoomBy(Math.exp(-clamp(event.deltaY * lines, -250, 250) * speed),
      event.clientX - box.left, event.clientY - box.top);
  }

  const keys = {
    "+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5),
    _: () => zoomBy(1 / 1.5), 0: home,
    ArrowLeft: () => panBy(60, 0), ArrowRight: () => panBy(-60, 0),
    ArrowUp: () => panBy(0, 60), ArrowDown: () => panBy(0, -60),
    n: () => step(1), p: () => step(-1),
    Enter: () => isolate(store.find(model.get("hovered")) ?? null),
    Escape: () => { hover(null); isolate(null); },
  };
  function key(event) {
    const handler = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!handler || event.ctrlKey || event.metaKey || event.altKey || !store.shown) return;
    if (event.key.startsWith("Arrow") && zoom === 1) return; // the page scrolls
    event.preventDefault();
    event.stopPropagation();
    handler();
  }

  // Rows of the panel that name an object: data-object is its id.

  function rowItem(target) {
    const row = target?.closest?.("[data-object]");
    const ours = row && home_of(stage) && home_of(row) === home_of(stage);
    return ours && store.shown ? store.find(Number(row.dataset.object)) : undefined;
  }
  function rowOver(event) {
    const item = rowItem(event.target);
    if (item) hover(item);
  }
  function rowOut(event) {
    const item = rowItem(event.target);
    if (item && item !== rowItem(event.relatedTarget)) hover(null);
  }
  function rowClick(event) {
    const item = rowItem(event.target);
    if (item) isolate(item, event.ctrlKey || event.metaKey);
  }
  function rowKey(event) {
    const item = event.key === "Enter" || event.key === " " ? rowItem(event.target) : undefined;
    if (!item || !event.target.hasAttribute("data-object")) return; // a button clicks by itself
    event.preventDefault();
    isolate(item);
  }

  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take "0" for its own
  const outside = { pointerover: rowOver, pointerout: rowOut, focusin: rowOver, focusout: rowOut,
    click: rowClick, keydown: rowKey };
  for (const [name, handler] of Object.entries(outside)) document.addEventListener(name, handler);
  stage.addEventListener("pointerdown", down);
  stage.addEventListener("pointermove", move);
  stage.addEventListener("pointerup", up);
  stage.addEventListener("pointercancel", up);
  stage.addEventListener("pointerleave", () => hover(null));
  stage.addEventListener("wheel", wheel, { passive: false });
  stage.addEventListener("keydown", key);
  const resized = new ResizeObserver(place);
  resized.observe(stage);

  function paintPrompts() {
    prompts.replaceChildren();
    for (const { point, box, belongs } of model.get("marks")) {
      const d = point ? `M${point}h0` : `M${box[0]} ${box[1]}H${box[2]}V${box[3]}H${box[0]}Z`;
      const kind = point ? "rfhosted-point" : "rfhosted-box";
      for (const part of ["edge", belongs ? "yes" : "no"]) {
        shape(prompts, "path", { d, class: `${kind} rfhosted-prompt-${part}` });
      }
    }
  }
  const heights = () => { root.style.height = `${model.get("height")}px`; };
  const modes = () => { stage.dataset.mode = model.get("mode"); };
  const traits = { height: heights, mode: modes, hovered: paintMarks, selected,
    marks: paintPrompts };
  for (const [name, handler] of Object.entries(traits)) model.on(`change:${name}`, handler);
  store.listeners.add(draw);
  heights(), modes(), draw("image"), paintPrompts();

  return () => {
    store.listeners.delete(draw);
    resized.disconnect();
    for (const [name, handler] of Object.entries(traits)) model.off(`change:${name}`, handler);
    for (const [name, handler] of Object.entries(outside)) {
      document.removeEventListener(name, handler);
    }
  };
}

export default () => {
  let store;
  return {
    initialize({ model }) {
      store = createStore(model);
      model.send({ kind: "ready" });
    },
    render: ({ model, el }) => createView(model, store, el),
  };
};
