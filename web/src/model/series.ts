// The points of a chart: seconds merged from snapshot and frames, cut to the window.
import type { SeriesUpdate } from "./protocol";

export class Series {
  lines: string[] = [];
  private readonly points = new Map<number, (number | null)[]>();

  constructor(private readonly windowSeconds: number) {}

  reset(update: SeriesUpdate): void {
    this.points.clear();
    this.apply(update);
  }

  apply(update: SeriesUpdate): void {
    this.lines = update.lines;
    for (const [second, ...values] of update.points) this.points.set(second, values);
  }

  /** [seconds, values of the first line, ...] for a chart whose right end is second `now`. */
  columns(now: number): [number[], ...(number | null)[][]] {
    for (const second of this.points.keys()) {
      if (second < now - this.windowSeconds) this.points.delete(second);
    }
    const seconds = [...this.points.keys()].sort((a, b) => a - b);
    const values = this.lines.map((_, line) => seconds.map((second) => this.points.get(second)?.[line] ?? null));
    return [seconds, ...values];
  }

  /** The newest value of a line that is there. */
  last(line: number): number | null {
    let best: number | null = null;
    let at = -Infinity;
    for (const [second, values] of this.points) {
      const value = values[line];
      if (second > at && value !== null && value !== undefined) {
        at = second;
        best = value;
      }
    }
    return best;
  }
}
