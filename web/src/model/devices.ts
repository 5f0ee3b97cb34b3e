// The devices of a map as the page knows them, moving smoothly from one reported position to the next.
import { mercatorX, mercatorY } from "../map/projection";
import type { DeviceRow, MapUpdate } from "./protocol";

const kMoveMsMin = 250;
const kMoveMsMax = 2500;

export interface Device {
  slot: number;
  id: string;
  lon: number;
  lat: number;
  heading: number | null;
  status: number;
  /** Page time of the newest alert, -Infinity without one. */
  alertAt: number;
  fromX: number;
  fromY: number;
  toX: number;
  toY: number;
  movedAt: number;
  moveMs: number;
}

/** Where a device is drawn at page time `now`, in mercator units. */
export function drawnAt(device: Device, now: number): { x: number; y: number } {
  const t = Math.min(1, Math.max(0, (now - device.movedAt) / device.moveMs));
  return { x: device.fromX + (device.toX - device.fromX) * t, y: device.fromY + (device.toY - device.fromY) * t };
}

export class Devices {
  statuses: string[] = [];
  /** The place of each status in alphabetical order: its colour, whichever came first. */
  ranks: number[] = [];
  counts: number[] = [];
  total = 0;
  readonly bySlot = new Map<number, Device>();
  private readonly byId = new Map<string, Device>();

  /** Replaces everything by a snapshot's state; `now` is page time in ms. */
  reset(update: MapUpdate, now: number): void {
    this.bySlot.clear();
    this.byId.clear();
    this.apply(update, now);
  }

  apply(update: MapUpdate, now: number): void {
    this.statuses = update.statuses;
    const sorted = [...update.statuses].sort();
    this.ranks = update.statuses.map((status) => sorted.indexOf(status));
    this.counts = update.counts;
    this.total = update.total;
    for (const slot of update.gone ?? []) this.remove(slot);
    for (const row of update.devices) this.place(row, now);
    for (const row of update.moved ?? []) this.place(row, now);
  }

  find(id: string): Device | undefined {
    return this.byId.get(id);
  }

  /** Name, count and colour of each status, in alphabetical order. */
  byStatus(): { status: string; count: number; rank: number }[] {
    return this.statuses
      .map((status, index) => ({ status, count: this.counts[index] ?? 0, rank: this.ranks[index] ?? 0 }))
      .sort((a, b) => a.rank - b.rank);
  }

  ids(): string[] {
    return [...this.byId.keys()].sort();
  }

  private place(row: DeviceRow, now: number): void {
    const [slot, lon, lat, heading, status, id, alertAge] = row;
    let device = this.bySlot.get(slot);
    if (id !== undefined && device?.id !== id) {
      this.remove(slot);
      device = undefined;
    }
    const x = mercatorX(lon);
    const y = mercatorY(lat);
    if (device) {
      if (device.lon !== lon || device.lat !== lat) this.move(device, x, y, now);
    } else {
      if (id === undefined) return;
      device = {
        slot,
        id,
        lon,
        lat,
        heading,
        status,
        alertAt: -Infinity,
        fromX: x,
        fromY: y,
        toX: x,
        toY: y,
        movedAt: now,
        moveMs: 1000,
      };
      this.bySlot.set(slot, device);
      this.byId.set(id, device);
    }
    device.lon = lon;
    device.lat = lat;
    device.heading = heading;
    device.status = status;
    if (typeof alertAge === "number") device.alertAt = now - alertAge * 1000;
  }

  private move(device: Device, x: number, y: number, now: number): void {
    const at = drawnAt(device, now);
    device.moveMs = Math.min(kMoveMsMax, Math.max(kMoveMsMin, now - device.movedAt));
    device.fromX = at.x;
    device.fromY = at.y;
    device.toX = x;
    device.toY = y;
    device.movedAt = now;
  }

  private remove(slot: number): void {
    const device = this.bySlot.get(slot);
    if (!device) return;
    this.bySlot.delete(slot);
    this.byId.delete(device.id);
  }
}
