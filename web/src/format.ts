// Numbers and times for people.

const kWhole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const kOne = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** 1,234 · 12.3k · 4.56M */
export function formatCount(value: number): string {
  const size = Math.abs(value);
  if (size < 10_000) return kWhole.format(value);
  if (size < 999_500) return `${(value / 1e3).toFixed(size < 99_950 ? 1 : 0)}k`;
  if (size < 999_500_000) return `${(value / 1e6).toFixed(size < 9_995_000 ? 2 : 1)}M`;
  return `${(value / 1e9).toFixed(2)}G`;
}

/** 0 · 0.4 · 12.5 · 1,234 */
export function formatValue(value: number): string {
  const size = Math.abs(value);
  if (size >= 10_000) return formatCount(value);
  return size < 100 ? kOne.format(value) : kWhole.format(value);
}

/** 512 B · 1.5 KiB · 3.2 GiB */
export function formatBytes(bytes: number | null): string {
  if (bytes === null) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    ++unit;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** 14:03:59, in the viewer's time zone. */
export function formatTime(ms: number): string {
  return new Date(ms).toLocaleTimeString("en-GB");
}

/** 45 s · 12 min · 3 h · 2 d */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** hot_engine → Hot engine */
export function formatName(name: string): string {
  const spaced = name.replace(/[_-]+/g, " ").trim();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
