import { expect, test } from "vitest";
import { Series } from "./series";

test("a second that comes again replaces what was known of it", () => {
  const series = new Series(60);
  series.reset({
    lines: ["a"],
    points: [
      [100, 1],
      [101, 2],
    ],
  });
  series.apply({ lines: ["a"], points: [[101, 5]] });
  expect(series.columns(102)).toEqual([
    [100, 101],
    [1, 5],
  ]);
});

test("seconds before the window are forgotten, late ones are put in order", () => {
  const series = new Series(10);
  series.reset({
    lines: ["a"],
    points: [
      [100, 1],
      [105, 2],
    ],
  });
  series.apply({
    lines: ["a"],
    points: [
      [112, 4],
      [107, 3],
    ],
  });
  expect(series.columns(113)).toEqual([
    [105, 107, 112],
    [2, 3, 4],
  ]);
});

test("a line that came later has no value in the seconds before it", () => {
  const series = new Series(60);
  series.reset({ lines: ["a"], points: [[1, 1]] });
  series.apply({ lines: ["a", "b"], points: [[2, null, 7]] });
  expect(series.columns(3)).toEqual([
    [1, 2],
    [1, null],
    [null, 7],
  ]);
  expect(series.last(0)).toBe(1);
  expect(series.last(1)).toBe(7);
});
