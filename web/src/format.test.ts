import { expect, test } from "vitest";
import { formatAge, formatBytes, formatCount, formatName, formatValue } from "./format";

test("counts are short and round at the borders", () => {
  expect([0, 1234, 9999, 12_345, 99_950, 999_499, 999_500, 4_560_000].map(formatCount)).toEqual([
    "0",
    "1,234",
    "9,999",
    "12.3k",
    "100k",
    "999k",
    "1.00M",
    "4.56M",
  ]);
});

test("sizes are in powers of 1024", () => {
  expect([0, 1023, 1024, 1536, 150 * 1024, 3 * 1024 ** 3].map(formatBytes)).toEqual([
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.5 KiB",
    "150 KiB",
    "3.0 GiB",
  ]);
  expect(formatBytes(null)).toBe("–");
});

test("values, ages and names read well", () => {
  expect([0.42, 12.5, 1234, 56_789].map(formatValue)).toEqual(["0.4", "12.5", "1,234", "56.8k"]);
  expect([3000, 600_000, 7_200_000, 200_000_000].map(formatAge)).toEqual(["3 s", "10 min", "2 h", "2 d"]);
  expect(formatName("hot_engine")).toBe("Hot engine");
});
