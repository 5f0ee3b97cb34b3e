import { expect, test } from "vitest";
import { Devices, drawnAt } from "./devices";
import type { MapUpdate } from "./protocol";

function update(rows: Partial<MapUpdate>): MapUpdate {
  return { statuses: ["free"], counts: [1], total: 1, devices: [], ...rows };
}

test("a device moves smoothly from where it is drawn to where it was reported", () => {
  const devices = new Devices();
  devices.reset(update({ devices: [[1, 0, 0, 90, 0, "a", null]] }), 1000);
  devices.apply(update({ moved: [[1, 36, 0, 90, 0]] }), 2000);
  const device = devices.find("a")!;
  expect(drawnAt(device, 2000).x).toBeCloseTo(0.5);
  expect(drawnAt(device, 2500).x).toBeCloseTo(0.55);
  expect(drawnAt(device, 9000).x).toBeCloseTo(0.6);
});

test("a slot that was given to another device is that device, wherever the old one was", () => {
  const devices = new Devices();
  devices.reset(update({ devices: [[1, 10, 10, null, 0, "old", null]] }), 0);
  devices.apply(update({ gone: [1], devices: [[1, 20, 20, null, 0, "new", null]] }), 100);
  expect(devices.find("old")).toBeUndefined();
  expect(devices.find("new")!.lon).toBe(20);
  expect(drawnAt(devices.find("new")!, 100)).toEqual(drawnAt(devices.find("new")!, 5000));
});

test("a position of a device that the page does not know is left out", () => {
  const devices = new Devices();
  devices.reset(update({}), 0);
  devices.apply(update({ moved: [[7, 1, 1, null, 0]] }), 10);
  expect(devices.bySlot.size).toBe(0);
});

test("an alert's age becomes a time of the page", () => {
  const devices = new Devices();
  devices.reset(update({ devices: [[1, 0, 0, 0, 0, "a", 5]] }), 60_000);
  expect(devices.find("a")!.alertAt).toBe(55_000);
});

test("applying the same full row twice changes nothing", () => {
  const devices = new Devices();
  devices.reset(update({ devices: [[1, 5, 5, 0, 0, "a", null]] }), 0);
  devices.apply(update({ devices: [[1, 5, 5, 0, 0, "a", null]] }), 50);
  expect(devices.bySlot.size).toBe(1);
  expect(devices.find("a")!.movedAt).toBe(0);
});

test("a status has the same colour whichever came first", () => {
  const devices = new Devices();
  devices.reset(update({ statuses: ["occupied", "free"], counts: [3, 4], total: 7 }), 0);
  expect(devices.byStatus()).toEqual([
    { status: "free", count: 4, rank: 0 },
    { status: "occupied", count: 3, rank: 1 },
  ]);
});
