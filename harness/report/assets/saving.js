// Files: a figure as a drawing, and the numbers under it.

const SVG = "http://www.w3.org/2000/svg";
const XLINK = "http://www.w3.org/1999/xlink";
const FONTS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";
const GAP = 24;

let unpacked = null;

/** The texts that the page carries, by name; they are unpacked once, when the first one is asked for. */
function files() {
  unpacked ??= (async () => {
    const text = document.getElementById("files").textContent.trim();
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  })();
  return unpacked;
}

/** Put buttons below a figure, or before a table, that save it. */
function offerFiles(element) {
  const file = element.dataset.file;
  const name = file.replace(/\.csv$/, "");
  const drawn = panelsOf(element).length > 0;
  const kinds = drawn ? { SVG: () => asSvg(element), PNG: () => asPng(element) } : {};
  kinds.CSV = async () => new Blob([(await files())[file]], { type: "text/csv" });
  const row = make("p", { class: "save" }, "Save as ");
  const said = make("output", {});
  for (const [kind, content] of Object.entries(kinds)) {
    const label = `Save ${drawn ? "figure " : ""}${name} as ${kind}`;
    const button = make("button", { type: "button", "aria-label": label }, kind);
    button.addEventListener("click", async () => {
      try {
        offer(await content(), `${root.dataset.study}-${name}.${kind.toLowerCase()}`);
      } catch (error) {
        said.textContent = ` This browser can't: ${error.message}`;
      }
    });
    row.append(button, " ");
  }
  row.append(said);
  if (drawn || element.tagName === "FIGURE") element.append(row);
  else element.querySelector("summary").after(row);
}

/** Have the browser save a file. */
function offer(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

/** The panels of a figure in groups that stand below each other. */
function panelsOf(figure) {
  const groups = [...figure.querySelectorAll(".panels")];
  return groups.map((group) => [...group.querySelectorAll(":scope > svg")]).filter((group) => group.length);
}

/** All panels of a figure as one drawing: { text, width, height }. */
function drawingOf(figure) {
  const drawing = document.createElementNS(SVG, "svg");
  const groups = panelsOf(figure);
  const across = Math.max(...groups.flat().map((panel) => panel.viewBox.baseVal.width));
  // Two side by side as in the page, where most come in pairs; three in one row.
  const columns = Math.max(...groups.map(({ length }) => (length % 2 ? Math.min(length, 3) : 2)));
  const width = columns * (across + GAP) + GAP;
  let y = addLegend(drawing, figure, width);
  for (const group of groups) {
    for (let start = 0; start < group.length; start += columns) {
      const row = group.slice(start, start + columns);
      row.forEach((panel, i) => addPanel(drawing, panel, GAP + i * (across + GAP), y));
      y += Math.max(...row.map((panel) => panel.viewBox.baseVal.height)) + GAP;
    }
  }
  describe(drawing, figure);
  const sizes = { viewBox: `0 0 ${width} ${y}`, width, height: y };
  const style = { "font-family": FONTS, "stroke-linejoin": "round", "stroke-linecap": "butt" };
  for (const [name, value] of Object.entries({ ...sizes, ...style })) drawing.setAttribute(name, value);
  return { text: inLightColours(new XMLSerializer().serializeToString(drawing)), width, height: y };
}

function addPanel(drawing, panel, x, y) {
  const copy = panel.cloneNode(true);
  const { width, height } = panel.viewBox.baseVal;
  copy.removeAttribute("aria-labelledby");
  for (const [name, value] of Object.entries({ x, y, width, height, overflow: "visible" })) {
    copy.setAttribute(name, value);
  }
  for (const element of copy.querySelectorAll("[href]")) {
    // Drawing programs know the older name alone.
    element.setAttributeNS(XLINK, "xlink:href", element.getAttribute("href"));
    element.removeAttribute("href");
  }
  drawing.append(copy);
}

/** The legend's lines and names in rows, from the top; where the panels begin below it. */
function addLegend(drawing, figure, width) {
  const measure = document.createElement("canvas").getContext("2d");
  measure.font = `13px ${FONTS}`;
  let [x, y] = [GAP, GAP];
  for (const item of figure.querySelectorAll(".legend li")) {
    const name = item.textContent.trim();
    const wide = 36 + measure.measureText(name).width + GAP;
    if (x > GAP && x + wide > width) [x, y] = [GAP, y + 20];
    const line = item.querySelector("svg").cloneNode(true);
    for (const [key, value] of Object.entries({ x, y, width: 28, height: 8 })) line.setAttribute(key, value);
    const text = document.createElementNS(SVG, "text");
    text.textContent = name;
    text.setAttribute("style", "font-size:13px;fill:var(--ink)");
    text.setAttribute("x", x + 36);
    text.setAttribute("y", y + 8.5);
    drawing.append(line, text);
    x += wide;
  }
  return x === GAP ? y : y + GAP;
}

/** The heading above a figure as the drawing's title, the caption as its description. */
function describe(drawing, figure) {
  const [title, words] = ["title", "desc"].map((tag) => document.createElementNS(SVG, tag));
  const heading = figure.closest("details[id], section")?.querySelector("h2, h3");
  title.textContent = heading?.textContent ?? document.title;
  words.textContent = figure.querySelector("figcaption").textContent;
  drawing.prepend(title, words);
}

/** Text with the page's variables replaced by the light colours that they stand for. */
function inLightColours(text) {
  const probe = make("span", { class: "light", hidden: "" });
  document.body.append(probe);
  const colours = getComputedStyle(probe);
  const resolved = text.replace(/var\((--[\w-]+)\)/g, (_, name) => colours.getPropertyValue(name).trim());
  probe.remove();
  return resolved;
}

function asSvg(figure) {
  return new Blob([drawingOf(figure).text], { type: "image/svg+xml" });
}

/** The drawing on white, two dots to a unit. */
async function asPng(figure) {
  const { text, width, height } = drawingOf(figure);
  const image = new Image();
  const ready = new Promise((done, failed) => {
    image.onload = done;
    image.onerror = () => failed(new Error("the drawing is not shown as a picture"));
  });
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await ready;
  const canvas = make("canvas", { width: Math.ceil(2 * width), height: Math.ceil(2 * height) });
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}
