// The state of the dashboard that is shown: fed by server-sent events, read by the panels.
import { Alerts } from "./alerts";
import { Devices } from "./devices";
import type {
  AlertsUpdate,
  ComponentsUpdate,
  DashboardDefinition,
  Frame,
  MapUpdate,
  PanelDefinition,
  SeriesUpdate,
  Snapshot,
  StatsUpdate,
  TopicsUpdate,
} from "./protocol";
import { Series } from "./series";

export type Connection = "connecting" | "live" | "behind" | "lost";

/** One panel's state; `apply` takes a frame's part of it. */
export interface PanelState {
  reset(update: unknown): void;
  apply(update: unknown): void;
}

export class MapState implements PanelState {
  readonly devices = new Devices();
  reset = (update: unknown) => this.devices.reset(update as MapUpdate, performance.now());
  apply = (update: unknown) => this.devices.apply(update as MapUpdate, performance.now());
}

export class SeriesState implements PanelState {
  readonly series: Series;
  constructor(windowSeconds: number) {
    this.series = new Series(windowSeconds);
  }
  reset = (update: unknown) => this.series.reset(update as SeriesUpdate);
  apply = (update: unknown) => this.series.apply(update as SeriesUpdate);
}

export class AlertsState implements PanelState {
  readonly alerts: Alerts;
  constructor(limit: number) {
    this.alerts = new Alerts(limit);
  }
  reset = (update: unknown) => this.alerts.reset(update as AlertsUpdate);
  apply = (update: unknown) => this.alerts.apply(update as AlertsUpdate);
}

export class DocumentState<T extends TopicsUpdate | ComponentsUpdate | StatsUpdate> implements PanelState {
  value: T | Record<string, never> = {};
  reset = (update: unknown) => this.apply(update);
  apply = (update: unknown) => {
    this.value = update as T;
  };
}

export function makeState(panel: PanelDefinition): PanelState {
  switch (panel.type) {
    case "map":
      return new MapState();
    case "timeseries":
      return new SeriesState(Number(panel.options.window ?? 300_000) / 1000);
    case "alerts":
      return new AlertsState(Number(panel.options.limit ?? 100));
    default:
      return new DocumentState();
  }
}

const kSilentMs = 5000;

export class Store {
  readonly states: PanelState[];
  connection: Connection = "connecting";
  /** The program's clock minus the page's, ms. */
  clockOffset = 0;
  /** The device selected on the map. */
  selected: string | null = null;
  private readonly listeners = new Map<number | "shell", Set<() => void>>();
  private source: EventSource | null = null;
  private heardAt = 0;
  private watchdog = 0;
  private reopening = 0;

  constructor(readonly dashboard: DashboardDefinition) {
    this.states = dashboard.panels.map(makeState);
  }

  open(): void {
    this.source = new EventSource(`/api/v1/dashboards/${encodeURIComponent(this.dashboard.name)}/events`);
    this.source.addEventListener("snapshot", (event) => this.onSnapshot(JSON.parse(event.data) as Snapshot));
    this.source.addEventListener("frame", (event) => this.onFrame(JSON.parse(event.data) as Frame));
    this.source.addEventListener("behind", () => this.setConnection("behind"));
    this.source.addEventListener("error", () => {
      this.setConnection("lost");
      if (this.source?.readyState === EventSource.CLOSED) this.reopenSoon();
    });
    this.heardAt = performance.now();
    this.watchdog = window.setInterval(() => this.checkSilence(), 1000);
  }

  close(): void {
    this.source?.close();
    this.source = null;
    window.clearInterval(this.watchdog);
    window.clearTimeout(this.reopening);
  }

  /** Calls `listener` when panel `key` (or the shell: connection and selection) changed; returns how to stop. */
  subscribe(key: number | "shell", listener: () => void): () => void {
    const set = this.listeners.get(key) ?? new Set();
    this.listeners.set(key, set.add(listener));
    return () => set.delete(listener);
  }

  select(id: string | null): void {
    this.selected = id;
    this.notify("shell");
  }

  /** The program's time now, ms since 1970. */
  now(): number {
    return Date.now() + this.clockOffset;
  }

  private onSnapshot(snapshot: Snapshot): void {
    this.heard(snapshot.now);
    this.states.forEach((state, index) => {
      state.reset(snapshot.panels[index]);
      this.notify(index);
    });
  }

  private onFrame(frame: Frame): void {
    this.heard(frame.now);
    for (const [key, update] of Object.entries(frame.panels)) {
      this.states[Number(key)]?.apply(update);
      this.notify(Number(key));
    }
  }

  private heard(now: number): void {
    this.heardAt = performance.now();
    this.clockOffset = now - Date.now();
    this.setConnection("live");
  }

  private checkSilence(): void {
    if (performance.now() - this.heardAt > kSilentMs) this.setConnection("lost");
  }

  private reopenSoon(): void {
    this.close();
    this.reopening = window.setTimeout(() => this.open(), 2000);
  }

  private setConnection(connection: Connection): void {
    if (this.connection === connection) return;
    this.connection = connection;
    this.notify("shell");
  }

  private notify(key: number | "shell"): void {
    for (const listener of this.listeners.get(key) ?? []) listener();
  }
}
