import { useEffect, useReducer, useState } from "preact/hooks";
import type { Store } from "../model/store";
import { onTheme } from "../theme";

/** Renders the component again whenever the store's panel (or shell) changed. */
export function useChanges(store: Store, key: number | "shell"): void {
  const [, render] = useReducer((count: number) => count + 1, 0);
  useEffect(() => store.subscribe(key, () => render(undefined as never)), [store, key]);
}

/** A number that changes with the theme. */
export function useThemeVersion(): number {
  const [version, setVersion] = useState(0);
  useEffect(() => onTheme(() => setVersion((old) => old + 1)), []);
  return version;
}

/** The JSON at `url`, asked again every `everyMs` (0: once); null until it came or after it failed. */
export function useJson<T>(url: string | null, everyMs: number): T | null {
  const [value, setValue] = useState<T | null>(null);
  useEffect(() => {
    setValue(null);
    if (url === null) return;
    let live = true;
    const ask = async () => {
      try {
        const response = await fetch(url);
        const body = response.ok ? ((await response.json()) as T) : null;
        if (live) setValue(body);
      } catch {
        if (live) setValue(null);
      }
    };
    void ask();
    const timer = everyMs > 0 ? window.setInterval(() => void ask(), everyMs) : 0;
    return () => {
      live = false;
      window.clearInterval(timer);
    };
  }, [url, everyMs]);
  return value;
}
