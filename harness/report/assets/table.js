// The table of all runs: sorted, searched and filtered.

// So many rows are shown at first: they are sorted in 35 ms, all 1,440 would take 150.
const FIRST_ROWS = 200;

/** A run each: its rows (a second one tells its error), the texts of its cells, and all that it says. */
function entriesOf(table) {
  const entries = [];
  for (const row of table.tBodies[0].rows) {
    if (row.className === "error") entries.at(-1).rows.push(row);
    else entries.push({ rows: [row], cells: [...row.cells].map((cell) => cell.textContent.trim()) });
  }
  for (const entry of entries) entry.text = entry.rows.map((row) => row.textContent).join(" ").toLowerCase();
  return entries;
}

/** Let the reader sort, filter and search the table. */
function enliven(table) {
  const entries = entriesOf(table);
  const tools = make("div", { class: "tools" });
  const count = make("output", {});
  const more = make("button", { type: "button" }, "Show all");
  let order = entries;
  let most = FIRST_ROWS;
  const fits = offerFilters(tools, table, entries);
  const show = () => {
    let found = 0;
    for (const entry of order) {
      const wanted = fits(entry);
      found += wanted;
      for (const row of entry.rows) row.hidden = !wanted || found > most;
    }
    more.hidden = found <= most;
    const rest = more.hidden ? "" : `, the first ${most} shown`;
    count.textContent = `${found.toLocaleString("en")} of ${entries.length.toLocaleString("en")} runs${rest}`;
  };
  offerOrders(table, entries, (sorted) => {
    order = sorted;
    show();
    table.tBodies[0].replaceChildren(...sorted.flatMap((entry) => entry.rows));
  });
  tools.addEventListener("input", show);
  more.addEventListener("click", () => {
    most = Infinity;
    show();
  });
  tools.append(count, more);
  table.closest(".scroll").before(tools);
  show();
}

/** A search, and a choice for each column that has few values; gives what tells whether a run fits. */
function offerFilters(tools, table, entries) {
  const search = make("input", { type: "search" });
  tools.append(make("label", {}, "Search ", search));
  const choices = table.closest("[data-choices]").dataset.choices.split(" ").map((text) => {
    const column = Number(text);
    const values = [...new Set(entries.map((entry) => entry.cells[column]))];
    const options = values.sort(comparison(values)).map((value) => make("option", { value }, value));
    const select = make("select", {}, make("option", { value: "" }, "all"), ...options);
    tools.append(make("label", {}, `${table.tHead.rows[0].cells[column].textContent} `, select));
    return { column, select };
  });
  return ({ cells, text }) => {
    const words = search.value.toLowerCase().split(/\s+/);
    const chosen = choices.every(({ column, select }) => ["", cells[column]].includes(select.value));
    return chosen && words.every((word) => text.includes(word));
  };
}

/** A button in each head; a click sorts by its column: upwards, downwards, as at first. */
function offerOrders(table, entries, apply) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = make("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const order = { ascending: "descending", descending: null }[head.getAttribute("aria-sort")];
      for (const other of heads) other.removeAttribute("aria-sort");
      if (order !== null) head.setAttribute("aria-sort", order ?? "ascending");
      apply(order === null ? entries : sort(entries, column, order === "descending" ? -1 : 1));
    });
  });
}

/** Entries by a column; equal ones as they stood at first, those without a value last in either direction. */
function sort(entries, column, direction) {
  const compare = comparison(entries.map((entry) => entry.cells[column]));
  const [known, missing] = [[], []];
  for (const entry of entries) (isMissing(entry.cells[column]) ? missing : known).push(entry);
  known.sort((a, b) => direction * compare(a.cells[column], b.cells[column]));
  return [...known, ...missing];
}

/** How to order the texts of a column: as numbers where all are, else as texts. */
function comparison(texts) {
  const numeric = texts.every((text) => isMissing(text) || Number.isFinite(number(text)));
  if (numeric) return (a, b) => number(a) - number(b);
  return new Intl.Collator("en", { numeric: true }).compare;
}

function isMissing(text) {
  return text === "" || text === "–";
}

/** The number that a text shows: 1,440 or 98.61 % or −0.2. */
function number(text) {
  return Number(text.replace(/[,\s%]/g, "").replace("−", "-"));
}
