import { expect, test } from "vitest";
import { Alerts } from "./alerts";

const alert = (n: number) => ({ n, at: n, id: "cab", kind: "speeding", value: "1" });

test("new alerts stand before old ones and each stands once", () => {
  const alerts = new Alerts(10);
  alerts.reset({ total: 2, recent: 2, items: [alert(1), alert(2)] });
  alerts.apply({ total: 3, recent: 3, items: [alert(2), alert(3)] });
  expect(alerts.items.map((item) => item.n)).toEqual([3, 2, 1]);
});

test("the list keeps the newest", () => {
  const alerts = new Alerts(2);
  alerts.reset({ total: 3, recent: 3, items: [alert(1), alert(2), alert(3)] });
  expect(alerts.items.map((item) => item.n)).toEqual([3, 2]);
});

test("numbers that begin again are a feed that began again", () => {
  const alerts = new Alerts(10);
  alerts.reset({ total: 9, recent: 0, items: [alert(9)] });
  alerts.apply({ total: 1, recent: 1, items: [alert(1)] });
  expect(alerts.items.map((item) => item.n)).toEqual([1]);
});
