// What stock widgets cannot do in the page: copy buttons, images that are dropped or pasted, and
// keys that JupyterLab would take for its own. page_script.py describes the messages.
const PATIENCE = 50; // milliseconds between looks for the panel, which is attached after its parts
const THANKS = 1500; // milliseconds

async function toClipboard(text) {
  try { // a promise of the text: some browsers take nothing that comes later than the click
    const blob = text.then((value) => new Blob([value], { type: "text/plain" }));
    await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
  } catch { // no secure context, or an older browser
    const area = document.createElement("textarea");
    area.value = await text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

function follow(model, panel, signal) {
  const waiting = new Map();
  let number = 0;
  const on = (name, handler) => panel.addEventListener(name, handler, { signal });
  const received = (message) => {
    if (message.kind !== "copy") return;
    waiting.get(message.id)?.(message.text);
    waiting.delete(message.id);
  };
  model.on("msg:custom", received);
  signal.addEventListener("abort", () => model.off("msg:custom", received));

  async function copy(button) {
    const id = number += 1;
    const text = new Promise((resolve) => waiting.set(id, resolve));
    model.send({ kind: "copy", id, what: button.dataset.copy });
    await toClipboard(text);
    const label = button.dataset.label ??= button.textContent;
    button.textContent = "Copied";
    button.focus();
    setTimeout(() => { button.textContent = label; }, THANKS);
  }

  async function take(event, files) {
    const file = [...files ?? []].find((each) => each.type.startsWith("image/"));
    if (!file) return;
    event.preventDefault();
    const { name, size } = file, limit = model.get("limit");
    const buffers = size > limit ? [] : [await file.arrayBuffer()];
    model.send({ kind: "image", name, size }, undefined, buffers);
  }

  const carriesFiles = (event) => [...event.dataTransfer?.types ?? []].includes("Files");
  const mark = (over) => panel.classList.toggle("rfhosted-drop", over);
  on("click", (event) => {
    const button = event.target.closest("button[data-copy]");
    if (button) copy(button);
  });
  // JupyterLab looks at the focused element alone: arrow keys stay in lists and choices.
  on("focusin", (event) => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
  on("paste", (event) => take(event, event.clipboardData?.files));
  on("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    mark(true);
  });
  on("dragleave", (event) => { if (!panel.contains(event.relatedTarget)) mark(false); });
  on("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault(); // or the browser would leave the page and open the file
    mark(false);
    take(event, event.dataTransfer.files);
  });
  panel.classList.add("rfhosted-live");
}

export default {
  render({ model, el }) {
    const end = new AbortController();
    const look = () => {
      const panel = el.closest(".rfhosted-panel");
      if (panel) follow(model, panel, end.signal);
      else if (!end.signal.aborted) setTimeout(look, PATIENCE);
    };
    look();
    return () => end.abort();
  },
};
