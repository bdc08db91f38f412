// Follows report.js, in the same script.
// Surfaces that are turned with the mouse. plotly.js lies packed in the page; it is unpacked and run when the first
// surface is asked for. The pictures above the surfaces show the same without it.

document.addEventListener("DOMContentLoaded", () => {
  for (const figure of document.querySelectorAll("figure[data-surfaces]")) offerTurning(figure);
});

let plotly = null;

/** plotly.js, run once. */
function drawer() {
  plotly ??= (async () => {
    document.head.append(make("script", {}, (await files())["plotly-gl3d.min.js"]));
    return window.Plotly;
  })();
  return plotly;
}

/** Put below a figure a button that opens its surfaces, and closes them. */
function offerTurning(figure) {
  const button = make("button", { type: "button", "aria-expanded": "false" }, "Turn it with the mouse");
  const stage = make("div", { class: "panels", hidden: "" });
  const said = make("output", {});
  figure.append(make("p", { class: "save" }, button, said), stage);
  button.addEventListener("click", async () => {
    stage.hidden = !stage.hidden;
    button.setAttribute("aria-expanded", String(!stage.hidden));
    if (stage.childElementCount) return;
    said.textContent = " One moment …";
    try {
      const graphs = JSON.parse((await files())[figure.dataset.surfaces]);
      await drawSurfaces(await drawer(), stage, graphs);
      said.textContent = " Drag: turn. Wheel: nearer and farther. All turn together.";
    } catch (error) {
      said.textContent = ` This browser can't: ${error.message}`;
    }
  });
}

/** Draw graphs side by side, seen from one place. */
async function drawSurfaces(Plotly, stage, graphs) {
  const drawn = [];
  for (const { title, data, layout } of graphs) {
    const graph = make("div", { class: "surface", role: "img", "aria-label": `${title}: a surface to turn` });
    stage.append(make("div", {}, make("h4", {}, title), graph));
    const frame = { margin: { l: 0, r: 0, t: 0, b: 0 }, uirevision: "stays", dragmode: "turntable" };
    Object.assign(layout.scene, { camera: { eye: { x: 1.3, y: -1.75, z: 0.9 }, center: { x: 0, y: 0, z: -0.15 } } });
    await Plotly.newPlot(graph, data, { ...layout, ...frame }, { displayModeBar: false, responsive: true });
    drawn.push(graph);
  }
  const dress = () => drawn.forEach((graph) => Plotly.relayout(graph, inPageColours()));
  dress();
  new MutationObserver(dress).observe(root, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", dress);
  for (const graph of drawn) {
    const follow = (change) => {
      const camera = change["scene.camera"];
      if (!camera) return;
      for (const other of drawn) if (other !== graph) Plotly.update(other, {}, { "scene.camera": camera });
    };
    graph.on("plotly_relayouting", follow);  // while the mouse moves
    graph.on("plotly_relayout", follow);
  }
}

/** What plotly is told of the page's colours. */
function inPageColours() {
  const colours = getComputedStyle(root);
  const of = (name) => colours.getPropertyValue(name).trim();
  const change = { paper_bgcolor: "rgba(0,0,0,0)", "font.color": of("--muted"), "font.size": 11 };
  for (const axis of ["xaxis", "yaxis", "zaxis"]) {
    change[`scene.${axis}.gridcolor`] = of("--grid");
    change[`scene.${axis}.zerolinecolor`] = of("--grid");
  }
  return change;
}
