// What the program sends: see src/console/feed.h and the heads of its *_panel.cc.

export type PanelType = "map" | "timeseries" | "alerts" | "topics" | "components" | "stats";
export type OptionValue = string | number | boolean | string[] | Record<string, string>;

export interface PanelDefinition {
  type: PanelType;
  options: Record<string, OptionValue>;
}

export interface DashboardDefinition {
  name: string;
  title: string;
  panels: PanelDefinition[];
}

/** [slot, lon, lat, heading, status, id, seconds since the newest alert]; the last two in full rows only. */
export type DeviceRow = [number, number, number, number | null, number, string?, (number | null)?];

export interface MapUpdate {
  statuses: string[];
  counts: number[];
  total: number;
  devices: DeviceRow[];
  moved?: DeviceRow[];
  gone?: number[];
}

export interface SeriesUpdate {
  lines: string[];
  points: [number, ...(number | null)[]][];
}

export interface Alert {
  n: number;
  at: number;
  id: string;
  kind: string;
  value: string;
}

export interface AlertsUpdate {
  total: number;
  recent: number;
  items: Alert[];
}

export interface Topic {
  name: string;
  internal: boolean;
  partitions: number;
  records: number;
  bytes: number | null;
  rate: number;
}

export interface TopicsUpdate {
  error?: string;
  topics?: Topic[];
}

export interface Component {
  component: string;
  state: string;
  detail: string;
  since: number;
}

export interface ComponentsUpdate {
  components?: Component[];
}

export interface StatsUpdate {
  items?: { label: string; value: number; unit: string }[];
}

export interface Snapshot {
  now: number;
  dashboard: string;
  panels: unknown[];
}

export interface Frame {
  now: number;
  panels: Record<string, unknown>;
}

export interface Status {
  version: string;
  bus: string;
  now: number;
  uptime_ms: number;
  components: Component[];
}

export interface TopicRecord {
  partition: number;
  offset: number;
  timestamp: number;
  key: string | null;
  value: string | null;
  key_encoding?: string;
  value_encoding?: string;
  truncated?: boolean;
}
