// The alert list: newest first, bounded, each alert once.
import type { Alert, AlertsUpdate } from "./protocol";

export class Alerts {
  total = 0;
  recent = 0;
  items: Alert[] = [];

  constructor(private readonly limit: number) {}

  reset(update: AlertsUpdate): void {
    this.items = [];
    this.total = 0;
    this.apply(update);
  }

  apply(update: AlertsUpdate): void {
    const newest = this.items[0]?.n ?? 0;
    const restarted = update.total < this.total;
    if (restarted) this.items = [];
    const fresh = update.items.filter((item) => restarted || item.n > newest).sort((a, b) => b.n - a.n);
    this.items = [...fresh, ...this.items].slice(0, this.limit);
    this.total = update.total;
    this.recent = update.recent;
  }
}
