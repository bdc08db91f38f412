"use strict";
// What a report can do where scripts run. Without them it is complete, too: nothing here adds a number or a
// word of evidence. It stands in the head, so that the chosen colours are there before anything is drawn.

const THEMES = ["auto", "light", "dark"];
const root = document.documentElement;

wear(remembered());
document.addEventListener("DOMContentLoaded", () => {
  offerThemes();
  followContents();
  openTargets();
  for (const element of document.querySelectorAll("[data-file]")) offerFiles(element);
  const table = document.querySelector("#runs table");
  if (table) enliven(table);
  openForPrint();
});

/** An element of HTML with attributes and children. */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Colours: the system's, light or dark.

/** The theme that was chosen last; a page from a file may not be allowed to remember. */
function remembered() {
  try {
    return localStorage.getItem("harness-theme");
  } catch {
    return null;
  }
}

function wear(theme) {
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  else delete root.dataset.theme;
}

function offerThemes() {
  const button = make("button", { type: "button", class: "theme" });
  const label = () => { button.textContent = `Colours: ${root.dataset.theme ?? "auto"}`; };
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "auto") + 1) % THEMES.length];
    wear(next);
    label();
    try {
      localStorage.setItem("harness-theme", next);
    } catch { /* worn until the page is left */ }
  });
  label();
  document.querySelector("header").append(button);
}

// Contents: the link to the section that is being read is marked.

function followContents() {
  const list = document.querySelector("nav ol");
  const sectionOf = (link) => document.getElementById(link.hash.slice(1));
  const links = [...list.querySelectorAll("a")].filter(sectionOf);
  const sections = links.map(sectionOf);
  let current = null;
  let waiting = false;
  const follow = () => {
    waiting = false;
    const atEnd = window.innerHeight + window.scrollY >= root.scrollHeight - 2 && window.scrollY > 0;
    const line = atEnd ? Infinity : window.innerHeight / 4;
    const passed = sections.findLastIndex((section) => section.getBoundingClientRect().top <= line);
    const link = links[Math.max(passed, 0)];
    if (link === current) return;
    current?.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    current = link;
    if (list.scrollHeight > list.clientHeight) list.scrollTop = link.offsetTop - list.clientHeight / 2;
  };
  window.addEventListener("scroll", () => {
    if (!waiting) requestAnimationFrame(follow);
    waiting = true;
  }, { passive: true });
  follow();
}

// A link to something folded opens it.

function openTargets() {
  const open = () => {
    const target = document.getElementById(window.location.hash.slice(1));
    if (target?.tagName === "DETAILS") target.open = true;
  };
  window.addEventListener("hashchange", open);
  open();
}

// Print: what is folded is printed, too, but for the table of all runs where it is long.

function openForPrint() {
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open], .long)")];
    for (const element of opened) element.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const element of opened) element.open = false;
  });
}
