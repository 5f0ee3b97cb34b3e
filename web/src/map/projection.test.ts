import { expect, test } from "vitest";
import { boxOf, latitude, longitude, mercatorX, mercatorY, View } from "./projection";

test("projecting there and back keeps the place", () => {
  for (const [lon, lat] of [
    [-73.98, 40.75],
    [116.4, 39.9],
    [0, 0],
    [179.9, -80],
  ] as const) {
    expect(longitude(mercatorX(lon))).toBeCloseTo(lon, 9);
    expect(latitude(mercatorY(lat))).toBeCloseTo(lat, 9);
  }
});

test("the known corner of the world: 85.0511 degrees north is y = 0", () => {
  expect(mercatorY(90)).toBeCloseTo(0, 5);
  expect(mercatorY(-90)).toBeCloseTo(1, 5);
  expect(mercatorX(-180)).toBe(0);
});

test("zooming keeps what is under the pointer", () => {
  const view = new View(0.3, 0.4, 10, 800, 600);
  const before = view.toWorld(100, 500);
  view.zoomAt(100, 500, 1.5);
  const after = view.toWorld(100, 500);
  expect(after.x).toBeCloseTo(before.x, 12);
  expect(after.y).toBeCloseTo(before.y, 12);
});

test("fitting a box shows its corners inside the padding", () => {
  const view = new View(0, 0, 0, 800, 600);
  view.fit({ minX: 0.3, maxX: 0.3001, minY: 0.4, maxY: 0.4002 }, 20);
  expect(view.toScreenX(0.3)).toBeGreaterThanOrEqual(19.9);
  expect(view.toScreenY(0.4002)).toBeLessThanOrEqual(580.1);
});

test("a single device far away does not stretch the first view", () => {
  const points = Array.from({ length: 200 }, (_, index) => ({ x: 0.3 + index * 1e-6, y: 0.4 }));
  points.push({ x: 0.9, y: 0.9 });
  expect(boxOf(points, 0.06)!.maxX).toBeLessThan(0.31);
  expect(boxOf(points, 0)!.maxX).toBe(0.9);
  expect(boxOf([], 0)).toBeNull();
});
