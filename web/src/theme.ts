// Light, dark, or as the system has it. The choice is kept in the browser.
export type ThemeChoice = "auto" | "light" | "dark";

const kKey = "headrace-theme";
const listeners = new Set<() => void>();
const systemDark = window.matchMedia("(prefers-color-scheme: dark)");

export function themeChoice(): ThemeChoice {
  const kept = window.localStorage.getItem(kKey);
  return kept === "light" || kept === "dark" ? kept : "auto";
}

export function setTheme(choice: ThemeChoice): void {
  window.localStorage.setItem(kKey, choice);
  applyTheme();
}

export function isDark(): boolean {
  return document.documentElement.dataset.theme === "dark";
}

/** Calls `listener` when the colours changed; returns how to stop. */
export function onTheme(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function applyTheme(): void {
  const choice = themeChoice();
  const dark = choice === "dark" || (choice === "auto" && systemDark.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  for (const listener of listeners) listener();
}

systemDark.addEventListener("change", applyTheme);

/** The value of a custom property of style.css. */
export function cssColor(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The colour of the nth line or status. */
export function seriesColor(index: number): string {
  return cssColor(`--series-${index % 8}`);
}
