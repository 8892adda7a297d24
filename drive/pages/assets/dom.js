// Small helpers to make a page's elements; text is always set as text, never as HTML.
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const ICONS = {
    play: "M5 3l9 5.5L5 14z",
    pause: "M4 3h3v11H4zM10 3h3v11h-3z",
    back: "M13 3v11L5.5 8.5zM3 3h2v11H3z",
    on: "M4 3v11l7.500-5.500zM12 3h2v11h-2z",
    full: "M2 2h5v2H4v3H2zM10 2h5v5h-2V4h-3zM2 10h2v3h3v2H2zM13 10h2v5h-5v-2h3z",
    nearer: "M7.500 4h2v3.500H13v2H9.500V13h-2V9.500H4v-2h3.500z",
    farther: "M4 7.500h9v2H4z",
    theme: "M8.500 2a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13zm0 1.800v9.400a4.700 4.700 0 0 1 0-9.400z",
  };

  /** An element with attributes and children; strings become text. */
  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }

  function icon(name) {
    const drawing = document.createElementNS(SVG, "svg");
    for (const [key, value] of Object.entries({ viewBox: "0 0 17 17", width: 17, height: 17, "aria-hidden": "true" })) {
      drawing.setAttribute(key, value);
    }
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", ICONS[name]);
    drawing.append(path);
    return drawing;
  }

  /** The current value of a CSS variable. */
  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  }

  const listeners = new Set();

  /** Call when the page turns dark or light; returns how to stop. */
  function onTheme(heard) {
    listeners.add(heard);
    return () => listeners.delete(heard);
  }

  function sayTheme() {
    for (const heard of listeners) heard();
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", sayTheme);

  /** A button that turns the page from light to dark and back. */
  function themeButton() {
    const button = element("button", { class: "quiet", title: "Light or dark", "aria-label": "Light or dark" }, icon("theme"));
    button.addEventListener("click", () => {
      const root = document.documentElement;
      const dark = root.dataset.theme
        ? root.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      sayTheme();
    });
    return button;
  }

  Object.assign(DriveReport, { element, icon, colour, onTheme, themeButton });
})();
